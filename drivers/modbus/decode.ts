/**
 * Register words → values. Pure; the hot path of agent and collector.
 *
 * Units      gauges in the quantity's unit, counters in ticks (`CounterDefinition.tick`)
 * Source     MODBUS Application Protocol V1.1b3 §4.2 (big-endian registers); word orders, scales and sentinels are the
 *            model file's; SunSpec scale factors −10…10, 0x8000 = not implemented (SunSpec Information Model §3.5)
 * Order      sentinel (raw bits) → not-a-number → exponent and ratios → range → plausibility
 * Limits     counters up to 2^53−1 ticks, beyond is `out-of-range`; strings and registers without a quantity give no reading
 */
import { type Decimal, parseDecimal } from "../../core/emission/decimal.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { CounterDefinition, DeviceDefinition, DeviceSettings } from "../../core/model/deviceDefinition.ts";
import type { Register, Sentinel } from "../../core/model/meterModel.ts";
import type { QualityReason, Reading, Sample, WordBlock } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import { countWorth, exactText, gaugeWorth, type Ratio, ratioOf, registerWorth } from "../ratio.ts";

/** What a register holds before scale: a number, a bigint for 64-bit integers, text for `str`. */
export type RawValue = number | bigint | string;

/** The parts of a register that say how its words are read. */
export type RegisterShape = Pick<Register, "type" | "word_order" | "words">;

/** Raw value of a register whose first word is `words[offset]`; no scale, no sentinels. */
export function decodeRegister(register: RegisterShape, words: Uint16Array, offset: number): RawValue {
  if (register.type === "str") return textAt(words, offset, register.words);
  const little = register.word_order === "little";
  const high = register.words === 4 ? highBits(words, offset, little) : 0;
  const low = lowBits(words, offset, register.words, little);
  if (register.type === "u64") return (BigInt(high) << 32n) | BigInt(low);
  if (register.type === "i64") return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  return numberOfBits(register.type, high, low);
}

/** A decoder made once for a device definition; decoding looks nothing up by name. */
export interface Decoder {
  /**
   * Exactly one reading per polled quantity whose block was read, in address order of each block. Registers of blocks that
   * failed give none: `sample.failures` says why.
   */
  decode(sample: Sample): Reading[];
}

/** @throws {KhuXanhError} INTERNAL for a definition that contradicts itself; MODEL_INVALID for a ratio that is missing. */
export function compileDefinition(definition: DeviceDefinition): Decoder {
  const source = { ...definition, registers: definition.registers.map(({ register }) => register) };
  const scales = new ScaleRegisters(source);
  const slots = source.registers
    .filter((register) => register.quantity !== undefined && register.type !== "str")
    .map((register) => compileQuantity(definition, source, register, scales))
    .sort((a, b) => a.fc - b.fc || a.address - b.address);
  const twice = slots.find((slot, i) => slots.some((other, j) => j > i && other.quantity === slot.quantity));
  if (twice !== undefined) throw contradiction(source, `two registers carry ${twice.quantity}`);

  const scaleSlots = scales.slots();
  const scaleValues = new Float64Array(scaleSlots.length);
  return {
    decode(sample) {
      readScales(scaleSlots, sample.blocks, scaleValues);
      const readings: Reading[] = [];
      for (const block of sample.blocks) decodeBlock(slots, block, scaleValues, sample.at_ms, readings);
      return readings;
    },
  };
}

/** A register's value in the unit of the model file, whatever it is for. */
export interface RegisterReading {
  readonly register: Register;
  /** Text for `str` registers and for counts too big for a double (exact decimal text); null = no value. */
  readonly value: number | string | null;
  readonly quality: "good" | "uncertain" | "bad";
  readonly why: QualityReason | null;
}

/** What registers are read with. `device` names them in errors. */
export interface RegisterSource {
  readonly device: string;
  readonly registers: readonly Register[];
  readonly sentinels: readonly Sentinel[];
  readonly settings: DeviceSettings;
}

/** All registers that the blocks hold, once each, in the order of the model file; settings and identity included. */
export function readRegisters(source: RegisterSource, blocks: readonly WordBlock[]): RegisterReading[] {
  const scales = new ScaleRegisters(source);
  const slots = source.registers.map((register) => compileSlot(source, register, scales));
  const scaleSlots = scales.slots();
  const scaleValues = new Float64Array(scaleSlots.length);
  readScales(scaleSlots, blocks, scaleValues);
  return source.registers.flatMap((register, i) => {
    const block = blocks.find((candidate) => holds(candidate, register));
    return block === undefined ? [] : [registerReading(source, register, slots[i]!, block, scaleValues)];
  });
}

