import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { keepSeed, seedFor } from "../../cli/demo/folder.ts";
import { tempDir } from "../e2e/harness.ts";
import { khuxanh, khuxanhRun } from "../e2e/processes.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A folder that does not exist yet. */
function newFolder(): string {
  const dir = tempDir();
  cleanups.push(dir.remove);
  return join(dir.path, "demo");
}

test("a new folder takes the seed asked for, or 1, and keeps it", () => {
  const folder = newFolder();
  expect(seedFor(folder, null)).toBe(1);
  expect(seedFor(folder, 2)).toBe(2);
  expect(existsSync(folder)).toBe(false);
  keepSeed(folder, 2);
  expect(JSON.parse(readFileSync(join(folder, "demo.json"), "utf8"))).toEqual({ format: 1, seed: 2 });
  expect(readdirSync(folder)).toEqual(["demo.json"]);
  expect([seedFor(folder, null), seedFor(folder, 2)]).toEqual([2, 2]);
});

test("a folder made before seeds were kept has seed 1", () => {
  const folder = newFolder();
  mkdirSync(join(folder, "zone"), { recursive: true });
  expect(seedFor(folder, null)).toBe(1);
  expect(() => seedFor(folder, 2)).toThrow("was made with --seed 1");
});

test.each(["", "{", "null", '{"format":2,"seed":1}', '{"format":1}', '{"format":1,"seed":"x"}'])(
  "a folder whose demo.json is %j is refused",
  (text) => {
    const folder = newFolder();
    mkdirSync(folder);
    writeFileSync(join(folder, "demo.json"), text);
    expect(() => seedFor(folder, null)).toThrow("[CONFIG_INVALID]");
  },
);

test("the demo goes on with its folder's seed and refuses another", { timeout: 120_000 }, async () => {
  const folder = newFolder();
  const start = (...args: string[]) => khuxanh("demo", "--port", "0", "--days", "0", "--data", folder, ...args);
  for (const seed of [["--seed", "2"], []]) {
    const demo = start(...seed);
    cleanups.push(() => demo.child.kill("SIGKILL"));
    await new Promise<void>((resolve) => {
      demo.child.stdout?.on("data", () => demo.stdout().includes("is running") && resolve());
    });
    demo.child.kill("SIGTERM");
    expect(await demo.exited).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, "demo.json"), "utf8"))).toEqual({ format: 1, seed: 2 });
  }
  const { code, stderr } = await khuxanhRun("demo", "--port", "0", "--data", folder, "--seed", "3");
  expect(code).toBe(2);
  expect(stderr).toContain(
    `${folder} was made with --seed 2; use that seed, or another --data folder [CONFIG_INVALID]`,
  );
});

test("a page port that is taken is refused before a folder is made", async () => {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  const folder = newFolder();
  const { code, stderr } = await khuxanhRun("demo", "--port", String(port), "--data", folder);
  expect(code).toBe(1);
  expect(stderr).toContain(`127.0.0.1:${port} cannot be listened on [PORT_TAKEN]`);
  expect(existsSync(folder)).toBe(false);
});
