import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, Record<string, string>>;
const readme = readFileSync(join(root, "README.md"), "utf8");
const PINNED = "26.10.0";
const ALL = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };

/** As a person's shell has it: without what npm and vitest put in front. */
const ownPath = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !/node_modules|node-gyp-bin/.test(folder))
  .join(delimiter);

/** npm's settings of an outer `npm test` are no settings of a person. */
const ownEnvironment = Object.fromEntries(
  Object.entries({ ...process.env, PATH: ownPath }).filter(
    ([name]) => !/^npm_(?!config_(cache|prefix|userconfig))|^NODE/.test(name),
  ),
);

function run(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { cwd: root, env: ownEnvironment, encoding: "utf8", stdio: "pipe" }).trim();
}

test("tests run on the pinned Node", () => {
  expect(process.version).toBe(`v${PINNED}`);
});

test("every platform's runtime is the pinned one", () => {
  expect(Object.keys(manifest.optionalDependencies!)).toHaveLength(4);
  for (const version of Object.values(manifest.optionalDependencies!)) expect(version).toBe(PINNED);
});

test("npm runs scripts on the pinned Node, whatever Node the machine has", () => {
  expect(run("npm", ["exec", "--offline", "-c", "node --version"])).toBe(`v${PINNED}`);
});

test("npm run -s khuxanh prints its version and nothing else", () => {
  expect(run("npm", ["run", "-s", "khuxanh", "--", "--version"])).toBe(manifest.version);
});

test("dependencies are exact versions", () => {
  for (const [name, version] of Object.entries(ALL)) expect(`${name} ${version}`).toMatch(/ \d+\.\d+\.\d+$/);
});

test("the lock file holds what package.json asks for", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
    expect(lock.packages[""][kind]).toEqual(manifest[kind]);
  }
});

test("each dependency has a line in README that says why, and none is there without being one", () => {
  const section = readme.split("\n## ").find((text) => text.startsWith("Dependencies")) ?? "";
  const rows = [...section.matchAll(/^\| `([^`]+)` \| .+ \| .{10,} \|$/gm)].map(([, name]) => name);
  expect(rows.sort()).toEqual(Object.keys(ALL).sort());
});

test("README's commands are the commands", () => {
  const help = run("npm", ["run", "-s", "khuxanh", "--", "--help"]);
  const commands = [...help.matchAll(/^ {2}(\w+) {2,}\S/gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== "khuxanh");
  const rows = [...readme.matchAll(/^\| `khuxanh (\w+)[^|]*(?:\\\|[^|]*)*\|/gm)].map(([, name]) => name!);
  expect(commands.length).toBeGreaterThan(5);
  expect(rows.sort()).toEqual(commands.sort());
});

test("README names no file that does not exist", () => {
  const named = [...readme.matchAll(/`((?:core|drivers|config|agent|cloud|hw-sim|cli|test|flows)\/[\w./-]*)`/g)];
  const missing = named.map(([, path]) => path!).filter((path) => !existsSync(join(root, path)));
  expect(named.length).toBeGreaterThan(15);
  expect(missing).toEqual([]);
});
