import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type BenchResult, machine, median } from "./contest.ts";
import type { Spent, Task, Way } from "./poll/client.ts";
import { serialCycle } from "./poll/serialLine.ts";

export const summary = "polling: CPU per exchange flat out and paced, 100,000 values/s, serial arithmetic";
export const limit = "bare modbus-serial and a bare net.Socket doing the same exchanges in processes of their own";

const TURNS = 7;
const FLAT_MS = 200;
const WARM_UP_MS = 600;
const METERS = 50;
const PACED_REGISTERS = 120;
const TICKS = 2;
const PACED_TURNS_MIN = 11;
const PACED_WARM_UP = { period_ms: 8, ticks: 800 } as const;
const LOAD = { meters: 100, registers: 120, blocks: 1, period_ms: 59 } as const;
const LOAD_TICKS = 20;

/** CPU is that of the polling process alone: each way polls from a process of its own, the server has another. */
export async function runPoll(turns = TURNS): Promise<BenchResult> {
  const server = start("meterServer.ts", []);
  const clients: Partial<Record<Seat, ChildProcess>> = {};
  try {
    const [port] = await once(server, "message");
    for (const seat of ["ours", "gateway", "modbus-serial", "socket"] as const) {
      clients[seat] = start("client.ts", [seat === "gateway" ? "ours" : seat, String(port)]);
      await once(clients[seat], "message");
    }
    const ask = (way: Seat, task: Task): Promise<Spent> => asked(clients[way]!, task);
    const flat = await flatTurns(ask, turns);
    // A turn of it is two ticks: more turns, for what else runs on the machine weighs more.
    const paced = await pacedTurns(ask, Math.max(turns, PACED_TURNS_MIN));
    const load = await loadTurns(ask, turns);
    const line = await serialCycle();
    return {
      bench: "poll",
      ours: {
        flat_cpu_us: cpuOf(flat.ours),
        flat_client_cpu_us: cpuOf(flat.client),
        flat_decode_cpu_us: cpuOf(flat.decode),
        flat_plan_and_poll_cpu_us: round(Math.max(0, cpuOf(flat.ours) - cpuOf(flat.client) - cpuOf(flat.decode))),
        paced_cpu_us: cpuOf(paced.ours),
        paced_rss_MB: rssOf(paced.ours),
        paced_gateway_cpu_us: cpuOf(paced.gateway),
        paced_gateway_rss_MB: rssOf(paced.gateway),
        load_values_per_s: Math.round(median(load.map((turn) => (turn.values / turn.elapsed_ms) * 1000))),
        load_cpu_share: median(load.map(shareOf)),
        load_cpu_share_per_100k: median(load.map((turn) => round((turn.cpu_us / turn.values) * 0.1))),
        load_rss_MB: rssOf(load),
        serial_cycle_ms: Math.round(line.cycle_ms),
        serial_exchanges: line.exchanges,
      },
      limit: {
        flat_modbus_serial_cpu_us: cpuOf(flat.serial),
        flat_socket_cpu_us: cpuOf(flat.socket),
        paced_modbus_serial_cpu_us: cpuOf(paced.serial),
        paced_modbus_serial_rss_MB: rssOf(paced.serial),
        serial_wire_ms: Math.round(line.wire_ms),
        serial_one_by_one_ms: Math.round(line.single_ms),
      },
      ratio: {
        flat_to_modbus_serial: ratioOf(flat.ours, flat.serial),
        flat_to_socket: ratioOf(flat.ours, flat.socket),
        flat_client_to_modbus_serial: ratioOf(flat.client, flat.serial),
        paced_to_modbus_serial: ratioOf(paced.ours, paced.serial),
        paced_gateway_to_modbus_serial: ratioOf(paced.gateway, paced.serial),
        serial_cycle_to_wire: round(line.cycle_ms / line.wire_ms),
        serial_one_by_one_to_cycle: round(line.single_ms / line.cycle_ms),
      },
      turns,
      machine: machine(),
    };
  } finally {
    for (const child of [server, ...Object.values(clients)]) child.kill();
  }
}

