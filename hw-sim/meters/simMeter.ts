import { KhuXanhError } from "../../core/errors.ts";
import type { DeviceSettings } from "../../core/model/deviceDefinition.ts";
import type { IdentifyRead, MeterModel, Register } from "../../core/model/meterModel.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { UnitNotation } from "../../core/units/units.ts";
import { encodeRaw } from "../../drivers/modbus/encode.ts";
import { TICKS_PER_THOUSAND, TICKS_PER_UNIT } from "../course/integral.ts";
import { hash32 } from "../course/noise.ts";
import { type Load, tenths } from "../profiles/electric.ts";
import type { SimMeterSpec } from "../simConfig.ts";
import {
  type Answer,
  addressSpace,
  ILLEGAL_DATA_VALUE,
  SERVER_DEVICE_FAILURE,
  type WrittenCell,
} from "./addressSpace.ts";
import { electricity, type Three } from "./electricity.ts";
import { scaleExponents } from "./exponents.ts";
import { genset } from "./genset.ts";
import { inverter } from "./inverter.ts";
import { type Gauges, gaugesAt, type Physics, type Placement } from "./physics.ts";
import { type Encoding, fixed, noValueCell, rangeTicks, registerCell } from "./registerCells.ts";
import { withViews } from "./registerViews.ts";
import { type Nameplate, sunspecChain, textWords } from "./sunspecChain.ts";
import { gasMeter, heatMeter, waterMeter } from "./volume.ts";

/**
 * One simulated meter: a pure function of seed and time that answers in the words of its model.
 *
 * Every value of a read is of the same instant. What the model does not define is exception 2, so a reader that merges
 * across undefined registers is found out; what the model defines and the simulator does not know answers "no value" and
 * is listed in `unserved`.
 */
export interface SimMeter {
  readonly unit: number;
  readonly name: string;
  readonly model: MeterModel;
  /** Address the model's register offsets count from: 0, or the place in a SunSpec chain. */
  readonly base: number;
  /** Registers that answer "no value" for ever. */
  readonly unserved: readonly string[];
  readonly serial: number;
  read(fc: 3 | 4, address: number, count: number, at_ms: number): Answer;
  /** What each counter of the model truly counted. */
  truth(at_ms: number): Truth;
  /** One counter, exact: ticks of 1 mJ (3,600,000 to the Wh, varh, VAh or litre), the start value included. */
  ticks(quantity: QuantityId, at_ms: number): bigint;
  /** The gauges behind the registers, in the units of `core/units/quantities.ts`. */
  gauges(at_ms: number): Gauges;
  /** Ticks after which the first integer register of a counter begins again at 0; null if it has none. */
  rangeTicks(quantity: QuantityId): bigint | null;
  /** The same meter with something changed: what a fault makes of it. */
  variant(change: MeterChange): SimMeter;
}

export interface MeterChange {
  readonly serial?: number;
  /** Instead of the start value of the configuration. */
  readonly start?: number;
  /** Counters and gauges instead of the meter's own, which begin to count at `since_ms`. */
  readonly physics?: (own: Physics, since_ms: number) => Physics;
}

/** Exact decimal text, cut (not rounded) after six decimals: 1 µWh or 1 mL. */
export type Truth = Readonly<Partial<Record<QuantityId, { readonly value: string; readonly unit: UnitNotation }>>>;

export interface MeterPlace {
  readonly seed: number;
  readonly origin_ms: number;
  readonly since_ms: number;
}

/**
 * @throws {KhuXanhError} COUNTER_RESOLUTION_UNKNOWN (a gas meter without m3_per_count), CONFIG_INVALID (a load that does not
 * fit the meter, a start value below 0).
 */
