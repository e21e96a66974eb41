/**
 * A process of its own that polls the meter server in one of three ways, a turn at a time, and says what CPU that took.
 * Arguments: the way, the server's port. No test library and no loader in it, so its memory is that of a poller.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import modbusSerial from "modbus-serial";
import { BusWorker } from "../../../agent/poll/busWorker.ts";
import { pollMeter } from "../../../agent/poll/meter.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { ModelLimits } from "../../../core/model/meterModel.ts";
import type { Sample } from "../../../core/reading/reading.ts";
import { openBus } from "../../../drivers/modbus/client.ts";
import { decodeSample } from "../../../drivers/modbus/decode.ts";
import { planFor, SERIAL_COST } from "../../../drivers/modbus/planner.ts";
import { floatMeter, limitsOf } from "./meters.ts";

export type Way = "ours" | "modbus-serial" | "socket";

/** What to do for how long. `flat-*`: one connection, one exchange after the other; `paced`: all meters on a shared tick. */
export type Task =
  | { readonly kind: "flat" | "flat-client" | "flat-decode"; readonly length_ms: number }
  | {
      readonly kind: "paced";
      /** Of ours: the drivers alone (planned blocks, client, decoder), or the gateway's scheduler as well. */
      readonly stack: "drivers" | "gateway";
      readonly meters: number;
      readonly registers: number;
      readonly blocks: number;
      readonly period_ms: number;
      readonly offset_ms: number;
      readonly ticks: number;
    };

export interface Spent {
  readonly exchanges: number;
  readonly values: number;
  readonly cpu_us: number;
  readonly elapsed_ms: number;
  readonly rss_bytes: number;
}

/** Reads one meter once; gives the number of values it brought. */
type Poll = () => Promise<number>;

const FLAT_REGISTERS = 60;
const FLAT_BATCH = 50;
const TIMEOUT_MS = 2000;
const [way, port] = [process.argv[2] as Way, Number(process.argv[3])];
const at = { host: "127.0.0.1", port };
const domain = { now_ms: () => Date.now(), mono_ms: () => performance.now() };
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

async function flatPoll(): Promise<Poll> {
  if (way === "ours") return oursFlat();
  const exchange = await exchangeOf(FLAT_REGISTERS);
  return async () => {
    await exchange(0);
    return FLAT_REGISTERS / 2;
  };
}

/** Planner's blocks → poll → client → decoder. */
function oursFlat(): Poll {
  const { definition, blocks, bus } = flatMeter();
  return async () => {
    const sample = await pollMeter(bus, { device: "meter", unit: 1, timeout_ms: TIMEOUT_MS }, blocks, domain);
    return readingsOf(definition, sample);
  };
}

let flat: ReturnType<typeof makeFlatMeter> | undefined;

function flatMeter() {
  flat ??= makeFlatMeter();
  return flat;
}

function makeFlatMeter() {
  const limits = limitsOf(FLAT_REGISTERS);
  const definition = floatMeter(FLAT_REGISTERS / 2, limits);
  const blocks = planFor(definition, limits).flatMap((group) => group.blocks);
  return { definition, blocks, bus: openBus({ kind: "tcp", ...at }) };
}

function readingsOf(definition: DeviceDefinition, sample: Sample | null): number {
  if (sample === null || sample.failures.length > 0)
    throw new Error(`poll failed: ${JSON.stringify(sample?.failures)}`);
  return decodeSample(definition, sample).length;
}

async function clientPoll(): Promise<Poll> {
  const { bus } = flatMeter();
  return async () => {
    const reply = await bus.read({ unit: 1, fc: 4, address: 0, count: FLAT_REGISTERS, timeout_ms: TIMEOUT_MS });
    if (reply.kind !== "words") throw new Error(reply.kind);
    return FLAT_REGISTERS / 2;
  };
}

/** The decoder alone, on the words of one poll. */
async function decodePoll(): Promise<Poll> {
  const { definition, blocks, bus } = flatMeter();
  const sample = await pollMeter(bus, { device: "meter", unit: 1, timeout_ms: TIMEOUT_MS }, blocks, domain);
  return async () => readingsOf(definition, sample);
}

/** One exchange of `count` registers on a connection of its own, without any of our code. */
async function exchangeOf(count: number): Promise<(address: number) => Promise<void>> {
  if (way === "socket") return bareExchange(count);
  const client = new modbusSerial.default();
  await client.connectTCP(at.host, { port });
  client.setID(1);
  client.setTimeout(TIMEOUT_MS);
  return async (address) => {
    const { data } = await client.readInputRegisters(address, count);
    if (data.length !== count) throw new Error(`${data.length} registers`);
  };
}

async function bareExchange(count: number): Promise<(address: number) => Promise<void>> {
  const socket: Socket = connect({ ...at, noDelay: true });
  await once(socket, "connect");
  let missing = 0;
  let done: () => void = () => {};
  socket.on("data", (part) => {
    missing -= part.length;
    if (missing === 0) done();
  });
  return (address) =>
    new Promise((resolve) => {
      missing = 9 + 2 * count;
      done = resolve;
      socket.write(Buffer.from([0, 1, 0, 0, 0, 6, 1, 4, address >> 8, address & 0xff, 0, count]));
    });
}

