/**
 * `npm run build`: the production build under `dist/`. It stands in the root because it is the one program that reads all
 * folders and belongs to none.
 *
 * dist/<folder>   compiled code, with the data files that the code finds beside itself
 * dist/web        the page
 * dist/look       tokens, fonts and icon of that page, for the gateway's own
 *
 * `tsx build.ts web` builds only the page; `tsx build.ts code DIR` builds only the code, into another folder.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
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
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", dist], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
  for (const { folder, kinds, asJson } of DATA) copyData(folder, kinds, asJson === true);
  copyLook();
  chmodSync(join(dist, "cli/bin.js"), 0o755);
}
if (what !== "code") await buildWeb();

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