export function simMeter(
  configured: SimMeterSpec,
  model: MeterModel,
  load: Load,
  place: MeterPlace,
  change: MeterChange = {},
): SimMeter {
  const spec = change.start === undefined ? configured : { ...configured, start: change.start };
  const name = spec.name ?? `${model.id} unit ${spec.unit}`;
  const settings = settingsOf(spec);
  const own = physicsOf(spec, model, load, place);
  const physics = withViews(change.physics?.(own, place.since_ms) ?? own, place.origin_ms);
  const serial = change.serial ?? serialOf(place.seed);
  const plate = {
    manufacturer: manufacturerOf(model),
    model: model.model,
    options: "",
    version: "1.0.0",
    serial: String(serial),
    unit: spec.unit,
  };
  const chain = sunspecChain(model, plate, spec.sunspec_common_length ?? 66);
  const base = chain?.base ?? 0;
  const registers =
    chain === undefined
      ? model.registers
      : [...model.registers.filter(({ name }) => !name.endsWith("_float")), ...chain.further];
  const encoding: Encoding = {
    physics,
    settings,
    exponents: scaleExponents(registers, { rated_power_W: ratedPower_W(spec), nominal_V: spec.nominal_V ?? 230 }),
    constants: constantsOf(registers, serial, spec),
  };
  const unserved: string[] = [];
  const cells = registers.map((register) => {
    const cell = registerCell(model, register, base, encoding);
    if (cell === undefined) unserved.push(register.name);
    return cell ?? noValueCell(model, register, base);
  });
  const identity =
    chain === undefined ? model.identify.map((read) => identityCell(read, model, { ...plate, name }, place.seed)) : [];
  const space = addressSpace([...cells, ...identity, ...(chain?.frame ?? [])], model.limits.max_gap);
  const alone = new Map(identity.map((cell) => [`${cell.fc}/${cell.address}/${cell.words}`, wordsOf(cell)]));
  const { max_registers_per_read: countMax, count_must_be_even: evenOnly } = model.limits;
  const counted = countedBy(registers, physics);

  return {
    unit: spec.unit,
    name,
    model,
    base,
    unserved,
    serial,
    gauges: (at_ms) => gaugesAt(physics.gauges, at_ms),
    read(fc, address, count, at_ms) {
      if (count > countMax || (evenOnly && count % 2 === 1)) return { exception: ILLEGAL_DATA_VALUE };
      try {
        const answer = space.read(fc, address, count, at_ms);
        if (answer instanceof Uint16Array) return answer;
        // Some devices tell their identity at an address inside a measured value, if it is read alone.
        return alone.get(`${fc}/${address}/${count}`) ?? answer;
      } catch (error) {
        if (error instanceof RangeError) return { exception: SERVER_DEVICE_FAILURE, unfit: error.message };
        throw error;
      }
    },
    truth: (at_ms) =>
      Object.fromEntries(counted.map(([quantity, counter]) => [quantity, truthOf(counter.total(at_ms), counter.unit)])),
    ticks(quantity, at_ms) {
      const counter = physics.counters.get(quantity);
      if (counter === undefined) throw new RangeError(`${name} has no counter ${quantity}`);
      return counter.total(at_ms);
    },
    rangeTicks(quantity) {
      const register = registers.find((one) => one.quantity === quantity && rangeTicks(one, encoding) !== null);
      return register === undefined || !physics.counters.has(quantity) ? null : rangeTicks(register, encoding);
    },
    variant: (next) => simMeter(configured, model, load, place, { ...change, ...next }),
  };
}

/** Whether what it measures is made there: an inverter or a generating set feeds into the meter it is fed through. */
export function generates({ measures }: MeterModel): boolean {
  return measures.includes("pv") || measures.includes("genset");
}

/** Eight digits that belong to the meter's seed. */
function serialOf(seed: number): number {
  return 10_000_000 + (hash32(seed, 77) % 89_999_999);
}

function settingsOf(spec: SimMeterSpec): DeviceSettings {
  return {
    ct_ratio: spec.ct_ratio ?? 1,
    vt_ratio: 1,
    ...(spec.m3_per_count === undefined ? {} : { m3_per_count: spec.m3_per_count }),
  };
}