/** All meters once, each on its own connection. */
async function pacedPoll({ meters, registers, blocks, stack }: Extract<Task, { kind: "paced" }>): Promise<Poll> {
  const limits = limitsOf(registers / blocks);
  if (way === "ours")
    return stack === "drivers" ? driversPaced(meters, registers, limits) : gatewayPaced(meters, registers, limits);
  const count = registers / blocks;
  const exchanges = await Promise.all(Array.from({ length: meters }, () => exchangeOf(count)));
  return async () => {
    await Promise.all(
      exchanges.map(async (exchange) => {
        for (let block = 0; block < blocks; block++) await exchange(block * count);
      }),
    );
    return (meters * registers) / 2;
  };
}

function driversPaced(meters: number, registers: number, limits: ModelLimits): Poll {
  const definition = floatMeter(registers / 2, limits);
  const blocks = planFor(definition, limits).flatMap((group) => group.blocks);
  const lines = Array.from({ length: meters }, (_, i) => ({
    bus: openBus({ kind: "tcp", ...at }),
    definition: { ...definition, device: `m${i}` },
    meter: { device: `m${i}`, unit: 1, timeout_ms: TIMEOUT_MS },
  }));
  return async () => {
    const read = await Promise.all(
      lines.map(async (line) => readingsOf(line.definition, await pollMeter(line.bus, line.meter, blocks, domain))),
    );
    return read.reduce((sum, values) => sum + values, 0);
  };
}

/** As in a gateway, all lines share one clock. Each tick is a second of domain time, whatever time it takes here. */
const ticks = { now_ms: () => tick_ms, mono_ms: () => tick_ms };
let tick_ms = Date.UTC(2026, 0, 1);

/** The gateway's own way: a worker for each line, woken by the tick, and the samples decoded. */
function gatewayPaced(meters: number, registers: number, limits: ModelLimits): Poll {
  const definition = floatMeter(registers / 2, limits);
  let values = 0;
  const workers = Array.from({ length: meters }, (_, i) => {
    const id = `m${i}`;
    const map = {
      kind: "found" as const,
      definition: { ...definition, device: id },
      limits,
      cost: SERIAL_COST,
      learned: null,
      settings: null,
      isWhole: true,
    };
    return new BusWorker({
      id,
      sharedWith: [],
      url: `tcp://${at.host}:${port}`,
      bus: openBus({ kind: "tcp", ...at }),
      clock: ticks,
      log: SILENT,
      pause: async () => {},
      meters: [
        { device: id, unit: 1, timeout_ms: TIMEOUT_MS, model: "bench-floats", every_ms: 1000, min_gap_ms: 0, map },
      ],
      onSample: (_device, sample) => {
        values += readingsOf(map.definition, sample);
      },
      onLearned() {},
      onSettings() {},
      onAnswering() {},
    });
  });
  return async () => {
    tick_ms += 1000;
    const before = values;
    await Promise.all(workers.map((worker) => worker.wake()));
    return values - before;
  };
}

const polls = new Map<string, Poll>();

async function pollOf(task: Task): Promise<Poll> {
  const key = task.kind === "paced" ? JSON.stringify({ ...task, period_ms: 0, offset_ms: 0, ticks: 0 }) : task.kind;
  let poll = polls.get(key);
  if (poll === undefined) {
    const make = { flat: flatPoll, "flat-client": clientPoll, "flat-decode": decodePoll } as const;
    poll = task.kind === "paced" ? await pacedPoll(task) : await make[task.kind]();
    // The first poll connects.
    await poll();
    polls.set(key, poll);
  }
  return poll;
}

async function run(task: Task): Promise<Spent> {
  const poll = await pollOf(task);
  const start_ms = performance.now();
  const cpu = process.cpuUsage();
  let polled = 0;
  let values = 0;
  if (task.kind === "paced") {
    // A tick that comes late does not put off the next one.
    const first_ms = firstTick(task);
    for (; polled < task.ticks; polled++) {
      await until(first_ms + polled * task.period_ms);
      values += await poll();
    }
  } else {
    while (performance.now() - start_ms < task.length_ms) {
      for (let i = 0; i < FLAT_BATCH; i++) values += await poll();
      polled += FLAT_BATCH;
    }
  }
  const { user, system } = process.cpuUsage(cpu);
  return {
    exchanges: task.kind === "paced" ? polled * task.meters * task.blocks : polled,
    values,
    cpu_us: user + system,
    elapsed_ms: performance.now() - start_ms,
    rss_bytes: process.memoryUsage.rss(),
  };
}

function firstTick({ period_ms, offset_ms }: Extract<Task, { kind: "paced" }>): number {
  const now_ms = Date.now();
  return now_ms + period_ms - ((now_ms - offset_ms) % period_ms);
}

function until(at_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, at_ms - Date.now())));
}

process.on("message", (task: Task) => {
  run(task).then(
    (spent) => process.send!(spent),
    (error) => {
      process.stderr.write(`${(error as Error).stack}\n`);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit());
process.send!("ready");
