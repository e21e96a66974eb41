import { KhuXanhError } from "../../core/errors.ts";
import type { DeviceSettings } from "../../core/model/deviceDefinition.ts";
import type { MeterModel, Register, Sentinel } from "../../core/model/meterModel.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { doesNotFit, encodeRaw, encodeRegister, rawWriter, rolloverRaw } from "../../drivers/modbus/encode.ts";
import { countWorth, siteRatio, tickUnit } from "../../drivers/ratio.ts";
import { MINUTE_ms, TICKS_PER_THOUSAND, TICKS_PER_UNIT, totalWithin } from "../course/integral.ts";
import type { Cell, WrittenCell } from "./addressSpace.ts";
import { numberWriter, type ShownColumn } from "./numberRow.ts";
import type { CountedMinute, Gauge, Physics, SimCounter } from "./physics.ts";
import { stateCode } from "./stateCodes.ts";

/** Everything the encoding of one device needs beside its model. */
export interface Encoding {
  readonly physics: Physics;
  readonly settings: DeviceSettings;
  /** Exponent by the address (offset) of its register. */
  readonly exponents: ReadonlyMap<number, number>;
  /** Values of settings and identity registers, by register name. */
  readonly constants: Readonly<Record<string, number | string>>;
}

/**
 * A model's register as a cell, `base` added to its address.
 * @returns undefined when the simulator has no such quantity: the register then answers "no value", see `noValueCell`.
 * @throws {KhuXanhError} COUNTER_RESOLUTION_UNKNOWN when a counter's worth is not configured.
 */
export function registerCell(
  model: MeterModel,
  register: Register,
  base: number,
  encoding: Encoding,
): Cell | undefined {
  const content = contentOf(model, register, encoding);
  if (content === undefined) return undefined;
  if (typeof content === "function") return writtenCell(register, base, content);
  const { fc, address, words } = register;
  return { fc, address: base + address, words, divisible: false, shown: content };
}

/** The model's word for "no value": its sentinel, NaN in a float register, else 0. */
export function noValueCell(model: MeterModel, register: Register, base: number): WrittenCell {
  return writtenCell(register, base, fixed(noValueWords(register, model.sentinels)));
}

type Write = WrittenCell["write"];

function writtenCell({ fc, address, words, type }: Register, base: number, write: Write): WrittenCell {
  return { fc, address: base + address, words, divisible: type === "str", write };
}

function contentOf(model: MeterModel, register: Register, encoding: Encoding): Write | ShownColumn | undefined {
  const exponent = encoding.exponents.get(register.address);
  if (register.kind === "scale_exponent" && exponent !== undefined) return fixed(encodeRaw(register, exponent));
  const constant = encoding.constants[register.name];
  if (constant !== undefined) return fixed(constantWords(register, constant));
  const quantity = register.quantity;
  const counter = quantity === undefined ? undefined : encoding.physics.counters.get(quantity);
  if (counter !== undefined && QUANTITIES[quantity!].kind === "counter")
    return counterWriter(model, register, counter, encoding);
  return gaugeContent(model, register, encoding);
}

/** Serial numbers stand in registers of any width: text where it is text, the low digits where it is one word. */
function constantWords(register: Register, constant: number | string): Uint16Array {
  if (register.type === "str") return encodeRegister(register, String(constant));
  const fits = register.words > 1 || typeof constant === "string";
  return encodeRegister(register, fits ? constant : constant % 30_001);
}

/** Words that never change. */
export function fixed(words: Uint16Array): Write {
  return (_at_ms, out, at) => out.set(words, at);
}

/** Completed steps in integer registers, which wrap; the nearest float in float registers, which wrap with their integer twin. */
function counterWriter(model: MeterModel, register: Register, counter: SimCounter, encoding: Encoding): Write {
  const worth = ticksPerCount(register, encoding);
  if (register.type !== "f32" && register.type !== "f64") return stepCounterWriter(register, counter, worth);
  const twins = model.registers.filter(
    ({ quantity, kind }) => quantity === register.quantity && kind === register.kind,
  );
  const twin = twins.find((one) => rangeTicks(one, encoding) !== null);
  const range = twin === undefined ? null : rangeTicks(twin, encoding);
  return floatCounterWriter(register, counter, Number(worth.over) / Number(worth.under), range);
}

