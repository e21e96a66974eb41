import { arch, availableParallelism, cpus, loadavg, platform } from "node:os";

/**
 * Ours against a limit: the least the machine must do for the same result, without checks, objects or names.
 * The two take turns in one process, so that what else runs on the machine meets both alike.
 */
export interface Contest {
  /** What a second of it holds, e.g. `encode_metrics_per_s`. */
  readonly name: string;
  /** Does a millisecond or so of work; returns how many units that were. */
  readonly ours: () => number | Promise<number>;
  readonly limit: () => number | Promise<number>;
}

/** One benchmark: contests that share a set-up. */
export interface Bench {
  readonly summary: string;
  /** What the limit is, in a sentence. */
  readonly limit: string;
  open(): Promise<{ readonly contests: readonly Contest[]; close(): Promise<void> }>;
}

export interface BenchResult {
  readonly bench: string;
  /** Medians, units per second. */
  readonly ours: Readonly<Record<string, number>>;
  readonly limit: Readonly<Record<string, number>>;
  /** Median of ours ÷ limit over the turns: 1 is as fast as the bare machine. */
  readonly ratio: Readonly<Record<string, number>>;
  readonly turns: number;
  readonly machine: Readonly<Record<string, string | number>>;
}

const TURNS = 7;
const TURN_MS = 250;

export async function runBench(name: string, bench: Bench): Promise<BenchResult> {
  const { contests, close } = await bench.open();
  const ours: Record<string, number> = {};
  const limit: Record<string, number> = {};
  const ratio: Record<string, number> = {};
  try {
    for (const contest of contests) {
      // A turn that is not counted lets the compiler warm up on both.
      await rate_per_s(contest.ours);
      await rate_per_s(contest.limit);
      const turns: { readonly ours: number; readonly limit: number }[] = [];
      for (let turn = 0; turn < TURNS; turn++) {
        turns.push({ ours: await rate_per_s(contest.ours), limit: await rate_per_s(contest.limit) });
      }
      ours[contest.name] = Math.round(median(turns.map((turn) => turn.ours)));
      limit[contest.name] = Math.round(median(turns.map((turn) => turn.limit)));
      ratio[contest.name] = Number(median(turns.map((turn) => turn.ours / turn.limit)).toPrecision(3));
    }
  } finally {
    await close();
  }
  return { bench: name, ours, limit, ratio, turns: TURNS, machine: machine() };
}

async function rate_per_s(work: () => number | Promise<number>): Promise<number> {
  const start_ms = performance.now();
  let units = 0;
  let elapsed_ms = 0;
  while (elapsed_ms < TURN_MS) {
    const done = work();
    units += typeof done === "number" ? done : await done;
    elapsed_ms = performance.now() - start_ms;
  }
  return (units / elapsed_ms) * 1000;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function machine(): BenchResult["machine"] {
  return {
    node: process.versions.node,
    platform: `${platform()}-${arch()}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    load_1min: Number(loadavg()[0]!.toFixed(2)),
  };
}
