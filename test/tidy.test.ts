import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  type Finding,
  importFindings,
  importsOf,
  machineFindings,
  modbusWriteFindings,
  PACKAGES_ALLOWED,
  staleRows,
  strayFindings,
  type TextFile,
  TOP_FOLDERS,
} from "./tidy.ts";

const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
/** Made by machines, or not ours. */
const SKIPPED = new Set(["node_modules", "dist", "data", ".git"]);
const TEXT = /\.(tsx?|jsx?|json|ya?ml|md|css|html|svg|csv)$|\/(run|LICENSE|\.npmrc|\.gitignore)$/;

const files = textFiles("");

describe("the tree", () => {
  test("imports only what the import rule allows", () => {
    expect(files.flatMap(importFindings)).toEqual([]);
  });

  test("touches clocks, timers, randomness and the machine only in the listed files", () => {
    expect(files.flatMap(machineFindings)).toEqual([]);
  });

  test("has no row in the list of exceptions that no file needs", () => {
    expect(staleRows(files.map(({ path }) => path))).toEqual([]);
  });

  test("has no way to write to a meter", () => {
    expect(files.flatMap(modbusWriteFindings)).toEqual([]);
  });

  test("holds no path of this machine, no registry host, no test run alone and no work left for later", () => {
    expect(files.flatMap((file) => strayFindings(file, machinePaths()))).toEqual([]);
  });

  test("has the folders of the architecture, each with a README", () => {
    const folders = readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !SKIPPED.has(entry.name) && !/^\.|^docs$/.test(entry.name))
      .map(({ name }) => name);
    expect(folders.sort()).toEqual([...TOP_FOLDERS].sort());
    expect(folders.filter((name) => !existsSync(join(root, name, "README.md")))).toEqual([]);
  });

  test("allows no package that package.json does not name", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(PACKAGES_ALLOWED.filter((name) => !(name in { ...dependencies, ...devDependencies }))).toEqual([]);
  });

  test("is all read: the walk finds each kind of file", () => {
    const paths = files.map(({ path }) => path);
    for (const path of ["core/ports.ts", "cloud/web/main.tsx", "package-lock.json", "README.md", ".ci/run"]) {
      expect(paths).toContain(path);
    }
  });
});

describe("imports", () => {
  const imports = (path: string, specifier: string): Finding[] =>
    importFindings({ path, text: `\nimport { x } from "${specifier}";\n` });

  test.each([
    ["core/a/b.ts", "../units/units.ts"],
    ["drivers/modbus/client.ts", "node:net"],
    ["drivers/modbus/client.ts", "modbus-serial"],
    ["agent/gateway.ts", "../drivers/define.ts"],
    ["cloud/main.ts", "../config/load.ts"],
    ["cloud/web/main.tsx", "react-dom/client"],
    ["cloud/web/parts/a.ts", "../../../core/units/units.ts"],
    ["hw-sim/sim.ts", "../drivers/define.ts"],
    ["cli/main.ts", "../agent/main.ts"],
    ["test/sim/world.ts", "../../cli/main.ts"],
    ["build.ts", "./cli/webBuild.ts"],
  ])("%s may import %s", (path, specifier) => {
    expect(imports(path, specifier)).toEqual([]);
  });

  test.each([
    ["core/a/b.ts", "node:fs", "core imports nothing"],
    ["core/a/b.ts", "zod", "core/ may import no package"],
    ["core/a/b.ts", "../../drivers/define.ts", "core/ may import nothing"],
    ["drivers/define.ts", "../config/load.ts", "drivers/ may import core/"],
    ["drivers/modbus/planner.ts", "node:net", "clients, stores, servers"],
    ["config/load.ts", "../drivers/define.ts", "config/ may import core/"],
    ["agent/gateway.ts", "../cloud/main.ts", "meet only in core/wire"],
    ["agent/uplink/a.ts", "mqtt", "agent/ may import no package"],
    ["cloud/store/store.ts", "../../agent/gateway.ts", "meet only in core/wire"],
    ["cloud/web/api.ts", "fastify", "cloud/web/ may import"],
    ["cloud/api/query.ts", "react", "cloud/ may import"],
    ["hw-sim/sim.ts", "../agent/gateway.ts", "hw-sim/ may import core/, drivers/"],
    ["agent/main.ts", "../cli/io/system.ts", "nothing imports cli/"],
    ["cli/main.ts", "../test/run.ts", "nothing imports test/"],
    ["agent/main.ts", "../build.ts", "nothing imports the root's programs"],
  ])("%s may not import %s", (path, specifier, way) => {
    const [finding, ...more] = imports(path, specifier);
    expect(more).toEqual([]);
    expect(finding).toMatch(new RegExp(`^${path}:2: `));
    expect(finding).toContain(way);
  });

  test("are seen in every form, each with its line", () => {
    const text = [
      'import type { A } from "./a.ts";',
      "import {",
      "  b,",
      '} from "./b.ts";',
      'export * from "./c.ts";',
      'import "./d.css";',
      'const e = () => import("./e.ts");',
      "type F = import('./f.ts').F;",
    ].join("\n");
    const seen = importsOf(text).sort((one, other) => one.line - other.line);
    expect(seen.map(({ specifier, line }) => `${line} ${specifier}`)).toEqual([
      "1 ./a.ts",
      "4 ./b.ts",
      "5 ./c.ts",
      "6 ./d.css",
      "7 ./e.ts",
      "8 ./f.ts",
    ]);
  });

  test("in comments are none", () => {
    expect(
      importsOf('// import "./a.ts";\n/*\nimport "./b.ts";\n*/\nconst glob = "**/*.ts"; import("./c.ts");'),
    ).toEqual([{ specifier: "./c.ts", line: 5 }]);
  });
});

