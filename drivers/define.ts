import { CARRIERS, type CarrierId, type MeterRole } from "../core/emission/carriers.ts";
import { formatDecimal, parseDecimal, toNumber } from "../core/emission/decimal.ts";
import { KhuXanhError } from "../core/errors.ts";
import type {
  CounterDefinition,
  DeviceDefinition,
  DeviceSettings,
  PolledRegister,
} from "../core/model/deviceDefinition.ts";
import type { IdentifyRead, MeterModel, Register, RegisterType } from "../core/model/meterModel.ts";
import { QUANTITIES, type QuantityId } from "../core/units/quantities.ts";
import type { UnitNotation } from "../core/units/units.ts";
import { rolloverRaw } from "./modbus/encode.ts";
import { countWorth, siteRatio, tickUnit } from "./ratio.ts";

/** One meter as the configuration describes it. */
export interface MeterSetup extends Omit<DeviceSettings, "ncv_MJ_per_Nm3"> {
  readonly id: string;
  readonly name?: { readonly vi: string; readonly en: string };
  readonly carrier: CarrierId;
  readonly role: MeterRole;
  readonly parent: string | null;
  /** Poll periods, ms: gauges (power, voltage, flow, …), the carrier's counters, and what hardly ever changes. */
  readonly every: {
    readonly power_ms: number;
    readonly energy_ms: number;
    /** Settings and identity; absent = not polled. */
    readonly settings_ms?: number;
  };
  /** Net calorific value of the gas, MJ/Nm3. */
  readonly ncv?: { readonly value: string; readonly source: string };
}

export interface AccountSetup {
  readonly interval_ms: number;
  readonly time_zone: string;
}

/** Greatest credible rates when the meter's rated power is not configured: a big substation, a big gas or water main. */
const POWER_MAX_W = 100_000_000;
const FLOW_MAX_M3_PER_S = 10;
const FUEL_MAX_L_PER_S = 100;

/**
 * The registers to poll and the meaning of its counters, for one configured meter.
 *
 * One register per quantity: without suffix before alternatives, for counters integers before floats. Gauges are polled at
 * `every.power_ms`, the carrier's counters at `every.energy_ms`, each with the exponent and ratio registers it is scaled with.
 * What the strings of an inverter give is polled with the counters, energy included, and nothing of it is booked.
 * Settings and identity are polled at `every.settings_ms`, for a change to be noticed, the serial number once an accounting
 * interval: what an exchanged meter counts is then booked to the wrong one for an interval at most. Demand values (averages and maxima the
 * meter makes itself) are not polled.
 *
 * Ticks: what one raw count is worth where that is fixed (integer register, no exponent or ratio register), else 1 Wh, 1 varh,
 * 1 VAh or 0.001 m³. Only such a fixed register has a modulus; 64-bit (without `rollover_raw`) and float registers and those
 * scaled by another register count as never wrapping, so a fall is a reset. Greatest rate: 1.2 × rated power or flow, or 100 MW / 10 m³/s / 100 L/s of liquid fuel when not configured.
 *
 * @throws {KhuXanhError} COUNTER_RESOLUTION_UNKNOWN for a counter in counts without `m3_per_count`; CONFIG_INVALID for a carrier
 * whose counter the model lacks or a transformer ratio not given; INTERNAL for a SunSpec model that was not resolved first.
 */
export function defineDevice(model: MeterModel, meter: MeterSetup, account: AccountSetup): DeviceDefinition {
  if (model.discovery !== undefined) {
    throw new KhuXanhError("INTERNAL", `${model.id} has offsets, not addresses`, {
      hint: "Report this: the SunSpec chain must be walked before the meter is defined.",
    });
  }
  const settings = settingsOf(meter);
  const chosen = chooseRegisters(model, meter.carrier);
  assertAccountable(model, meter, chosen.counters);
  for (const register of [...chosen.counters, ...chosen.gauges]) assertScalable(model, meter, register, settings);
  const values = [
    ...withScales(model, chosen.gauges, meter.every.power_ms),
    ...withScales(model, [...chosen.counters, ...chosen.inputs], meter.every.energy_ms),
  ];
  const inputCounters = chosen.inputs.filter(({ kind }) => kind === "counter");

  return {
    device: meter.id,
    name: meter.name ?? null,
    model: model.id,
    modelVersion: model.version,
    carrier: meter.carrier,
    role: meter.role,
    parent: meter.parent,
    registers: [...values, ...seldomChanged(model, values, meter.every.settings_ms, account.interval_ms)],
    sentinels: model.sentinels,
    settings,
    counters: [
      ...chosen.counters.map((register) => defineCounter(register, settings, meter.every.energy_ms)),
      ...inputCounters.map((register) => ({
        ...defineCounter(register, settings, meter.every.energy_ms),
        accounted: false,
      })),
    ],
    interval_ms: account.interval_ms,
    time_zone: account.time_zone,
  };
}