function floatCounterWriter(register: Register, counter: SimCounter, perTick: number, range: bigint | null): Write {
  const write = numberWriter(register);
  const plainMax = range === null || range > EXACT_MAX ? EXACT_MAX : Number(range) - 1;
  const exactly = (minute: CountedMinute, at_ms: number): number => {
    const total = totalWithin(minute, at_ms);
    return Number(range === null ? total : total % range);
  };
  let known: CountedMinute | undefined;
  let from_ms = Number.NaN;
  let total = 0;
  let perMs = 0;
  return (at_ms, out, at) => {
    if (known === undefined || !isWithinMinute(at_ms, from_ms)) {
      known = counter.minute(at_ms);
      from_ms = known.from_ms;
      total = Number(known.total);
      perMs = known.counted;
    }
    // Whole ticks below 2^53 add up exactly as doubles.
    const ticks = total + perMs * (Math.floor(at_ms) - from_ms);
    write((ticks <= plainMax ? ticks : exactly(known, at_ms)) * perTick, 1, out, at);
  };
}

function isWithinMinute(at_ms: number, from_ms: number): boolean {
  return at_ms >= from_ms && at_ms < from_ms + MINUTE_ms;
}

/** Below it doubles count one by one, and a quotient of two such numbers never rounds up to the next whole one. */
const EXACT_MAX = 2 ** 52;

/**
 * Steps = floor(ticks x over / under) modulo the register's range. Big integers are worked out once a minute; within it the
 * steps follow from what was left over then, in plain numbers as long as these are exact.
 */
function stepCounterWriter(register: Register, counter: SimCounter, { over, under }: Worth): Write {
  const modulus = rolloverRaw(register);
  const write = rawWriter(register);
  const divisor = Number(under);
  const range = Number(modulus);
  let known: CountedMinute | undefined;
  let from_ms = Number.NaN;
  let steps = 0;
  let rest = 0;
  let perMs = 0;
  let isPlain = false;
  const exactly = (at_ms: number): bigint => ((counter.total(at_ms) * over) / under) % modulus;
  const begin = (minute: CountedMinute): void => {
    known = minute;
    from_ms = minute.from_ms;
    const scaled = minute.total * over;
    const whole = (scaled / under) % modulus;
    steps = Number(whole);
    rest = Number(scaled % under);
    perMs = minute.counted * Number(over);
    isPlain = under <= EXACT_MAX && whole <= EXACT_MAX && rest + perMs * MINUTE_ms <= EXACT_MAX && perMs >= 0;
  };
  return (at_ms, out, at) => {
    if (!isWithinMinute(at_ms, from_ms)) {
      const minute = counter.minute(at_ms);
      if (minute !== known) begin(minute);
    }
    const count = steps + Math.floor((rest + perMs * (Math.floor(at_ms) - from_ms)) / divisor);
    if (!isPlain) out.set(encodeRaw(register, exactly(at_ms)), at);
    else if (!write(count < range ? count : count % range, out, at)) throw doesNotFit(register, count);
  };
}

interface Worth {
  readonly over: bigint;
  readonly under: bigint;
}

/** count = ticks x over / under, exact. */
function ticksPerCount(register: Register, encoding: Encoding): Worth {
  const worth = countWorth(register, encoding.settings);
  if (worth === null || worth.digits <= 0n) {
    throw new KhuXanhError("COUNTER_RESOLUTION_UNKNOWN", `${register.name}: what one count is worth is not known`, {
      hint: "Set m3_per_count (or the ratio the model names) for this meter.",
      context: { register: register.name },
    });
  }
  const unit = register.quantity === undefined ? "Wh" : tickUnit(register.quantity);
  const perUnit = unit === "m3" || unit === "Nm3" ? TICKS_PER_THOUSAND : TICKS_PER_UNIT;
  const exponent = encoding.exponents.get(register.scale_exp_address ?? -1) ?? 0;
  return {
    over: 10n ** BigInt(worth.scale + Math.max(0, -exponent)),
    under: perUnit * worth.digits * 10n ** BigInt(Math.max(0, exponent)),
  };
}