const RATED_POWER_DEFAULT_W = 1_000_000;

function ratedPower_W(spec: SimMeterSpec): number {
  return spec.rated_power_W ?? RATED_POWER_DEFAULT_W;
}

function physicsOf(spec: SimMeterSpec, model: MeterModel, load: Load, place: MeterPlace): Physics {
  const start = spec.start ?? 0;
  if (!(start >= 0 && start <= START_MAX)) throw invalid(spec, `start ${start} is not within 0 … ${START_MAX}`);
  // Six decimals of a kWh or m3 are kept: 10^-6 of one is 3,600 ticks.
  const placement: Placement = {
    ...place,
    start_ticks: BigInt(Math.round(start * 1e6)) * (TICKS_PER_THOUSAND / 1_000_000n),
  };
  const measures = new Set(model.measures);
  if (load.kind === "electric") {
    if (!measures.has("electricity")) throw invalid(spec, `${model.id} does not measure electricity`);
    const site = {
      ...placement,
      phases: model.phases,
      nominal_V: spec.nominal_V ?? 230,
      rated_power_W: ratedPower_W(spec),
      sag_permille: tenths(spec.sag_percent ?? SAG_DEFAULT_percent, `unit ${spec.unit}: sag_percent`),
      phase_permille: phasePermille(spec, model),
    };
    if (measures.has("pv")) return inverter(load, site);
    return measures.has("genset") ? genset(load, site) : electricity(load, site);
  }
  if (measures.has("gas")) {
    if (spec.m3_per_count === undefined && model.registers.some(({ unit }) => unit === "count")) {
      throw new KhuXanhError("COUNTER_RESOLUTION_UNKNOWN", `unit ${spec.unit}: ${model.id} needs m3_per_count`, {
        hint: "Write how many m3 one count of the register is worth, for example m3_per_count: 0.1.",
        context: { unit: spec.unit, model: model.id },
      });
    }
    return gasMeter(load.flow, { ...placement, litres_per_count: (spec.m3_per_count ?? 1) * 1000 });
  }
  if (measures.has("heat")) return heatMeter(load.flow, placement);
  if (measures.has("water")) return waterMeter(load.flow, placement);
  throw invalid(spec, `${model.id} measures ${[...measures].join(", ")}, the load is a flow of gas or water`);
}

const START_MAX = 1e9;
const SAG_DEFAULT_percent = 2;

function phasePermille(spec: SimMeterSpec, model: MeterModel): Three | null {
  if (spec.phase_percent === undefined) return null;
  if (model.phases !== 3) throw invalid(spec, `phase_percent: ${model.id} has ${model.phases} phase`);
  const [l1, l2, l3] = spec.phase_percent.map((part) => tenths(part, `unit ${spec.unit}: phase_percent`)) as [
    number,
    number,
    number,
  ];
  if (l1 + l2 + l3 !== 1000) throw invalid(spec, `phase_percent adds up to ${(l1 + l2 + l3) / 10}, not 100`);
  return [l1, l2, l3];
}

function invalid(spec: SimMeterSpec, message: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `unit ${spec.unit}: ${message}`, {
    hint: "Correct this meter in the simulation file.",
    context: { unit: spec.unit, model: spec.model },
  });
}

/** Settings whose value the model file explains; ratio registers that scale others read 1. */
function constantsOf(
  registers: readonly Register[],
  serial: number,
  spec: SimMeterSpec,
): Record<string, number | string> {
  const ratios = registers.flatMap(({ multiply_by = [], divide_by = [] }) => [...multiply_by, ...divide_by]);
  return {
    ...Object.fromEntries(ratios.map((name) => [name, 1])),
    serial_number: serial,
    bus_address: spec.unit,
    energy_unit_prefix: 0,
    register_order: 2141,
    measurement_mode: 2,
    // EM24: three phases with neutral, the application whose map the model file has, locked against the keys.
    phase_config: 0,
    application: 7,
    switch_position: 3,
    // Sungrow: three phases, four wires.
    output_type: 1,
    ct_ratio: spec.ct_ratio ?? 1,
    vt_ratio: 1,
    ct_primary: Math.min(30_000, Math.ceil(ratedPower_W(spec) / (3 * (spec.nominal_V ?? 230)) / 100) * 100),
    ct_secondary: 5,
    vt_primary: 400,
    vt_secondary: 400,
    baud_code: 3,
    framing_code: 0,
  };
}

