/**
 * `npm run build`: the production build under `dist/`. It stands in the root because it is the one program that reads all
 * folders and belongs to none.
 *
 * dist/cli        the code, `bin.js` and what its sub-commands load, with the two libraries inside that every start needs
 * dist/<folder>   the data files that the code finds beside itself
 * dist/web        the page
 * dist/look       tokens, fonts and icon of that page, for the gateway's own
 *
 * `node build.ts web` builds only the page; `node build.ts code DIR` builds only the code, into another folder.
 */
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { lookFiles, readLook } from "./cli/look.ts";
import { buildWeb } from "./cli/webBuild.ts";
import { parseYaml } from "./config/parse.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
const [what, folder] = process.argv.slice(2);
const dist = what === "code" && folder !== undefined ? resolve(folder) : join(root, "dist");

interface Data {
  readonly folder: string;
  readonly kinds: readonly string[];
  readonly asJson?: true;
}

/** Data read at run time: every file of these kinds in these folders travels with the code. */
const DATA: readonly Data[] = [
  { folder: "drivers/models", kinds: [".yaml"], asJson: true },
  { folder: "config/factors", kinds: [".yaml"], asJson: true },
  { folder: "config/tariffs", kinds: [".yaml"] },
  { folder: "config/examples", kinds: [".yaml"] },
  { folder: "config/schema", kinds: [".json"] },
  { folder: "agent/local/page", kinds: [".html", ".css", ".js"] },
  // The data's licence asks that its credit goes where the data goes.
  { folder: "hw-sim/profiles", kinds: [".csv", ".md"] },
];

if (what !== "web") {
  rmSync(dist, { recursive: true, force: true });
  await buildCode();
  for (const { folder, kinds, asJson } of DATA) copyData(folder, kinds, asJson === true);
  copyLook();
  chmodSync(join(dist, "cli/bin.js"), 0o755);
}
if (what !== "code") await buildWeb();

/**
 * Some 40 files instead of 500: each file costs a start half a millisecond and memory for as long as it runs. Other libraries
 * stay in node_modules, where they find their own files. Types are checked by `npm run types`, not here.
 */
async function buildCode(): Promise<void> {
  const from = join(root, "cli");
  await build({
    configFile: false,
    root,
    publicDir: false,
    logLevel: "warn",
    plugins: [
      {
        name: "own-place",
        /** Code that looks for files beside itself still means its own folder, as `dist/` has it too. */
        transform(code, id) {
          if (!code.includes("import.meta.url") || id.includes("node_modules")) return null;
          const place = relative(from, id).replaceAll("\\", "/").replace(/\.ts$/, ".js");
          const url = `new URL(${JSON.stringify(place)}, import.meta.url).href`;
          return { code: code.replaceAll("import.meta.url", url), map: null };
        },
      },
    ],
    // The third only because it must see the same zod.
    ssr: { noExternal: ["zod", "yaml", "fastify-type-provider-zod"] },
    build: {
      ssr: join(from, "bin.ts"),
      outDir: join(dist, "cli"),
      emptyOutDir: true,
      target: `node${process.versions.node}`,
      minify: false,
      sourcemap: true,
      rolldownOptions: { output: { entryFileNames: "bin.js", chunkFileNames: "[name].js" } },
    },
  });
}

/** `asJson`: under the same name, but as JSON, which is YAML that is read fifty times faster; every start reads these. */
function copyData(folder: string, kinds: readonly string[], asJson: boolean): void {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => kinds.includes(extname(name)))) {
    const to = join(dist, folder, file);
    if (!asJson) {
      cpSync(join(root, folder, file), to);
      continue;
    }
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, `${JSON.stringify(parseYaml(readFileSync(join(root, folder, file), "utf8"), file))}\n`);
  }
}

function copyLook(): void {
  mkdirSync(join(dist, "look"), { recursive: true });
  for (const name of lookFiles()) {
    const content = readLook(name);
    if (content === null) throw new Error(`the look has no ${name}`);
    writeFileSync(join(dist, "look", name), content);
  }
}
