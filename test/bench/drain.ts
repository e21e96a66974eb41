import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Mosquitto, startMosquitto } from "../e2e/mosquitto.ts";
import { type BenchResult, machine, median } from "./contest.ts";
import { METERS, READINGS_A_BATCH } from "./drain/load.ts";

/**
 * A gateway that was cut off catches up: agent, Mosquitto and collector as three processes; from the first CONNECT to the last
 * confirmation in the agent's journal, while 50 meters go on being read every second.
 */
export const summary =
  "a backlog of a million readings through Mosquitto to committed and confirmed, live data going on";
export const limit =
  "messages of the same size from mqtt.js through the same Mosquitto to mqtt.js, each one row of node:sqlite, synced per 256 KiB";

const READINGS = 1_000_000;
const TURNS = 5;
/** Of a batch of 20 late readings, as Mosquitto carries it. */
const MESSAGE_BYTES = 500;
const TURN_MAX_MS = 300_000;

interface Drained {
  readonly readings_per_s: number;
  readonly live_p50_ms: number;
  readonly live_p99_ms: number;
  readonly agent_us_per_reading: number;
  readonly collector_us_per_reading: number;
  readonly resent: number;
}

export async function runDrain(): Promise<BenchResult> {
  const turns: { readonly ours: Drained; readonly limit: number }[] = [];
  for (let turn = 0; turn < TURNS; turn++) turns.push({ ours: await drainOnce(), limit: await bareOnce() });
  const of = (pick: (one: Drained) => number): number =>
    Number(median(turns.map(({ ours }) => pick(ours))).toPrecision(4));
  return {
    bench: "drain",
    ours: {
      readings_per_s: of((one) => one.readings_per_s),
      live_p50_ms: of((one) => one.live_p50_ms),
      live_p99_ms: of((one) => one.live_p99_ms),
      agent_us_per_reading: of((one) => one.agent_us_per_reading),
      collector_us_per_reading: of((one) => one.collector_us_per_reading),
      resent_batches: of((one) => one.resent),
    },
    limit: { readings_per_s: Number(median(turns.map(({ limit }) => limit)).toPrecision(4)) },
    ratio: {
      readings_per_s: Number(median(turns.map(({ ours, limit }) => ours.readings_per_s / limit)).toPrecision(3)),
    },
    turns: TURNS,
    machine: machine(),
  };
}

async function drainOnce(): Promise<Drained> {
  return await withBroker(async ({ url }, dir) => {
    const batches = READINGS / READINGS_A_BATCH;
    const agent = child("agent", url, dir, String(batches));
    const { last } = (await said(agent)) as { last: number };
    const collector = child("collector", url, dir, String(last));
    await said(collector);
    agent.send("go");
    const sent = (await said(agent)) as { elapsed_s: number; cpu_s: number; resent: number };
    collector.send("stop");
    const got = (await said(collector)) as { latencies_ms: number[]; cpu_s: number };
    await Promise.all([ended(agent), ended(collector)]);
    const latencies = got.latencies_ms.sort((a, b) => a - b);
    const quantile = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN;
    if (latencies.length < METERS) throw new Error("no live batch was committed while the backlog drained");
    return {
      readings_per_s: READINGS / sent.elapsed_s,
      live_p50_ms: quantile(0.5),
      live_p99_ms: quantile(0.99),
      agent_us_per_reading: (sent.cpu_s / READINGS) * 1e6,
      collector_us_per_reading: (got.cpu_s / READINGS) * 1e6,
      resent: sent.resent,
    };
  });
}

async function bareOnce(): Promise<number> {
  return await withBroker(async ({ url }, dir) => {
    const messages = READINGS / READINGS_A_BATCH;
    const receiver = child("bareReceiver", url, dir, String(messages));
    await said(receiver);
    const sender = child("bareSender", url, String(messages), String(MESSAGE_BYTES));
    await said(sender);
    sender.send("go");
    const { elapsed_s } = (await said(sender)) as { elapsed_s: number };
    receiver.send("stop");
    await Promise.all([ended(sender), ended(receiver)]);
    return READINGS / elapsed_s;
  });
}

async function withBroker<T>(work: (broker: Mosquitto, dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-bench-"));
  const broker = await startMosquitto();
  try {
    return await work(broker, dir);
  } finally {
    await broker.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const process of running) process.kill("SIGKILL");
});

function child(name: string, ...args: string[]): ChildProcess {
  const started = fork(fileURLToPath(new URL(`./drain/${name}.ts`, import.meta.url)), args);
  running.add(started);
  started.once("exit", () => running.delete(started));
  return started;
}

function said(from: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${from.spawnargs.at(-4)} says nothing`)), TURN_MAX_MS);
    from.once("message", (message) => {
      clearTimeout(timer);
      resolve(message);
    });
    from.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`${from.spawnargs.join(" ")} ended with ${code}`));
    });
  });
}

async function ended(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null) return;
  await new Promise((resolve) => process.once("exit", resolve));
}
