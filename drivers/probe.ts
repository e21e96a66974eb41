/**
 * Reads every register of a model once, settings and identity included, without a configuration: transformer ratios that
 * no register tells count as 1, so such values are secondary-side.
 *
 * A block that raises an exception is read again register by register, so one bad address costs only itself. After two
 * lost replies in a row, or when the bus is gone, the rest is unread.
 */
import type { MeterModel, Register } from "../core/model/meterModel.ts";
import type { Bus, BusReply } from "../core/ports.ts";
import type { WordBlock } from "../core/reading/reading.ts";
import { type RegisterReading, readRegisters } from "./modbus/decode.ts";
import { type BlockRead, planReads } from "./modbus/planner.ts";
import { discover, resolveDiscovery } from "./sunspec/discover.ts";

export interface ProbeReading {
  /** Register name of the model file. */
  readonly name: string;
  /** In `unit`; text for strings and for counts beyond a double; null where the meter says "no value". */
  readonly value: number | string | null;
  readonly unit: string;
  readonly quality: "good" | "uncertain" | "bad";
}

export interface ProbeResult {
  readonly exchanges: number;
  readonly readings: readonly ProbeReading[];
  /** Registers without words: `exception 2`, `timeout`, `garbled: …`, `unreachable: …`, or why the SunSpec model is absent. */
  readonly unread: readonly { readonly name: string; readonly why: string }[];
}

export interface ProbeOptions {
  /** Default 1000. */
  readonly timeout_ms?: number;
  /** Waits the model's `min_gap_ms` between exchanges; without it they follow each other at once. */
  readonly wait?: (ms: number) => Promise<void>;
}

/** What one pass over a model's registers brought. */
export interface ModelReadings {
  readonly exchanges: number;
  /** In the order of the model file. */
  readonly readings: readonly RegisterReading[];
  readonly unread: readonly { readonly register: Register; readonly why: string }[];
}

/** Lost replies in a row after which the meter is taken for absent. */
const TIMEOUTS_MAX = 2;

/** @see {@link readModel}; told by register name, as `khuxanh probe --json` prints it. */
export async function probe(
  bus: Bus,
  unit: number,
  model: MeterModel,
  options: ProbeOptions = {},
): Promise<ProbeResult> {
  return probeResult(await readModel(bus, unit, model, options));
}

export function probeResult({ exchanges, readings, unread }: ModelReadings): ProbeResult {
  return {
    exchanges,
    readings: readings.map(({ register, value, quality }) => ({
      name: register.name,
      value,
      unit: register.unit,
      quality,
    })),
    unread: unread.map(({ register, why }) => ({ name: register.name, why })),
  };
}

/** Reads the registers of a model once. Never throws for what a device does. */
export async function readModel(
  bus: Bus,
  unit: number,
  model: MeterModel,
  { timeout_ms = 1000, wait }: ProbeOptions = {},
): Promise<ModelReadings> {
  const line = wait === undefined ? bus : paced(bus, model.timing.min_gap_ms, wait);
  if (model.discovery === undefined) return readAll(line, unit, model, timeout_ms, 0);

  const result = await discover(line, unit, model.discovery, timeout_ms);
  if (result.kind !== "found") {
    const why = result.kind === "absent" ? result.why : whyOf(result.reply);
    return {
      exchanges: result.exchanges,
      readings: [],
      unread: model.registers.map((register) => ({ register, why })),
    };
  }
  return readAll(line, unit, resolveDiscovery(model, result.found), timeout_ms, result.exchanges);
}

/** A bus that pauses before every read but the first. Source: RS-485 meters restart or fall silent when polled too fast. */
export function paced(bus: Bus, gap_ms: number, wait: (ms: number) => Promise<void>): Bus {
  let first = true;
  return {
    async read(request) {
      if (!first) await wait(gap_ms);
      first = false;
      return bus.read(request);
    },
    close: () => bus.close(),
    ...(bus.owed === undefined ? {} : { owed: bus.owed }),
  };
}

