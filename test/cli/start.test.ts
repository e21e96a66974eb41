import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

function node(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    timeout: 30_000,
    env: { ...process.env, ...env },
  });
}

test("an agent starts without Node's HTTP client, and without the MQTT library until its meters are asked", () => {
  const { stdout } = node([
    "--input-type=module",
    "-e",
    `await import("./cli/commands/agent.ts");
     const { createRequire } = await import("node:module");
     const files = Object.keys(createRequire(import.meta.url).cache);
     console.log(JSON.stringify([...files, ...process.moduleLoadList].filter((name) => /undici|[/]mqtt[/]/.test(name))));`,
  ]);
  expect(JSON.parse(stdout)).toEqual([]);
});

describe("the build", () => {
  let dir: string;
  const bin = () => join(dir, "dist/cli/bin.js");
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "khuxanh-test-"));
    for (const name of ["node_modules", "package.json"]) symlinkSync(join(root, name), join(dir, name));
    const { status, stdout, stderr } = node(["build.ts", "code", join(dir, "dist")]);
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
  }, 60_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each([
    ["--version"],
    ["--help"],
    ["models", "list"],
    ["models", "show", "eastron-sdm630"],
    ["check", "config/examples/agent.yaml", "--json"],
    ["check", "config/examples/collector.yaml", "--json"],
    ["calc", "config/examples/calc.yaml", "--json"],
    ["ledger", "--help"],
    ["nonsense"],
  ])("says what the sources say to: khuxanh %s %s", (...args) => {
    const built = node([bin(), ...args]);
    const sources = node(["cli/bin.ts", ...args]);
    expect({ ...built, pid: 0 }).toEqual({ ...sources, pid: 0 });
  });

  test("is few files", () => {
    const code = readdirSync(join(dir, "dist"), { recursive: true, encoding: "utf8" }).filter((file) =>
      file.endsWith(".js"),
    );
    expect(code.length).toBeLessThan(60);
    expect(code).toContain(join("cli", "bin.js"));
  });

  test("keeps compiled code where it is told to, for the next start", () => {
    const cache = join(dir, "cache");
    mkdirSync(cache);
    node([bin(), "models", "list"], { NODE_COMPILE_CACHE: cache });
    const kept = readdirSync(cache, { recursive: true, encoding: "utf8" });
    expect(kept.length).toBeGreaterThan(5);
  });

  test("starts as well where nothing can be kept", () => {
    const { status, stderr } = node([bin(), "models", "list"], { NODE_COMPILE_CACHE: join(bin(), "no-folder") });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });
});