/** The processes that poll; two of them our way. */
type Seat = Way | "gateway";

type Ask = (way: Seat, task: Task) => Promise<Spent>;

async function flatTurns(ask: Ask, turns: number) {
  const steps = [
    ["ours", "ours", "flat"],
    ["serial", "modbus-serial", "flat"],
    ["client", "ours", "flat-client"],
    ["socket", "socket", "flat"],
    ["decode", "ours", "flat-decode"],
  ] as const;
  const spent: Record<(typeof steps)[number][0], Spent[]> = {
    ours: [],
    serial: [],
    client: [],
    socket: [],
    decode: [],
  };
  for (const [, way, kind] of steps) await ask(way, { kind, length_ms: WARM_UP_MS });
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, way, kind] of steps) spent[name].push(await ask(way, { kind, length_ms: FLAT_MS }));
  }
  return spent;
}

/** What polls the paced meters: the drivers alone, the gateway's scheduler with them, and the bare library. */
const PACED = [
  ["ours", "ours", "drivers"],
  ["gateway", "gateway", "gateway"],
  ["serial", "modbus-serial", "drivers"],
] as const;

/** All poll the same meters in the same seconds, a third of a period apart, and change places every turn. */
async function pacedTurns(ask: Ask, turns: number) {
  const task = { kind: "paced", meters: METERS, registers: PACED_REGISTERS, blocks: 2, period_ms: 1000 } as const;
  const spent: Record<(typeof PACED)[number][0], Spent[]> = { ours: [], gateway: [], serial: [] };
  // As after an hour: the compiler has seen all of them, and as often as it saw those that were flat out before.
  for (const [, way, stack] of PACED) await ask(way, { ...task, stack, ...PACED_WARM_UP, offset_ms: 0 });
  for (let turn = 0; turn < turns; turn++) {
    const offset_ms = (place: number) => ((place + turn) % PACED.length) * (1000 / PACED.length);
    const all = PACED.map(([, way, stack], place) =>
      ask(way, { ...task, stack, ticks: TICKS, offset_ms: offset_ms(place) }),
    );
    for (const [place, one] of (await Promise.all(all)).entries()) spent[PACED[place]![0]].push(one);
  }
  return spent;
}

async function loadTurns(ask: Ask, turns: number): Promise<readonly Spent[]> {
  const task = { kind: "paced", ...LOAD, stack: "gateway", offset_ms: 0, ticks: LOAD_TICKS } as const;
  await ask("gateway", task);
  const spent: Spent[] = [];
  for (let turn = 0; turn < turns; turn++) spent.push(await ask("gateway", task));
  return spent;
}

/** Node alone: no loader, so that its memory and its time are not counted. */
function start(file: string, args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(new URL(`poll/${file}`, import.meta.url)), [...args], { execArgv: [] });
}

async function asked(child: ChildProcess, task: Task): Promise<Spent> {
  child.send(task);
  const done = new AbortController();
  const ended = once(child, "exit", { signal: done.signal }).then(([code]) =>
    Promise.reject(new Error(`a client ended with ${code}`)),
  );
  ended.catch(() => {});
  try {
    const [spent] = (await Promise.race([once(child, "message", { signal: done.signal }), ended])) as [Spent];
    return spent;
  } finally {
    done.abort();
  }
}

const perExchange_us = ({ cpu_us, exchanges }: Spent): number => cpu_us / exchanges;

function cpuOf(spent: readonly Spent[]): number {
  return round(median(spent.map(perExchange_us)));
}

/** Median of the turns' own ratios. */
function ratioOf(ours: readonly Spent[], others: readonly Spent[]): number {
  return round(median(ours.map((turn, i) => perExchange_us(turn) / perExchange_us(others[i]!))));
}

function shareOf({ cpu_us, elapsed_ms }: Spent): number {
  return round(cpu_us / 1000 / elapsed_ms);
}

function rssOf(spent: readonly Spent[]): number {
  return Math.round(median(spent.map(({ rss_bytes }) => rss_bytes)) / 1e6);
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
