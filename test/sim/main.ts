/**
 * `npm run sim -- --seed N [--hours H] [--runs K]`: worlds with random faults, from one seed each. Exit code 1 if one of
 * them went wrong: seed, commit and the command that runs it again are printed.
 */
import { parseArgs } from "node:util";
import { GROUPS, KINDS, kindsNamed } from "./kinds.ts";
import { mutate } from "./mutate.ts";
import { MUTATIONS } from "./mutations.ts";
import { failureOf, lineOf } from "./report.ts";
import { runSeed } from "./run.ts";
import { SEED_MAX } from "./seeds.ts";

const HELP = `npm run sim -- [--seed N] [--hours H] [--runs K] [--faults a,b] [--first] [--trace LINES]
npm run sim -- --mutate NAME|all

  --seed N       first seed (default 1)
  --hours H      virtual hours with faults (default 2)
  --runs K       so many seeds, one after another (default 1)
  --faults a,b   only these kinds, or all of one of ${Object.keys(GROUPS).join(", ")}:
                 ${Object.values(GROUPS)
                   .map((kinds) => kinds.join(" "))
                   .join("\n                 ")}
  --first        stop at the first seed that goes wrong
  --mutate NAME  break a copy of the tree on purpose and see that seeds find it within a minute of CPU:
                 ${Object.keys(MUTATIONS).join(" ")}
  --trace LINES  print the end of the trace also when nothing is wrong
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = optionsOf(args);
  if (typeof options === "string") {
    process.stderr.write(options === HELP ? HELP : `${options}\n\n${HELP}`);
    return options === HELP ? 0 : 2;
  }
  const { seed, runs, hours, kinds, trace, mutation } = options;
  if (mutation !== undefined) return mutate(mutation, (line) => void process.stdout.write(`${line}\n`));
  let failed = 0;
  for (let i = 0; i < runs; i++) {
    const began = process.cpuUsage();
    const run = { seed: seed + i, hours, ...(kinds === undefined ? {} : { kinds }) };
    const result = await runSeed(run);
    const { user, system } = process.cpuUsage(began);
    process.stdout.write(`${lineOf(result, (user + system) / 1e6)}\n`);
    if (result.findings.length > 0) {
      failed += 1;
      process.stdout.write(failureOf(run, result));
    }
    if (failed > 0 && options.isFirst) break;
    if (trace > 0) process.stdout.write(`${result.tail.slice(-trace).join("\n")}\n`);
  }
  if (runs > 1) process.stdout.write(`${runs - failed} of ${runs} seeds are right\n`);
  return failed === 0 ? 0 : 1;
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
      first: { type: "boolean" },
      mutate: { type: "string" },
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
  readonly isFirst: boolean;
  readonly mutation: string | undefined;
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
    isFirst: values.first === true,
    mutation: values.mutate,
  };
  if (!Number.isInteger(options.seed) || options.seed < 0 || options.seed > SEED_MAX)
    return `--seed ${values.seed}: a whole number from 0 to ${SEED_MAX}`;
  if (!(options.hours > 0 && options.hours <= 10_000))
    return `--hours ${values.hours}: a number above 0, at most 10000`;
  if (!Number.isInteger(options.runs) || options.runs < 1) return `--runs ${values.runs}: a whole number from 1 up`;
  if (!Number.isInteger(options.trace) || options.trace < 0) return `--trace ${values.trace}: a whole number of lines`;
  const unknown = kindsNamed(options.kinds ?? []).find((kind) => !KINDS.includes(kind));
  return unknown === undefined ? options : `--faults ${unknown}: there is no such kind`;
}