/** Words of a line that answers twice, or one question late, are nobody's. */
const OUT_OF_STEP = "garbled: its replies come twice or one question late";

async function readAll(
  bus: Bus,
  unit: number,
  model: MeterModel,
  timeout_ms: number,
  exchangesBefore: number,
): Promise<ModelReadings> {
  const queue: BlockRead[] = [...plan(model, model.registers)];
  const blocks: WordBlock[] = [];
  const unread = new Map<Register, string>();
  let exchanges = exchangesBefore;
  let lost = 0;
  const doubts = bus.owed?.doubts(unit);

  for (let block = queue.shift(); block !== undefined; block = queue.shift()) {
    const { fc, address, count, registers } = block;
    const reply = await bus.read({ unit, fc, address, count, timeout_ms });
    exchanges++;
    lost = reply.kind === "timeout" ? lost + 1 : 0;

    if (reply.kind === "words") blocks.push({ fc, address, words: reply.words });
    else if (reply.kind === "exception" && blamesRequest(reply.code) && registers.length > 1) {
      queue.unshift(...registers.flatMap((register) => plan(model, [register])));
    } else {
      for (const register of registers) unread.set(register, whyOf(reply));
      if (lost < TIMEOUTS_MAX && reply.kind !== "unreachable" && !isNobodyThere(reply)) continue;
      for (const left of queue.splice(0)) for (const register of left.registers) unread.set(register, whyOf(reply));
    }
  }

  const proof = blocks.length === 0 ? null : (bus.owed?.proof(unit) ?? null);
  if (proof !== null) {
    await bus.read({ ...proof, timeout_ms });
    exchanges++;
  }
  if (bus.owed?.doubts(unit) !== doubts) {
    blocks.length = 0;
    for (const register of model.registers) unread.set(register, OUT_OF_STEP);
  }

  const source = {
    device: model.id,
    registers: model.registers,
    sentinels: model.sentinels,
    settings: { ct_ratio: 1, vt_ratio: 1 },
  };
  const readings = readRegisters(source, blocks);
  // A block read for its neighbours may have brought a register whose own read failed.
  for (const { register } of readings) unread.delete(register);
  return { exchanges, readings, unread: [...unread].map(([register, why]) => ({ register, why })) };
}

function plan(model: MeterModel, registers: readonly Register[]): readonly BlockRead[] {
  return planReads(
    registers.map((register) => ({ register })),
    model.limits,
  );
}

/** The model with only the registers asked for and those they are scaled with. */
export function withRegisters(model: MeterModel, isWanted: (register: Register) => boolean): MeterModel {
  const wanted = model.registers.filter(isWanted);
  const isScale = (register: Register): boolean =>
    wanted.some(
      ({ fc, scale_exp_address, multiply_by = [], divide_by = [] }) =>
        (register.kind === "scale_exponent" && register.fc === fc && register.address === scale_exp_address) ||
        multiply_by.includes(register.name) ||
        divide_by.includes(register.name),
    );
  return { ...model, registers: model.registers.filter((register) => wanted.includes(register) || isScale(register)) };
}

/** Exceptions 1, 2 and 3 speak of the request: another one may do. The rest speak of the device. */
function blamesRequest(code: number): boolean {
  return code <= 3;
}

/** A gateway that has no way to the unit, or no answer from it (exceptions 0x0A, 0x0B): asking for other registers helps nobody. */
function isNobodyThere(reply: BusReply): boolean {
  return reply.kind === "exception" && (reply.code === 0x0a || reply.code === 0x0b);
}

function whyOf(reply: Exclude<BusReply, { readonly kind: "words" }>): string {
  if (isNobodyThere(reply) && reply.kind === "exception") {
    return `exception ${reply.code}: the gateway hears nothing from this unit`;
  }
  if (reply.kind === "exception") return `exception ${reply.code}`;
  return reply.kind === "timeout" ? "timeout" : `${reply.kind}: ${reply.detail}`;
}