/** What a counter register counts in, when it starts again, and how fast it may run. */
export function defineCounter(register: Register, settings: DeviceSettings, poll_ms: number): CounterDefinition {
  const quantity = register.quantity!;
  const unit = tickUnit(quantity);
  const worth = isFixed(register) ? countWorth(register, settings) : null;
  const amount = worth === null ? defaultTick(unit) : formatDecimal(worth);
  return {
    quantity,
    tick: { amount, unit },
    modulus: worth === null || isEndless(register) ? null : rolloverRaw(register),
    rateMax_ticks_per_s: rateMax_per_s(unit, settings) / toNumber(parseDecimal(amount)),
    float32_ticks_per_unit: register.type === "f32" ? ticksPerUnit(register, settings, amount) : null,
    accounted: true,
    poll_ms,
  };
}

function ticksPerUnit(register: Register, settings: DeviceSettings, tick: string): number | null {
  const worth = countWorth(register, settings);
  return worth === null ? null : toNumber(worth) / Number(tick);
}

function settingsOf(meter: MeterSetup): DeviceSettings {
  return {
    ...(meter.ct_ratio === undefined ? {} : { ct_ratio: meter.ct_ratio }),
    ...(meter.vt_ratio === undefined ? {} : { vt_ratio: meter.vt_ratio }),
    ...(meter.m3_per_count === undefined ? {} : { m3_per_count: meter.m3_per_count }),
    ...(meter.nominal_V === undefined ? {} : { nominal_V: meter.nominal_V }),
    ...(meter.rated_power_W === undefined ? {} : { rated_power_W: meter.rated_power_W }),
    ...(meter.rated_flow_m3_per_h === undefined ? {} : { rated_flow_m3_per_h: meter.rated_flow_m3_per_h }),
    ...(meter.ncv === undefined ? {} : { ncv_MJ_per_Nm3: { value: meter.ncv.value, source: meter.ncv.source } }),
    ...(meter.meter_class === undefined ? {} : { meter_class: meter.meter_class }),
    ...(meter.ct_class === undefined ? {} : { ct_class: meter.ct_class }),
    ...(meter.vt_class === undefined ? {} : { vt_class: meter.vt_class }),
    ...(meter.supplier === undefined ? {} : { supplier: meter.supplier }),
  };
}

function chooseRegisters(model: MeterModel, carrier: CarrierId) {
  const accounted: readonly QuantityId[] = CARRIERS[carrier].counters;
  const quantities = [
    ...new Set(model.registers.flatMap(({ quantity }) => (quantity === undefined ? [] : [quantity]))),
  ];
  const isGauge = (quantity: QuantityId) =>
    QUANTITIES[quantity].kind === "gauge" && !quantity.includes("_demand") && !isInput(quantity);
  return {
    counters: accounted.flatMap((quantity) => bestRegister(model, quantity, "counter")),
    gauges: quantities.filter(isGauge).flatMap((quantity) => bestRegister(model, quantity, "gauge")),
    inputs: quantities.filter(isInput).flatMap((quantity) => bestRegister(model, quantity, QUANTITIES[quantity].kind)),
  };
}

/** Of a string or tracker of an inverter. */
function isInput(quantity: QuantityId): boolean {
  return /^dc_[a-z]+_input_\d+$/.test(quantity);
}

function bestRegister(model: MeterModel, quantity: QuantityId, kind: "counter" | "gauge"): Register[] {
  const rank = (register: Register): number =>
    (register.name === quantity ? 0 : 2) + (kind === "counter" && isFloat(register) ? 1 : 0);
  return model.registers
    .filter((register) => register.quantity === quantity && register.kind === kind && register.type !== "str")
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, 1);
}

function isFloat(register: Register): boolean {
  return register.type === "f32" || register.type === "f64";
}

/** 64 bits never wrap within a meter's life, unless its maker says where. */
function isEndless(register: Register): boolean {
  return register.words === 4 && register.rollover_raw === undefined;
}

/** A raw count is worth the same at all times: no exponent, no ratio register, no float. */
function isFixed(register: Register): boolean {
  const ratios = (register.multiply_by?.length ?? 0) + (register.divide_by?.length ?? 0);
  return !isFloat(register) && register.scale_exp_address === undefined && ratios === 0;
}

/** The exponent and ratio registers travel in the same poll as the value: they may change between reads. */
function withScales(model: MeterModel, registers: readonly Register[], every_ms: number): PolledRegister[] {
  const scales = registers.flatMap((register) => [
    ...model.registers.filter(
      (candidate) =>
        candidate.kind === "scale_exponent" &&
        candidate.fc === register.fc &&
        candidate.address === register.scale_exp_address,
    ),
    ...[...(register.multiply_by ?? []), ...(register.divide_by ?? [])].flatMap((name) =>
      model.registers.filter((candidate) => candidate.name === name),
    ),
  ]);
  return [...new Set([...registers, ...scales])].map((register) => ({ register, every_ms }));
}