/** The first word of the manufacturer's list, without brackets: what a nameplate register has room for. */
function manufacturerOf(model: MeterModel): string {
  return model.manufacturer.replace(/[ ]?\(.*/, "");
}

const IDENTITY_WORDS = { u16: 1, i16: 1, u32: 2, i32: 2, f32: 2, acc32: 2, u64: 4, i64: 4, f64: 4 } as const;

type Identity = Nameplate & { readonly name: string };

function identityCell(read: IdentifyRead, model: MeterModel, plate: Identity, seed: number): WrittenCell {
  const { fc, address, type } = read;
  const words = type === "str" ? (read.length ?? 1) : (read.length ?? IDENTITY_WORDS[type]);
  const encoded =
    type === "str"
      ? textWords(identityText(read, plate), words)
      : encodeRaw(
          { type, words, word_order: read.word_order ?? "big" },
          read.equals ?? read.one_of?.[0] ?? identityNumber(read, plate) ?? 15_000 + (seed % 1000),
        );
  // Behind a single word stands another one where the device refuses to give one alone.
  const padded = model.limits.count_must_be_even ? words + (words % 2) : words;
  const told = new Uint16Array(padded);
  told.set(encoded);
  return { fc, address, words: padded, divisible: type === "str" || padded > words, write: fixed(told) };
}

/** What the model file says stands there, by its words: "serial number", "model number, e.g. 4520", "starts with SUN2000". */
function identityText({ meaning = "" }: IdentifyRead, plate: Identity): string {
  const [, start] = /starts with ([\w-]+)/.exec(meaning) ?? [];
  if (meaning.includes("manufacturer")) return plate.manufacturer;
  if (meaning.includes("serial number")) return plate.serial;
  if (meaning.includes("firmware")) return plate.version;
  if (meaning.includes("model") && start === undefined) return plate.model.split(/[ /]/)[0] ?? plate.model;
  return start ?? plate.name;
}

function identityNumber({ meaning = "" }: IdentifyRead, { serial }: Identity): number | undefined {
  if (meaning.includes("serial number")) return Number(serial);
  const [, example] = /e\.g\. (\d+)/.exec(meaning) ?? [];
  return example === undefined ? undefined : Number(example);
}

function countedBy(registers: readonly Register[], physics: Physics) {
  const quantities = new Set(registers.flatMap(({ quantity }) => (quantity === undefined ? [] : [quantity])));
  return [...physics.counters].filter(([quantity]) => quantities.has(quantity));
}

const TRUTH_DECIMALS = 6;

function truthOf(ticks: bigint, unit: UnitNotation): { readonly value: string; readonly unit: UnitNotation } {
  const perUnit = unit === "m3" || unit === "Nm3" ? TICKS_PER_THOUSAND : TICKS_PER_UNIT;
  const micro = (ticks * 10n ** BigInt(TRUTH_DECIMALS)) / perUnit;
  const digits = micro.toString().padStart(TRUTH_DECIMALS + 1, "0");
  const fraction = digits.slice(-TRUTH_DECIMALS).replace(/0+$/, "");
  const whole = digits.slice(0, -TRUTH_DECIMALS);
  return { value: fraction === "" ? whole : `${whole}.${fraction}`, unit };
}

/** Words of a cell that does not change. */
function wordsOf(cell: WrittenCell): Uint16Array {
  const words = new Uint16Array(cell.words);
  cell.write(0, words, 0);
  return words;
}