function registerReading(
  { settings }: RegisterSource,
  register: Register,
  slot: Slot,
  block: WordBlock,
  scales: Float64Array,
): RegisterReading {
  const offset = register.address - block.address;
  const raw = decodeRegister(register, block.words, offset);
  if (typeof raw === "string") return { register, value: raw, quality: "good", why: null };
  const value = scaledValue(slot, block.words, offset, scales);
  if (typeof value !== "number") return { register, value: null, quality: "bad", why: value };
  if (typeof raw === "bigint" && BigInt.asIntN(54, raw) !== raw) {
    return { register, value: exactText(raw, register.scale), quality: "good", why: null };
  }
  const { quantity } = register;
  const inItsUnit = quantity !== undefined && QUANTITIES[quantity].unit === register.unit;
  const bounds = inItsUnit ? boundsOf(quantity, settings) : null;
  const plausible = isBelievable(value, bounds);
  return { register, value, quality: plausible ? "good" : "uncertain", why: plausible ? null : "implausible" };
}

/**
 * Decodes with a decoder kept per definition object. Meters that are read alike (same registers, settings and counters) share
 * one: fifty meters of a model then need the processor's cache once, not fifty times.
 */
export function decodeSample(definition: DeviceDefinition, sample: Sample): Reading[] {
  return decoderOf(definition).decode(sample);
}

/** The decoder of {@link decodeSample}: asked for when a meter is defined, a contradiction is said then. @throws as {@link compileDefinition} */
export function decoderOf(definition: DeviceDefinition): Decoder {
  let decoder = compiled.get(definition);
  if (decoder === undefined) {
    decoder = sharedDecoder(definition);
    compiled.set(definition, decoder);
  }
  return decoder;
}

const compiled = new WeakMap<DeviceDefinition, Decoder>();
const shared = new Map<string, Decoder>();
/** The one longest known makes room; who has it keeps it. */
const SHARED_MAX = 64;