describe("the machine", () => {
  const inAgent = (code: string): Finding[] =>
    machineFindings({ path: "agent/gateway.ts", text: `const a = 1;\n${code}` });

  test.each([
    "Date.now()",
    "const now = Date.now;",
    "new Date()",
    "new Date",
    "performance.now()",
    "process.hrtime.bigint()",
    "setTimeout(run, 5)",
    "globalThis.setInterval(run, 5)",
    "setImmediate(run)",
    "Math.random()",
    "crypto.randomUUID()",
    "crypto.getRandomValues(bytes)",
    "process.env.HOME",
    "console.log(1)",
    'await fetch("http://127.0.0.1")',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the violation is inside a template.
    "const s = `${Date.now()}`;",
  ])("is found: %s", (code) => {
    const findings = inAgent(code);
    expect(findings).not.toEqual([]);
    for (const finding of findings) expect(finding).toMatch(/^agent\/gateway\.ts:2: .*core\/ports\.ts/);
  });

  test.each([
    "new Date(at_ms)",
    "clock.now_ms()",
    "timers.setTimeout(run, 5)",
    "socket.setTimeout(5)",
    "this.#process(sample)",
    "// Date.now() is the clock's business",
    '"performance.now()"',
    "const retry = { fetch: 1, performance: 2 };",
  ])("is not found: %s", (code) => {
    expect(inAgent(code)).toEqual([]);
  });

  test("is free to the composition root, the listed files and, for randomness, the tests", () => {
    for (const path of ["cli/io/system.ts", "drivers/modbus/client.ts", "cloud/web/io.ts", "test/run.ts"]) {
      expect(machineFindings({ path, text: "setTimeout(run, Date.now() + Math.random());" })).toEqual([]);
    }
    expect(machineFindings({ path: "test/core/a.test.ts", text: "Math.random(); process.env.A;" })).toEqual([]);
  });

  test("does not wait in tests", () => {
    expect(
      machineFindings({ path: "test/core/a.test.ts", text: "await new Promise((r) => setTimeout(r, 50));" }),
    ).toEqual(["test/core/a.test.ts:1: setTimeout; tests own their clock: use Timers (core/ports.ts)"]);
  });
});

test.each([
  "client.writeRegister(1, 2)",
  "writeCoils",
  "writeMultipleRegisters",
  "client.writeFC16()",
  "case FC6:",
  "maskWrite",
])("a write to a meter is found: %s", (text) => {
  expect(modbusWriteFindings({ path: "drivers/modbus/client.ts", text })).toHaveLength(1);
});

test("what belongs to one machine or one moment is found", () => {
  const stray = (path: string, text: string) => strayFindings({ path, text }, ["/srv/house"]);
  expect(stray("a.md", "\nsee /srv/house/a.md")[0]).toMatch(/^a\.md:2: \/srv\/house: a path/);
  expect(stray("a.md", "see /srv/houses and x/srv/house")).toEqual([]);
  expect(stray(".npmrc", `=https://${"registry"}.npmjs.org/`)).toHaveLength(1);
  expect(stray("a.ts", `// ${"TO"}${"DO"}: later`)).toHaveLength(1);
  expect(stray("a.test.ts", `test.on${"ly"}("x", run)`)).toHaveLength(1);
  expect(stray("package-lock.json", '"resolved": "https://example.org/a.tgz"')).toHaveLength(1);
  expect(stray("package-lock.json", '"version": "1.0.0"')).toEqual([]);
});

test("a row of the exceptions that matches nothing is found", () => {
  expect(staleRows(["config/io.ts"]).join("\n")).toContain("matches no file");
  expect(staleRows(["config/io.ts"]).join("\n")).not.toContain("config\\/io");
});

function textFiles(folder: string): TextFile[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : textFiles(path);
    return TEXT.test(`/${path}`) ? [{ path, text: readFileSync(join(root, path), "utf8") }] : [];
  });
}

/** The home folder, and the checkout with what lies beside it - unless that is the root of the disk with everybody's /etc. */
function machinePaths(): string[] {
  const parent = dirname(root);
  const beside = parent === "/" ? [] : readdirSync(parent).map((name) => join(parent, name));
  return [...beside, homedir()].filter((path) => path !== "/");
}
