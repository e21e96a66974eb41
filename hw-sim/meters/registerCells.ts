import { KhuXanhError } from "../../core/errors.ts";
import type { DeviceSettings } from "../../core/model/deviceDefinition.ts";
import type { MeterModel, Register, Sentinel } from "../../core/model/meterModel.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { encodeRaw, encodeRegister, rolloverRaw } from "../../drivers/modbus/encode.ts";
import { countWorth, siteRatio, tickUnit } from "../../drivers/ratio.ts";
import { TICKS_PER_THOUSAND, TICKS_PER_UNIT } from "../course/integral.ts";
import type { Cell } from "./addressSpace.ts";
import type { Gauges, Physics, SimCounter } from "./physics.ts";

/** Everything the encoding of one device needs beside its model. */
export interface Encoding {
  readonly physics: Physics;
  /** Gauges at an instant, computed once for all values of a read. */
  readonly gauges: (at_ms: number) => Gauges;
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
  const encode = encoderOf(model, register, encoding);
  return encode === undefined ? undefined : cell(register, base, encode);
}

/** The model's word for "no value": its sentinel, NaN in a float register, else 0. */
export function noValueCell(model: MeterModel, register: Register, base: number): Cell {
  const words = noValueWords(register, model.sentinels);
  return cell(register, base, () => words);
}

function cell(register: Register, base: number, encode: Cell["encode"]): Cell {
  const { fc, words, type } = register;
  return { fc, address: base + register.address, words, divisible: type === "str", encode };
}

function encoderOf(model: MeterModel, register: Register, encoding: Encoding): Cell["encode"] | undefined {
  const exponent = encoding.exponents.get(register.address);
  if (register.kind === "scale_exponent" && exponent !== undefined) return fixed(encodeRaw(register, exponent));
  const constant = encoding.constants[register.name];
  if (constant !== undefined) return fixed(constantWords(register, constant));
  const quantity = register.quantity;
  const counter = quantity === undefined ? undefined : encoding.physics.counters.get(quantity);
  if (counter !== undefined && QUANTITIES[quantity!].kind === "counter")
    return counterEncoder(register, counter, encoding);
  return gaugeEncoder(model, register, encoding);
}

/** Serial numbers stand in registers of any width: text where it is text, the low digits where it is one word. */
function constantWords(register: Register, constant: number | string): Uint16Array {
  if (register.type === "str") return encodeRegister(register, String(constant));
  const fits = register.words > 1 || typeof constant === "string";
  return encodeRegister(register, fits ? constant : constant % 30_001);
}

function fixed(words: Uint16Array): Cell["encode"] {
  return () => words;
}

/** Completed steps in integer registers, which wrap; the nearest float in float registers. */
function counterEncoder(register: Register, counter: SimCounter, encoding: Encoding): Cell["encode"] {
  const { over, under } = ticksPerCount(register, encoding);
  if (register.type === "f32" || register.type === "f64") {
    const perTick = Number(over) / Number(under);
    return (at_ms) => encodeRaw(register, Number(counter.total(at_ms)) * perTick);
  }
  const modulus = rolloverRaw(register);
  return (at_ms) => encodeRaw(register, ((counter.total(at_ms) * over) / under) % modulus);
}

/** count = ticks x over / under, exact. */
function ticksPerCount(register: Register, encoding: Encoding): { readonly over: bigint; readonly under: bigint } {
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

function gaugeEncoder(model: MeterModel, register: Register, encoding: Encoding): Cell["encode"] | undefined {
  const sample = encoding.gauges(SAMPLE_ms);
  const name = register.name in sample ? register.name : (register.quantity ?? register.name);
  if (!(name in sample)) return undefined;
  const empty = noValueWords(register, model.sentinels);
  const scaling = {
    exponent: encoding.exponents.get(register.scale_exp_address ?? -1) ?? 0,
    factor: register.site_factor === undefined ? 1 : (siteRatio(register.site_factor, encoding.settings) ?? 1),
  };
  const fourQuadrant = register.coding === "four_quadrant";
  return (at_ms) => {
    const gauges = encoding.gauges(at_ms);
    const value = gauges[name] ?? null;
    if (value === null) return empty;
    if (!fourQuadrant || typeof value === "string") return encodeRegister(register, value, scaling);
    return encodeRegister(register, fourQuadrantCode(value, gauges), scaling);
  };
}

/** Any instant at which a simulated meter stands: only the names of the gauges are looked at. */
const SAMPLE_ms = Date.UTC(2018, 6, 1);

/**
 * Schneider's power factor: the sign tells the direction of active power, a magnitude above 1 a leading power factor.
 * Source: quirks of the PM5000 and iEM3000 model files.
 */
function fourQuadrantCode(powerFactor: number, gauges: Gauges): number {
  const reactive = gauges.reactive_power_total;
  const leading = typeof reactive === "number" && reactive * powerFactor < 0;
  if (!leading) return powerFactor;
  return Math.sign(powerFactor) * (2 - Math.abs(powerFactor));
}

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