function sharedDecoder(definition: DeviceDefinition): Decoder {
  const { registers, sentinels, settings, counters } = definition;
  const key = JSON.stringify([registers, sentinels, settings, counters], (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  let decoder = shared.get(key);
  if (decoder === undefined) {
    decoder = compileDefinition(definition);
    for (const oldest of shared.keys()) if (shared.size >= SHARED_MAX) shared.delete(oldest);
    shared.set(key, decoder);
  }
  return decoder;
}

/** A register made ready for decoding: bits to compare, one fraction to scale with, bounds to believe. */
interface Slot {
  readonly fc: 3 | 4;
  readonly address: number;
  readonly words: number;
  readonly type: Register["type"];
  readonly little: boolean;
  /** Raw bits meaning "no value", as (high 32, lowest low 32, highest low 32) triples one after the other; null = none. */
  readonly sentinels: readonly number[] | null;
  /** What the raw value is multiplied with, and divided by. */
  readonly over: number;
  readonly under: number;
  /** Null: the ratio is all there is to it, as for most. */
  readonly scaling: Scaling | null;
}

/** What a register is scaled with beside its ratio. */
interface Scaling {
  /** Index of the exponent register among the scale registers; −1 = none. */
  readonly exponent: number;
  readonly multiplyBy: readonly number[];
  readonly divideBy: readonly number[];
  readonly fourQuadrant: boolean;
}

interface QuantitySlot extends Slot {
  readonly quantity: QuantityId;
  readonly counter: boolean;
  /** Greatest count a counter may show: below its modulus and exact in JSON and InfluxDB. */
  readonly countMax: number;
  readonly believable: Bounds | null;
}

interface Bounds {
  readonly low: number;
  readonly high: number;
  /** Exactly 0 is believable too: a dead phase. */
  readonly zero: boolean;
}

function compileQuantity(
  definition: DeviceDefinition,
  source: RegisterSource,
  register: Register,
  scales: ScaleRegisters,
): QuantitySlot {
  const quantity = register.quantity!;
  const slot = compileSlot(source, register, scales);
  if (QUANTITIES[quantity].kind === "gauge") {
    const ratio = needed(source, register, gaugeWorth(register, quantity, source.settings));
    return {
      ...slot,
      ...ratio,
      quantity,
      counter: false,
      countMax: 0,
      believable: boundsOf(quantity, source.settings),
    };
  }
  const counter = definition.counters.find((candidate) => candidate.quantity === quantity);
  if (counter === undefined) throw contradiction(source, `${quantity} is polled and no tick is defined for it`);
  const ratio = needed(source, register, countWorth(register, source.settings), counter.tick.amount);
  return { ...slot, ...ratio, quantity, counter: true, countMax: countMaxOf(counter), believable: null };
}

function compileSlot(source: RegisterSource, register: Register, scales: ScaleRegisters): Slot {
  const scaling: Scaling = {
    exponent: register.scale_exp_address === undefined ? -1 : scales.at(register.fc, register.scale_exp_address),
    multiplyBy: (register.multiply_by ?? []).map((name) => scales.named(name)),
    divideBy: (register.divide_by ?? []).map((name) => scales.named(name)),
    fourQuadrant: register.coding === "four_quadrant",
  };
  const { exponent, multiplyBy, divideBy, fourQuadrant } = scaling;
  const isAlone = exponent < 0 && multiplyBy.length === 0 && divideBy.length === 0 && !fourQuadrant;
  return { ...plainSlot(source, register), scaling: isAlone ? null : scaling };
}

/** A register that no other register scales. */
function plainSlot(source: RegisterSource, register: Register): Slot {
  const sentinels = sentinelBits(register, source.sentinels);
  return {
    fc: register.fc,
    address: register.address,
    words: register.words,
    type: register.type,
    little: register.word_order === "little",
    sentinels: sentinels.length === 0 ? null : sentinels,
    ...needed(source, register, registerWorth(register, source.settings)),
    scaling: null,
  };
}

/**
 * Sentinels of the register's own type, single raw values or ranges (`0xFFF8..0xFFFF`). A model that lists one of type
 * `acc32` (SunSpec accumulators, written as u32 or f32 in the map) means it for its counters: an accumulator of 0 has not
 * accumulated and is no reading.
 */
function sentinelBits(register: Register, sentinels: readonly Sentinel[]): number[] {
  return sentinels
    .filter(({ type }) => type === register.type || (type === "acc32" && register.kind === "counter"))
    .flatMap(({ raw }) => {
      const [first = "", last = first] = raw.split("..");
      return [Number(BigInt(first) >> 32n), low32(first), low32(last)];
    });
}

function low32(raw: string): number {
  return Number(BigInt(raw) & 0xffff_ffffn);
}

/**
 * What a value must look like to count as plausible; outside it is kept and marked `uncertain`.
 * Frequency 45…65 Hz; |power factor| ≤ 1; phase and line voltage half to 1.3 × nominal, if that is configured, else phase
 * voltage 50…1000 V (times the VT ratio), or exactly 0, a dead phase; |power| ≤ 1.2 × rated power, if that is configured.
 */
function boundsOf(quantity: QuantityId, settings: DeviceSettings): Bounds | null {
  if (quantity === "frequency") return { low: 45, high: 65, zero: false };
  if (/^(power_factor|cos_phi)/.test(quantity)) return { low: -1, high: 1, zero: false };
  const { nominal_V } = settings;
  if (nominal_V !== undefined && /^(grid_)?voltage_(l[123]|ln_avg)$/.test(quantity)) return aroundNominal(nominal_V);
  if (nominal_V !== undefined && /^(grid_)?voltage_(l[123]_l[123]|ll_avg)$/.test(quantity)) {
    return aroundNominal(nominal_V * Math.sqrt(3));
  }
  if (/^voltage_(l[123]|ln_avg)$/.test(quantity))
    return { low: 50, high: 1000 * Math.max(1, settings.vt_ratio ?? 1), zero: true };
  if (settings.rated_power_W !== undefined && /^(active|reactive|apparent)_power_/.test(quantity)) {
    return { low: -1.2 * settings.rated_power_W, high: 1.2 * settings.rated_power_W, zero: false };
  }
  return null;
}

/** A deep sag and a swell are still voltages; a decade or √3 beside the nominal one is a wrong register, scale or VT ratio. */
function aroundNominal(nominal_V: number): Bounds {
  return { low: 0.5 * nominal_V, high: 1.3 * nominal_V, zero: true };
}

function countMaxOf({ modulus }: CounterDefinition): number {
  return modulus === null ? Number.MAX_SAFE_INTEGER : Math.min(Number.MAX_SAFE_INTEGER, Number(modulus) - 1);
}

function needed(source: RegisterSource, register: Register, worth: Decimal | null, tick = "1"): Ratio {
  if (worth !== null) return ratioOf(worth, parseDecimal(tick));
  const missing = register.unit === "count" ? "m3_per_count" : (register.site_factor ?? "a ratio");
  throw new KhuXanhError("MODEL_INVALID", `${source.device}: ${register.name} needs ${missing}`, {
    hint: `Add ${missing} to the meter; it is on the meter's or the transformer's rating plate.`,
    context: { device: source.device, register: register.name },
  });
}

function contradiction(source: RegisterSource, what: string): KhuXanhError {
  return new KhuXanhError("INTERNAL", `registers of ${source.device}: ${what}`, {
    hint: "Report this: a model or a device definition contradicts itself.",
    context: { device: source.device },
  });
}

/** Exponent and ratio registers that other registers are scaled with, collected while slots are compiled. */
class ScaleRegisters {
  readonly #source: RegisterSource;
  readonly #registers: Register[] = [];

  constructor(source: RegisterSource) {
    this.#source = source;
  }

  at(fc: 3 | 4, address: number): number {
    return this.#index(
      `exponent register ${address}`,
      (r) => r.kind === "scale_exponent" && r.fc === fc && r.address === address,
    );
  }

  named(name: string): number {
    return this.#index(`ratio register ${name}`, (r) => r.name === name);
  }

  slots(): readonly Slot[] {
    return this.#registers.map((register) => plainSlot(this.#source, register));
  }

  /** Where its value will stand among the scale values. */
  #index(what: string, matches: (register: Register) => boolean): number {
    const known = this.#registers.findIndex(matches);
    if (known >= 0) return known;
    const found = this.#source.registers.find(matches);
    if (found === undefined) throw contradiction(this.#source, `${what} is missing`);
    return this.#registers.push(found) - 1;
  }
}

/** NaN where a scale register was not read or holds a sentinel. */
function readScales(slots: readonly Slot[], blocks: readonly WordBlock[], values: Float64Array): void {
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i]!;
    let value: number | QualityReason = Number.NaN;
    for (const block of blocks) {
      if (holds(block, slot)) value = scaledValue(slot, block.words, slot.address - block.address, values);
    }
    values[i] = typeof value === "number" ? value : Number.NaN;
  }
}

