import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTATIONS, type Mutation } from "./mutations.ts";
import { NODE_FLAGS } from "./nodeFlags.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDERS = ["core", "drivers", "config", "agent", "cloud", "hw-sim", "test/sim", "test/truth", "package.json"];
const HOURS = 0.5;
/** Broken code must be found within this processor time; other work on the machine does not count. */
const LIMIT_S = 60;
/** Nothing takes so long, however busy the machine is. */
const LONGEST_MS = 15 * 60_000;
const SEEDS_MAX = 1000;

/** Breaks copies of the tree, one way each, and runs seeds on them. @returns the exit code: 1 if one was not found. */
export async function mutate(name: string, out: (line: string) => void): Promise<number> {
  const names = name === "all" ? Object.keys(MUTATIONS) : [name];
  let missed = 0;
  for (const one of names) {
    const mutation = MUTATIONS[one];
    if (mutation === undefined) {
      out(`--mutate ${one}: there is no such mutation; there are: all ${Object.keys(MUTATIONS).join(" ")}`);
      return 2;
    }
    const said = await tryMutation(mutation);
    if (said.startsWith("NOT")) missed += 1;
    out(`${one} (${mutation.what}): ${said}`);
  }
  if (names.length > 1) out(`${names.length - missed} of ${names.length} mutations found`);
  return missed === 0 ? 0 : 1;
}

async function tryMutation({ edits, ...run }: Mutation): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-mutation-"));
  try {
    for (const folder of FOLDERS) cpSync(join(ROOT, folder), join(dir, folder), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));
    for (const { file, from, to } of edits) {
      const text = readFileSync(join(dir, file), "utf8");
      if (text.split(from).length !== 2) return `NOT tried: ${file} does not hold once: ${from.trim()}`;
      writeFileSync(
        join(dir, file),
        text.replace(from, () => to),
      );
    }
    return await found(dir, run);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function found(dir: string, { kinds, seed = 1 }: Pick<Mutation, "kinds" | "seed">): Promise<string> {
  const faults = kinds === undefined ? [] : ["--faults", kinds.join(",")];
  const runs = ["--seed", String(seed), "--runs", String(SEEDS_MAX), "--hours", String(HOURS), "--first"];
  const args = [...NODE_FLAGS, "test/sim/main.ts", ...runs, ...faults];
  const child = spawn(process.execPath, args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const take = (part: Buffer): void => {
    text += part;
    if (cpu_s(text) > LIMIT_S) child.kill();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const timer = setTimeout(() => child.kill(), LONGEST_MS);
  return new Promise((resolve) => {
    child.on("close", () => {
      clearTimeout(timer);
      const took = `${cpu_s(text).toFixed(0)} s CPU`;
      const seed = /^seed (\d+) WRONG/m.exec(text)?.[1];
      const finding = /^ {2}(\w+) at .*$/m.exec(text)?.[0].trim();
      const seeds = text.match(/^seed /gm)?.length ?? 0;
      if (seed === undefined) resolve(`NOT found by ${seeds} seeds in ${took} ${seeds === 0 ? text.slice(-2000) : ""}`);
      else resolve(`found by seed ${seed} in ${took}: ${finding?.slice(0, 240) ?? "?"}`);
    });
  });
}

/** Of the seeds that were run: what `lineOf` says of each. */
function cpu_s(text: string): number {
  let sum_s = 0;
  for (const [, own_s] of text.matchAll(/^seed .* ([\d.]+) s CPU$/gm)) sum_s += Number(own_s);
  return sum_s;
}
