/**
 * `npm run sim -- --seed N [--hours H] [--runs K]`: worlds with random faults, from one seed each. Exit code 1 if one of
 * them went wrong: seed, commit and the command that runs it again are printed.
 */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { FAULTS } from "./episodes.ts";
import { type RunResult, runSeed } from "./run.ts";

const HELP = `npm run sim -- [--seed N] [--hours H] [--runs K] [--faults a,b] [--trace LINES]

  --seed N       first seed (default 1)
  --hours H      virtual hours with faults (default 2)
  --runs K       so many seeds, one after another (default 1)
  --faults a,b   only these kinds: ${Object.keys(FAULTS).join(" ")}
  --trace LINES  print the end of the trace also when nothing is wrong
`;

const SEED_MAX = 2 ** 32 - 1;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === "string") {
    process.stderr.write(options === HELP ? HELP : `${options}\n\n${HELP}`);
    return options === HELP ? 0 : 2;
  }
  const { seed, runs, hours, kinds, trace } = options;
  let failed = 0;
  for (let i = 0; i < runs; i++) {
    const began = process.cpuUsage();
    const run = { seed: seed + i, hours, ...(kinds === undefined ? {} : { kinds }) };
    const result = await runSeed(run);
    const { user, system } = process.cpuUsage(began);
    process.stdout.write(`${lineOf(result, (user + system) / 1e6)}\n`);
    if (result.findings.length > 0) {
      failed += 1;
      process.stdout.write(failureOf(result, args, run.seed));
    }
    if (trace > 0) process.stdout.write(`${result.tail.slice(-trace).join("\n")}\n`);
  }
  if (runs > 1) process.stdout.write(`${runs - failed} of ${runs} seeds are right\n`);
  return failed === 0 ? 0 : 1;
}

function lineOf(result: RunResult, cpu_s: number): string {
  const { seed, hash, findings, episodes, events, virtual_ms, drained_ms, batches } = result;
  const verdict = findings.length === 0 ? "right" : "WRONG";
  const drained = drained_ms === null ? "not drained" : `drained in ${(drained_ms / 1000).toFixed(0)} s`;
  return (
    `seed ${seed} ${verdict} ${hash}: ${(virtual_ms / 3_600_000).toFixed(1)} h, ${episodes.length} faults, ` +
    `${batches} messages, ${events} events, ${drained}, ${cpu_s.toFixed(1)} s CPU`
  );
}

function failureOf({ findings, episodes, tail }: RunResult, args: readonly string[], seed: number): string {
  const first = findings[0]!;
  const before = episodes.filter(({ at_ms }) => at_ms <= first.at_ms);
  return [
    ...findings.map(({ checker, at_ms, what }) => `  ${checker} at ${(at_ms / 1000).toFixed(3)} s: ${what}`),
    "  faults before it:",
    ...before.map(
      ({ at_ms, lasts_ms, what }) => `    ${(at_ms / 1000).toFixed(1)} s for ${(lasts_ms / 1000).toFixed(1)} s ${what}`,
    ),
    "  the end of the trace:",
    ...tail.slice(-30).map((line) => `    ${line.slice(0, 300)}`),
    `  commit ${commit()}; again with: npm run sim -- ${againArgs(args, seed)}`,
    "",
  ].join("\n");
}

/** The same arguments, this one seed. */
function againArgs(args: readonly string[], seed: number): string {
  const { values } = parse(args);
  const hours = values.hours === undefined ? "" : ` --hours ${values.hours}`;
  const faults = values.faults === undefined ? "" : ` --faults ${values.faults}`;
  return `--seed ${seed}${hours}${faults}`;
}

function commit(): string {
  try {
    const git = (...of: string[]): string =>
      execFileSync("git", of, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return `${git("rev-parse", "--short", "HEAD")}${git("status", "--porcelain", "-uno") === "" ? "" : " with changes"}`;
  } catch {
    return "unknown";
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      seed: { type: "string" },
      hours: { type: "string" },
      runs: { type: "string" },
      faults: { type: "string" },
      trace: { type: "string" },
      help: { type: "boolean" },
    },
  });
}

interface Options {
  readonly seed: number;
  readonly hours: number;
  readonly runs: number;
  readonly trace: number;
  readonly kinds: readonly string[] | undefined;
}

/** @returns what is wrong with them, in words, if something is */
function optionsOf(args: readonly string[]): Options | string {
  let values: ReturnType<typeof parse>["values"];
  try {
    ({ values } = parse(args));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (values.help === true) return HELP;
  const options = {
    seed: Number(values.seed ?? 1),
    hours: Number(values.hours ?? 2),
    runs: Number(values.runs ?? 1),
    trace: Number(values.trace ?? 0),
    kinds: values.faults?.split(",").filter((kind) => kind !== ""),
  };
  if (!Number.isInteger(options.seed) || options.seed < 0 || options.seed > SEED_MAX)
    return `--seed ${values.seed}: a whole number from 0 to ${SEED_MAX}`;
  if (!(options.hours > 0 && options.hours <= 10_000))
    return `--hours ${values.hours}: a number above 0, at most 10000`;
  if (!Number.isInteger(options.runs) || options.runs < 1) return `--runs ${values.runs}: a whole number from 1 up`;
  if (!Number.isInteger(options.trace) || options.trace < 0) return `--trace ${values.trace}: a whole number of lines`;
  const unknown = options.kinds?.find((kind) => !Object.hasOwn(FAULTS, kind));
  return unknown === undefined ? options : `--faults ${unknown}: there is no such kind`;
}