function holds(block: WordBlock, { fc, address, words }: Pick<Register, "fc" | "address" | "words">): boolean {
  return block.fc === fc && address >= block.address && address + words <= block.address + block.words.length;
}

function decodeBlock(
  slots: readonly QuantitySlot[],
  block: WordBlock,
  scales: Float64Array,
  at_ms: number,
  into: Reading[],
): void {
  const end = block.address + block.words.length;
  for (let i = firstAt(slots, block.fc, block.address); i < slots.length; i++) {
    const slot = slots[i]!;
    if (slot.fc !== block.fc || slot.address >= end) return;
    if (slot.address + slot.words > end) continue;
    const scaled = scaledValue(slot, block.words, slot.address - block.address, scales);
    into.push(slot.counter ? counterReading(slot, scaled, at_ms) : gaugeReading(slot, scaled, at_ms));
  }
}

/** Index of the first slot at or after an address (slots are sorted by function code and address). */
function firstAt(slots: readonly Slot[], fc: number, address: number): number {
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const slot = slots[middle]!;
    if (slot.fc < fc || (slot.fc === fc && slot.address < address)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function gaugeReading(slot: QuantitySlot, scaled: number | QualityReason, at_ms: number): Reading {
  if (typeof scaled !== "number") return bad(slot, scaled, at_ms);
  const plausible = isBelievable(scaled, slot.believable);
  return {
    quantity: slot.quantity,
    at_ms,
    value: scaled,
    quality: plausible ? "good" : "uncertain",
    why: plausible ? null : "implausible",
  };
}

function isBelievable(value: number, bounds: Bounds | null): boolean {
  return bounds === null || (value >= bounds.low && value <= bounds.high) || (bounds.zero && value === 0);
}

function counterReading(slot: QuantitySlot, scaled: number | QualityReason, at_ms: number): Reading {
  if (typeof scaled !== "number") return bad(slot, scaled, at_ms);
  const ticks = roundHalfEven(scaled);
  if (!(ticks >= 0 && ticks <= slot.countMax)) return bad(slot, "out-of-range", at_ms);
  return { quantity: slot.quantity, at_ms, value: BigInt(ticks), quality: "good", why: null };
}

function bad(slot: QuantitySlot, why: QualityReason, at_ms: number): Reading {
  return { quantity: slot.quantity, at_ms, value: null, quality: "bad", why };
}

/** The scaled value at an offset, or the reason why there is none. */
function scaledValue(slot: Slot, words: Uint16Array, offset: number, scales: Float64Array): number | QualityReason {
  const high = slot.words === 4 ? highBits(words, offset, slot.little) : 0;
  const low = lowBits(words, offset, slot.words, slot.little);
  if (slot.sentinels !== null && isAmong(slot.sentinels, high, low)) return "sentinel";
  const raw = numberOfBits(slot.type, high, low);
  if (!Number.isFinite(raw)) return "not-a-number";

  const { over, under, scaling } = slot;
  // Plus 0: a float's −0 is 0.
  return scaling === null ? (raw * over) / under + 0 : scaledBy(scaling, slot, raw, scales);
}

function isAmong(sentinels: readonly number[], high: number, low: number): boolean {
  for (let i = 0; i < sentinels.length; i += 3) {
    if (sentinels[i] === high && low >= sentinels[i + 1]! && low <= sentinels[i + 2]!) return true;
  }
  return false;
}

function scaledBy(scaling: Scaling, ratio: Ratio, raw: number, scales: Float64Array): number | QualityReason {
  let { over, under } = ratio;
  if (scaling.exponent >= 0) {
    const exponent = scales[scaling.exponent]!;
    if (!(exponent >= -10 && exponent <= 10)) return "scale-missing";
    if (exponent >= 0) over *= POWERS_OF_TEN[exponent]!;
    else under *= POWERS_OF_TEN[-exponent]!;
  }
  for (const index of scaling.multiplyBy) over *= scales[index]!;
  for (const index of scaling.divideBy) under *= scales[index]!;
  if (!(Number.isFinite(over) && Number.isFinite(under) && under !== 0)) return "scale-missing";
  const value = (raw * over) / under + 0;
  return scaling.fourQuadrant ? fourQuadrantFactor(value) : value;
}

/** Beyond ±1 it is 2 − |code|, leading, sign kept. Beyond ±2 the code means nothing: left as it is, and implausible. */
function fourQuadrantFactor(code: number): number {
  const size = Math.abs(code);
  return size > 1 && size <= 2 ? Math.sign(code) * (2 - size) : code;
}

const POWERS_OF_TEN: readonly number[] = [1, 10, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/** The low 32 bits of a value of 1, 2 or 4 words, unsigned. */
function lowBits(words: Uint16Array, offset: number, count: number, little: boolean): number {
  if (count === 1) return words[offset]!;
  if (little) return words[offset + 1]! * 0x1_0000 + words[offset]!;
  const last = offset + count - 1;
  return words[last - 1]! * 0x1_0000 + words[last]!;
}

/** The high 32 bits of a four-word value, unsigned. */
function highBits(words: Uint16Array, offset: number, little: boolean): number {
  return little ? words[offset + 3]! * 0x1_0000 + words[offset + 2]! : words[offset]! * 0x1_0000 + words[offset + 1]!;
}

const scratch = new DataView(new ArrayBuffer(8));

function numberOfBits(type: Register["type"], high: number, low: number): number {
  switch (type) {
    case "u16":
    case "u32":
    case "acc32":
      return low;
    case "i16":
      return (low << 16) >> 16;
    case "i32":
      return low | 0;
    case "f32":
      scratch.setUint32(0, low);
      return scratch.getFloat32(0);
    case "u64":
      return high * 0x1_0000_0000 + low;
    case "i64":
      return (high | 0) * 0x1_0000_0000 + low;
    case "f64":
      scratch.setUint32(0, high);
      scratch.setUint32(4, low);
      return scratch.getFloat64(0);
    case "str":
      return Number.NaN;
  }
}

/** Two characters a register, first one in the high byte; ends at the first NUL, blanks at the end are padding. */
function textAt(words: Uint16Array, offset: number, count: number): string {
  let text = "";
  for (let i = offset; i < offset + count; i++) {
    text += String.fromCharCode(words[i]! >> 8, words[i]! & 0xff);
  }
  const end = text.indexOf("\0");
  return (end < 0 ? text : text.slice(0, end)).trimEnd();
}

/** Nearest integer, ties to even. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest < 0.5) return below;
  return rest > 0.5 || below % 2 !== 0 ? below + 1 : below;
}