/** Settings and identity; a clock among them is neither. */
export function isSeldomChanged({ kind, unit }: Register): boolean {
  return kind === "setting" || (kind === "info" && unit !== "s");
}

/** Those not polled with the values anyway, and the serial number if the model tells it among its identity reads only. */
function seldomChanged(
  model: MeterModel,
  polled: readonly PolledRegister[],
  every_ms: number | undefined,
  interval_ms: number,
): PolledRegister[] {
  if (every_ms === undefined) return [];
  const serial_ms = Math.min(every_ms, Math.max(interval_ms, SERIAL_MS));
  const listed = model.registers.filter(isSeldomChanged);
  const serials = listed.some(({ name }) => name === SERIAL_NUMBER) ? [] : serialNumbers(model);
  const isPolled = (register: Register) => polled.some((one) => one.register === register);
  return [...listed, ...serials]
    .filter((one) => !isPolled(one))
    .map((register) => ({
      register,
      every_ms: register.name === SERIAL_NUMBER ? serial_ms : every_ms,
    }));
}

/** Serial numbers are asked for once an interval, no more often than this. */
export const SERIAL_MS = 900_000;

/** Name of the register in every model that tells one. */
export const SERIAL_NUMBER = "serial_number";

function serialNumbers({ identify, discovery }: MeterModel): Register[] {
  if (discovery !== undefined) return [];
  return identify
    .filter(({ meaning }) => meaning === "serial number")
    .slice(0, 1)
    .map((read) => ({
      name: SERIAL_NUMBER,
      fc: read.fc,
      address: read.address,
      words: identityWords(read),
      type: read.type,
      word_order: read.word_order ?? "big",
      scale: 1,
      unit: "",
      kind: "info",
      resettable: false,
    }));
}

/** Registers an identity read spans. */
export function identityWords({ type, length }: Pick<IdentifyRead, "type" | "length">): number {
  return length ?? IDENTITY_WORDS[type] ?? 2;
}

const IDENTITY_WORDS: Partial<Record<RegisterType, number>> = { u16: 1, i16: 1, u64: 4, i64: 4, f64: 4 };

function defaultTick(unit: UnitNotation): string {
  return unit === "m3" || unit === "Nm3" || unit === "L" ? "0.001" : "1";
}

function rateMax_per_s(unit: UnitNotation, settings: DeviceSettings): number {
  const { rated_flow_m3_per_h } = settings;
  if (unit === "m3" || unit === "Nm3") {
    return rated_flow_m3_per_h === undefined ? FLOW_MAX_M3_PER_S : (rated_flow_m3_per_h * 1.2) / 3600;
  }
  if (unit === "L") return rated_flow_m3_per_h === undefined ? FUEL_MAX_L_PER_S : rated_flow_m3_per_h * (1.2 / 3.6);
  return (settings.rated_power_W === undefined ? POWER_MAX_W : settings.rated_power_W * 1.2) / 3600;
}

function assertAccountable(model: MeterModel, meter: MeterSetup, counters: readonly Register[]): void {
  const [book] = CARRIERS[meter.carrier].counters;
  if (counters.some(({ quantity }) => quantity === book)) return;
  const others = Object.entries(CARRIERS).filter(
    ([
      ,
      {
        counters: [booked],
      },
    ]) => model.registers.some((r) => booked !== undefined && r.quantity === booked),
  );
  throw new KhuXanhError(
    "CONFIG_INVALID",
    `meter ${meter.id}: ${model.id} has no ${book}, which ${meter.carrier} is booked by`,
    {
      hint:
        others.length === 0
          ? "Choose another meter model; this one counts nothing that is booked."
          : `Choose another model, or a carrier this one can book: ${others.map(([id]) => id).join(", ")}.`,
      context: { meter: meter.id, model: model.id, carrier: meter.carrier },
    },
  );
}

function assertScalable(model: MeterModel, meter: MeterSetup, register: Register, settings: DeviceSettings): void {
  const context = { meter: meter.id, model: model.id, register: register.name };
  if (register.unit === "count" && settings.m3_per_count === undefined) {
    throw new KhuXanhError(
      "COUNTER_RESOLUTION_UNKNOWN",
      `meter ${meter.id}: ${model.id} counts ${register.name} in counts of unknown volume`,
      { hint: "Add m3_per_count to the meter: compare the register with the display over one day.", context },
    );
  }
  const ratio = register.site_factor;
  if (ratio !== undefined && siteRatio(ratio, settings) === undefined) {
    throw new KhuXanhError("CONFIG_INVALID", `meter ${meter.id}: ${model.id} needs ${ratio} for ${register.name}`, {
      hint: `Add ${ratio} to the meter: primary ÷ secondary of the transformer, 1 if there is none.`,
      context,
    });
  }
}