/** Ticks after which an integer counter register begins again at 0; null for floats, which do not wrap. */
export function rangeTicks(register: Register, encoding: Encoding): bigint | null {
  if (register.type === "f32" || register.type === "f64") return null;
  const { over, under } = ticksPerCount(register, encoding);
  return (rolloverRaw(register) * under + over - 1n) / over;
}

function gaugeContent(model: MeterModel, register: Register, encoding: Encoding): Write | ShownColumn | undefined {
  const { gauges } = encoding.physics;
  const gauge = gauges.get(register.name) ?? gauges.get(register.quantity ?? register.name);
  if (gauge === undefined) return undefined;
  const empty = noValueWords(register, model.sentinels);
  const scaling = {
    exponent: encoding.exponents.get(register.scale_exp_address ?? -1) ?? 0,
    factor: register.site_factor === undefined ? 1 : (siteRatio(register.site_factor, encoding.settings) ?? 1),
  };
  const step = register.scale * 10 ** scaling.exponent * scaling.factor;
  const write = numberWriter(register);
  const states = register.kind === "status" ? codedStates(register, gauge) : gauge;
  const shown =
    register.coding === undefined ? states : CODINGS[register.coding](gauge, reactivePowerOf(register, gauges));
  if (shown.column !== undefined) return { register, column: shown.column, step };
  return (at_ms, out, at) => {
    const value = shown(at_ms);
    if (value === null) out.set(empty, at);
    else if (typeof value === "string") out.set(encodeRegister(register, value, scaling), at);
    else if (!write(value, step, out, at)) throw doesNotFit(register, Math.round(value / step));
  };
}

/** The maker's number of a state; no value where the model file does not tell it. */
function codedStates(register: Register, gauge: Gauge): Gauge {
  return (at_ms) => {
    const value = gauge(at_ms);
    return typeof value === "string" ? stateCode(register, value) : value;
  };
}

/**
 * Schneider's power factor: the sign tells the direction of active power, a magnitude above 1 a leading power factor.
 * Source: quirks of the PM5000 and iEM3000 model files.
 */
function fourQuadrant(powerFactor: Gauge, reactivePower: Gauge | undefined): Gauge {
  return (at_ms) => {
    const factor = powerFactor(at_ms);
    const reactive = reactivePower?.(at_ms);
    const isLeading = typeof reactive === "number" && typeof factor === "number" && reactive * factor < 0;
    return isLeading ? Math.sign(factor) * (2 - Math.abs(factor)) : factor;
  };
}

/**
 * The sign tells the kind of load: + capacitive, − inductive.
 * Source: quirks of the SDM630 model file; the capture in it has one phase of the first kind and two of the second.
 */
function capacitivePositive(powerFactor: Gauge, reactivePower: Gauge | undefined): Gauge {
  return (at_ms) => {
    const factor = powerFactor(at_ms);
    const reactive = reactivePower?.(at_ms);
    if (typeof reactive !== "number" || typeof factor !== "number") return factor;
    return reactive * factor > 0 ? -Math.abs(factor) : Math.abs(factor);
  };
}

function reactivePowerOf({ name }: Register, gauges: ReadonlyMap<string, Gauge>): Gauge | undefined {
  return gauges.get(name.replace("power_factor", "reactive_power")) ?? gauges.get("reactive_power_total");
}

const CODINGS = { four_quadrant: fourQuadrant, capacitive_positive: capacitivePositive } as const;

function noValueWords(register: Register, sentinels: readonly Sentinel[]): Uint16Array {
  const words = new Uint16Array(register.words);
  if (register.type === "str") return words;
  const written = sentinels.find(({ type }) => type === register.type)?.raw.split("..")[0];
  const bits =
    written ?? (register.type === "f32" ? "0x7FC00000" : register.type === "f64" ? "0x7FF8000000000000" : "0");
  const types = ["u16", "u32", "u64"] as const;
  const type = types[Math.log2(register.words)] ?? "u64";
  return encodeRaw({ type, words: register.words, word_order: register.word_order }, BigInt(bits));
}
