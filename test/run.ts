/**
 * `npm test`: format and lint, types, the page, all tests. `npm test -- NAME` runs the tests whose file names hold NAME.
 *
 * The steps run two at a time, the tests after them on both cores. A step that passes says so in one line and nothing
 * else; warnings fail. The last line is `N passed, N failed, N skipped`: the tests and the steps together.
 */
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isRequired, pathOf, SERVICES, type Service } from "./services.ts";
import type { Totals } from "./totals.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (path: string): string => join(root, "node_modules", path);

interface Step {
  readonly name: string;
  readonly args: readonly string[];
}

const TSC = bin("typescript/bin/tsc");

const STEPS: readonly Step[] = [
  { name: "format, lint", args: [bin("@biomejs/biome/bin/biome"), "check", "--error-on-warnings", "."] },
  { name: "types", args: [TSC, "--noEmit", "-p", "tsconfig.json"] },
  { name: "types of the page", args: [TSC, "--noEmit", "-p", "cloud/web/tsconfig.json"] },
  { name: "the page", args: ["build.ts", "web"] },
];

const services = Object.keys(SERVICES) as Service[];
const missing = services.filter((service) => pathOf(service) === null);

const steps = await runSteps(STEPS);
const tests = await runTests(process.argv.slice(2));
for (const service of missing) say(`${isRequired ? "FAILED" : "skipped"}: needs ${service}`);

const passed = steps.passed + tests.passed;
const failed = steps.failed + tests.failed + (isRequired ? missing.length : 0);
say(`${passed} passed, ${failed} failed, ${tests.skipped} skipped`);
process.exitCode = failed === 0 ? 0 : 1;

async function runSteps(all: readonly Step[]): Promise<Totals> {
  const waiting = [...all];
  let passed = 0;
  const worker = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      if (await runStep(step)) passed++;
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  return { passed, failed: all.length - passed, skipped: 0 };
}

/** Its output is shown only if it fails. */
function runStep({ name, args }: Step): Promise<boolean> {
  const start_ms = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const output: Buffer[] = [];
  child.stdout.on("data", (part) => output.push(part));
  child.stderr.on("data", (part) => output.push(part));
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const took = `${((performance.now() - start_ms) / 1000).toFixed(1)} s`;
      say(code === 0 ? `ok      ${name.padEnd(18)} ${took}` : `FAILED  ${name}\n${Buffer.concat(output)}`);
      resolve(code === 0);
    });
  });
}

function runTests(filters: readonly string[]): Promise<Totals> {
  const reporters = ["--reporter=minimal", `--reporter=${join(root, "test/totals.ts")}`];
  const child = spawn(process.execPath, [bin("vitest/vitest.mjs"), "run", ...reporters, ...filters], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  let totals: Totals | null = null;
  child.on("message", (message) => {
    totals = message as Totals;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => {
      const { passed, failed, skipped } = totals ?? { passed: 0, failed: 0, skipped: 0 };
      // vitest may also fail without a failed test: no test found, a crash.
      resolve({ passed, failed: code === 0 ? failed : Math.max(1, failed), skipped });
    });
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
