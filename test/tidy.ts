/**
 * The rules of the house as pure functions over files; `tidy.test.ts` applies them to the tree.
 * Source: architecture §2 (who may import whom, where the machine may be touched).
 */
export interface TextFile {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** `file:line: what is wrong; the allowed way`. */
export type Finding = string;

interface Folder {
  /** Other top folders it may import. */
  readonly folders: readonly string[];
  /** npm packages it may import. */
  readonly npm: readonly string[];
}

const PURE = { folders: [], npm: [] };

/** One row per top folder. A new dependency stands here, in package.json and in README's table. */
const FOLDERS: Readonly<Record<string, Folder>> = {
  core: PURE,
  drivers: { folders: ["core"], npm: ["modbus-serial"] },
  config: { folders: ["core"], npm: ["yaml", "zod"] },
  agent: { folders: ["core", "drivers", "config"], npm: [] },
  cloud: {
    folders: ["core", "config"],
    npm: [
      "@fastify/static",
      "@fastify/swagger",
      "@fastify/swagger-ui",
      "aedes",
      "fastify",
      "fastify-type-provider-zod",
      "zod",
    ],
  },
  "hw-sim": { folders: ["core", "drivers"], npm: [] },
  flows: { folders: ["core", "config"], npm: [] },
  // Files of the machine it is installed on; no code.
  packaging: PURE,
};
/** The browser's part of `cloud/` has packages of its own and none of the server's. */
const WEB = ["@fontsource/be-vietnam-pro", "@vitejs/plugin-react", "echarts", "react", "react-dom", "vite"];
/** These import everything, and nothing imports them. */
const ROOTS = ["cli", "test"];

/**
 * Where the machine - `node:` modules, clocks, timers, randomness, the process, the network - may be touched outside
 * `cli/`, with the reason. Everything else receives them through `core/ports.ts`.
 */
const MACHINE: readonly { readonly path: RegExp; readonly why: string }[] = [
  {
    path: /^drivers\/modbus\/(client|line|linePort|machine|socketPort)\.ts$/,
    why: "client: sockets, serial lines and their timeouts",
  },
  { path: /^config\/io\.ts$/, why: "the loader's files and environment" },
  { path: /^config\/dataDir\.ts$/, why: "locks the data directory" },
  { path: /^agent\/journal\/(sqliteDisk|sqliteSegment|firstForm)\.ts$/, why: "store: SQLite and its files" },
  { path: /^agent\/local\/server\.ts$/, why: "server: the gateway's own HTTP page" },
  { path: /^agent\/local\/agentBus\.ts$/, why: "client: a running agent's bus" },
  { path: /^agent\/local\/busOwner\.ts$/, why: "files and locks: who holds a bus" },
  { path: /^(agent|cloud)\/main\.ts$/, why: "puts its process together" },
  { path: /^cloud\/store\/(sqlite|database|names|places|sums)\.ts$/, why: "store: SQLite and its files" },
  { path: /^cloud\/collector\/inflate\.ts$/, why: "unpacks compressed payloads (node:zlib)" },
  { path: /^cloud\/broker\/embedded\.ts$/, why: "server: the MQTT broker's socket" },
  { path: /^cloud\/broker\/guard\.ts$/, why: "TLS: whether certificate and key fit" },
  { path: /^cloud\/broker\/password\.ts$/, why: "hashing of passwords" },
  { path: /^cloud\/api\/page\.ts$/, why: "server: the files of the page" },
  { path: /^hw-sim\/bus\/tcpServer\.ts$/, why: "server: Modbus TCP and RTU in TCP" },
  { path: /^hw-sim\/lines\/serialPorts\.ts$/, why: "serial ports, and socat for pseudo terminals" },
  { path: /^hw-sim\/control\/server\.ts$/, why: "server: the simulator's control port" },
  { path: /^hw-sim\/profiles\/io\.ts$/, why: "reads the measured profiles" },
  { path: /^hw-sim\/profiles\/import\/main\.ts$/, why: "a program: makes a profile from the published file" },
  { path: /^cloud\/web\/vite\.config\.ts$/, why: "build settings, never in the page" },
];

/** The same for the browser, where the machine is `Date`, timers, storage and the network. */
const BROWSER: readonly { readonly path: RegExp; readonly why: string }[] = [
  { path: /^cloud\/web\/io\.ts$/, why: "the page's clock, timers and storage" },
  { path: /^cloud\/web\/api\.ts$/, why: "client: the server's API" },
  { path: /^cloud\/web\/app\/liveStore\.ts$/, why: "client: the live stream" },
];

/** Tests own their clock and move it. These run real processes or measure real time. */
const REAL_TIME: readonly { readonly path: RegExp; readonly why: string }[] = [
  { path: /^test\/run\.ts$/, why: "times the steps of npm test" },
  { path: /^test\/bench\//, why: "measures real time" },
  { path: /^test\/sim\/mutate\.ts$/, why: "gives broken copies of the code a minute" },
  { path: /^test\/e2e\//, why: "real processes, which nobody's clock moves" },
  { path: /^test\/cloud\/web\//, why: "a real browser and the server it talks to" },
  { path: /^test\/tidy\.ts$/, why: "names what it looks for" },
];

const TIME: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\b(?!\s*\(\s*[^)\s])|(?<![\w.])Date\(\)|\bTemporal\.Now\b/g, "a Clock"],
  [/(?<![\w./])performance\b(?!\s*:)|\bprocess\.hrtime\b/g, "a Clock"],
  [/(?<![\w.])(?:(?:globalThis|window)\.)?set(?:Timeout|Interval)\b(?!\s*[:?])/g, "Timers"],
];
const CHANCE: readonly (readonly [RegExp, string])[] = [
  [/\bMath\.random\b|\b(?:randomUUID|randomBytes|randomInt|getRandomValues)\b/g, "a Random"],
];
const OUTSIDE: readonly (readonly [RegExp, string])[] = [
  // Tests may give way to the event loop: that is a turn, not a time.
  [/(?<![\w.])setImmediate\b/g, "Timers"],
  [/(?<![\w.])process\.\w/g, "what the composition root passes in"],
  [/(?<![\w.])console\.\w/g, "a Log"],
  [/(?<![\w.])(?:fetch\s*\(|new (?:WebSocket|EventSource)\b)/g, "a client"],
  [/(?<![\w.])(?:localStorage|sessionStorage|indexedDB)\b/g, "the page's io.ts"],
];

/** The agent reads meters and never writes to them (architecture §4.10). */
const MODBUS_WRITE = /write(?:Single|Multiple)?(?:Coil|Register)s?|mask_?Write|writeFC\d|\bFC0?(?:5|6|15|16)\b/gi;

const IS_CODE = /\.tsx?$/;

export function importFindings({ path, text }: TextFile): Finding[] {
  const top = topOf(path);
  if (!IS_CODE.test(path) || top === null) return [];
  return importsOf(text).flatMap(({ specifier, line }) => {
    const finding = importFinding(path, top, specifier);
    return finding === null ? [] : [`${path}:${line}: ${finding}`];
  });
}

function importFinding(path: string, top: string, specifier: string): string | null {
  const said = `imports "${specifier}"`;
  if (specifier.startsWith("node:")) {
    if (ROOTS.includes(top) || isListed(path, MACHINE)) return null;
    return top === "core"
      ? `${said}; core imports nothing: take it as an argument (core/ports.ts)`
      : `${said}; the machine is touched in clients, stores, servers, io files and main.ts only (list: test/tidy.ts)`;
  }
  const target = specifier.startsWith(".") ? topOf(resolvePath(path, specifier)) : null;
  if (!specifier.startsWith(".")) return npmFinding(path, top, specifier);
  if (target === null) return ROOTS.includes(top) ? null : `${said} from the root; nothing imports the root's programs`;
  if (target === top) return null;
  if (target === "test" || (target === "cli" && top !== "test")) return `${said}; nothing imports ${target}/`;
  if (ROOTS.includes(top)) return null;
  const allowed = FOLDERS[top]?.folders ?? [];
  if (allowed.includes(target)) return null;
  if ([top, target].sort().join() === "agent,cloud") return `${said}; agent and cloud meet only in core/wire`;
  return `${said}; ${top}/ may import ${allowed.length === 0 ? "nothing" : allowed.map((name) => `${name}/`).join(", ")}`;
}

function npmFinding(path: string, top: string, specifier: string): string | null {
  const isWeb = path.startsWith("cloud/web/");
  if (ROOTS.includes(top)) return null;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const allowed = isWeb ? WEB : (FOLDERS[top]?.npm ?? []);
  if (allowed.includes(name)) return null;
  const where = isWeb ? "cloud/web" : top;
  return `imports the package "${name}"; ${where}/ may import ${allowed.length === 0 ? "no package" : allowed.join(", ")}`;
}

export function machineFindings({ path, text }: TextFile): Finding[] {
  const top = topOf(path);
  if (!IS_CODE.test(path) || top === null || top === "cli") return [];
  if (top === "test") return isListed(path, REAL_TIME) ? [] : found(path, TIME, text, "tests own their clock: use");
  if (isListed(path, MACHINE)) return [];
  if (path.startsWith("cloud/web/") && isListed(path, BROWSER)) return [];
  return found(path, [...TIME, ...CHANCE, ...OUTSIDE], text, "receive");
}

function found(path: string, patterns: readonly (readonly [RegExp, string])[], text: string, way: string): Finding[] {
  const code = withoutStrings(withoutComments(text));
  return patterns.flatMap(([pattern, instead]) =>
    [...code.matchAll(pattern)].map(
      (match) => `${path}:${lineAt(code, match.index)}: ${match[0].trim()}; ${way} ${instead} (core/ports.ts)`,
    ),
  );
}

export function modbusWriteFindings({ path, text }: TextFile): Finding[] {
  // The tests that say so have to name what they forbid.
  if (!IS_CODE.test(path) || path.startsWith("test/")) return [];
  const code = withoutComments(text);
  return [...code.matchAll(MODBUS_WRITE)].map(
    (match) =>
      `${path}:${lineAt(code, match.index)}: ${match[0]}; Khu Xanh only reads meters, there is no way to write`,
  );
}

/** What belongs to one machine or one moment: its paths, a registry's address, a test run alone, work not done. */
export function strayFindings({ path, text }: TextFile, machinePaths: readonly string[]): Finding[] {
  const forbidden: [RegExp, string][] = [
    ...machinePaths.map((folder): [RegExp, string] => [
      new RegExp(`(?<![\\w.-])${folder.replace(/[^\w/]/g, "\\$&")}(?![\\w-])`, "g"),
      "a path of this machine; write it relative to the file",
    ]),
    [/\bregistry\.[\w-]+\.[a-z]{2,}\b/g, "the host of a registry; npm knows its own"],
    [/\b(?:FIX(?:)ME|TO(?:)DO)\b/g, "work not done; do it, or write an issue"],
  ];
  if (IS_CODE.test(path)) forbidden.push([/\b(?:test|it|describe|suite)(?:\.\w+)*\.on(?:)ly\b/g, "a test run alone"]);
  if (path.endsWith("package-lock.json")) {
    forbidden.push([/"resolved":\s*"(?:https?|git)/g, "an address; .npmrc says omit-lockfile-registry-resolved"]);
  }
  return forbidden.flatMap(([pattern, why]) =>
    [...text.matchAll(pattern)].map((match) => `${path}:${lineAt(text, match.index)}: ${match[0]}: ${why}`),
  );
}

/** Rows of the lists above that match no file any more. */
export function staleRows(paths: readonly string[]): Finding[] {
  return [...MACHINE, ...BROWSER]
    .filter(({ path }) => !paths.some((name) => path.test(name)))
    .map(({ path, why }) => `test/tidy.ts: ${path} ("${why}") matches no file; remove the row`);
}

/** The packages that the tree may import outside `cli/` and `test/`. */
export const PACKAGES_ALLOWED: readonly string[] = [...Object.values(FOLDERS).flatMap(({ npm }) => npm), ...WEB];

export const TOP_FOLDERS: readonly string[] = [...Object.keys(FOLDERS), ...ROOTS];

function isListed(path: string, list: readonly { readonly path: RegExp }[]): boolean {
  return list.some((row) => row.path.test(path));
}

/** null for a file of the root. */
function topOf(path: string): string | null {
  const slash = path.indexOf("/");
  return slash === -1 ? null : path.slice(0, slash);
}

function resolvePath(from: string, relative: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of relative.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** Static, re-exporting, bare and dynamic imports, and types by `import("…")`. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const forms = [
    /^\s*(?:import|export)\b[^"'`;]*?\bfrom\s*["']([^"'\n]+)["']/gm,
    /^\s*import\s*["']([^"'\n]+)["']/gm,
    /\b(?:import|require)\s*\(\s*["'`]([^"'`\n]+)["'`]/g,
  ];
  return forms.flatMap((form) =>
    [...code.matchAll(form)].map((match) => ({
      specifier: match[1]!,
      line: lineAt(code, match.index + match[0].lastIndexOf(match[1]!)),
    })),
  );
}

const STRING_OR_COMMENT = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;

/** Comments become spaces, so that lines keep their numbers. Good enough for formatted code; no parser. */
function withoutComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, (part) => (part.startsWith("/") ? part.replace(/[^\n]/g, " ") : part));
}

/** Text in quotes is no code; a template may hold some and stays. */
function withoutStrings(code: string): string {
  return code.replace(STRING_OR_COMMENT, (part) => (/^["']/.test(part) ? part.replace(/[^\n]/g, " ") : part));
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
