/** `npm run -s bench -- NAME [--json]`: one benchmark; without a name it lists them. Exit code 2 for an unknown name. */
import { parseArgs } from "node:util";
import { account, runAccount } from "./account.ts";
import { type Bench, type BenchResult, runBench } from "./contest.ts";
import { decode } from "./decode.ts";
import * as drain from "./drain.ts";
import * as gateway from "./gateway.ts";
import { journal, runJournal } from "./journal.ts";
import { modbus } from "./modbus.ts";
import * as poll from "./poll.ts";
import { runWire, wire } from "./wire.ts";
import * as world from "./world.ts";

interface Runnable {
  readonly summary: string;
  readonly limit: string;
  run(): Promise<BenchResult>;
}

const inTurn = (name: string, bench: Bench): Runnable => ({ ...bench, run: () => runBench(name, bench) });

const BENCHES: Readonly<Record<string, Runnable>> = {
  account: { ...account, run: runAccount },
  decode: inTurn("decode", decode),
  gateway: { ...gateway, run: () => gateway.runGateway((line) => process.stderr.write(`${line}\n`)) },
  journal: { ...journal, run: runJournal },
  modbus: inTurn("modbus", modbus),
  poll: { ...poll, run: poll.runPoll },
  drain: { ...drain, run: drain.runDrain },
  wire: { ...wire, run: runWire },
  world: { ...world, run: world.runWorld },
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: "boolean", default: false } },
    allowPositionals: true,
    strict: false,
  });
  const [name = ""] = positionals;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (bench === undefined) {
    process.stderr.write(`${name === "" ? "which benchmark?" : `there is no benchmark "${name}"`}\n${list()}`);
    return 2;
  }
  const result = await bench.run();
  process.stdout.write(values.json ? `${JSON.stringify(result)}\n` : table(result, bench));
  return 0;
}

function list(): string {
  return Object.entries(BENCHES)
    .map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}\n`)
    .join("");
}

function table({ ours, limit, ratio }: BenchResult, bench: Runnable): string {
  const names = [...new Set([ours, limit, ratio].flatMap((figures) => Object.keys(figures)))];
  const rows = names.map((name) => [name, ...[ours, limit, ratio].map((figures) => String(figures[name] ?? ""))]);
  const lines = [["", "ours", "limit", "ratio"], ...rows].map(
    ([name, ...figures]) => name!.padEnd(32) + figures.map((figure) => figure.padStart(14)).join(""),
  );
  return `${bench.summary}\nlimit: ${bench.limit}\n\n${lines.join("\n")}\n`;
}
