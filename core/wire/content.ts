import { CARRIER_IDS, type CarrierId, METER_ROLES, type MeterRole } from "../emission/carriers.ts";
import { parseDecimal } from "../emission/decimal.ts";
import { type Emission, emittingQuantity } from "../emission/emission.ts";
import { GASES, type GasId } from "../emission/factor.ts";
import { zoneOffset_ms } from "../interval/calendar.ts";
import {
  type Boundary,
  type CounterWords,
  INTERVAL_CAUSES,
  type Interval,
  type IntervalFlag,
} from "../interval/interval.ts";
import type { CounterDefinition, DeviceDefinition } from "../model/deviceDefinition.ts";
import { QUALITY_REASONS, type QualityReason, type Reading } from "../reading/reading.ts";
import { QUANTITIES, type QuantityId, quantityOfWire } from "../units/quantities.ts";
import { notationOfUcum, UNITS, type UnitNotation } from "../units/units.ts";
import { MetricName } from "./ack.ts";
import {
  DataType,
  type DataTypeCode,
  data,
  type Metric,
  type MetricWriter,
  valueOf as metricValue,
  type PropertySet,
  type PropertyValue,
  property,
  QUALITY_PROPERTY,
  QualityCode,
} from "./metric.ts";
import { isBatchNumber } from "./ranges.ts";

/**
 * What our batches carry and how it stands in Sparkplug metrics (reference sparkplug §17.5). Edge and cloud both go
 * through this file, so that what one writes the other reads back to the last digit.
 *
 * gauge     Double in the quantity's unit          `Power/Active/Total`
 * counter   Int64 ticks                            `Energy/Active/Import/Total`
 * interval  Int64 ticks, timestamp = its end       `Interval/Energy/Active/Import/Total`
 * emission  Int64 mg, timestamp = interval end     `Emissions/CO2`
 */
export const INTERVAL_FOLDER = "Interval/";
export const EMISSIONS_FOLDER = "Emissions/";
export const PROPERTIES_FOLDER = "Properties/";

const GAS_NAMES: Readonly<Record<GasId, string>> = { co2: "CO2", ch4: "CH4", n2o: "N2O", co2_biogenic: "CO2Biogenic" };

/** A metric as a device birth announces it. */
export interface BornMetric {
  readonly name: string;
  readonly alias: number | null;
  readonly datatype: number;
  /** Birth properties as text; for the constant `Properties/*` metrics also their `value`. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Class limits, per cent of the value; a transformer that is not named is none. */
export interface MeterAccuracy {
  readonly meter_pct: number;
  readonly ct_pct: number | null;
  readonly vt_pct: number | null;
}

/** What the collector must know of a meter to recompute its figures; all of it travels in the device birth. */
export interface DeviceProfile {
  readonly device: string;
  readonly name: { readonly vi: string; readonly en: string } | null;
  readonly model: string;
  readonly modelVersion: string;
  readonly carrier: CarrierId;
  readonly role: MeterRole;
  readonly parent: string | null;
  readonly interval_ms: number;
  readonly time_zone: string;
  readonly ncv_MJ_per_Nm3: string | null;
  readonly accuracy: MeterAccuracy | null;
  /** Site of the zone that sells what flows through; null = it comes across the zone's fence. */
  readonly supplier: string | null;
  readonly counters: readonly CounterDefinition[];
}

/** Every metric a device will ever send, in birth order; constants carry their value in `properties.value`. */
export function deviceMetrics(definition: DeviceDefinition): readonly Omit<BornMetric, "alias">[] {
  const metrics: Omit<BornMetric, "alias">[] = [];
  for (const [name, value] of constantsOf(definition)) {
    metrics.push({ name: `${PROPERTIES_FOLDER}${name}`, datatype: DataType.String, properties: { value } });
  }
  for (const { register } of definition.registers) {
    if (register.quantity === undefined) continue;
    const counter = definition.counters.find((c) => c.quantity === register.quantity);
    const about = {
      model: definition.model,
      modelVersion: definition.modelVersion,
      register: `${register.fc}:${register.address}:${register.type}`,
    };
    metrics.push(
      counter === undefined
        ? { ...gaugeMetric(register.quantity), properties: { ...gaugeMetric(register.quantity).properties, ...about } }
        : { ...counterMetric(counter), properties: { ...counterMetric(counter).properties, ...about } },
    );
  }
  for (const counter of definition.counters) {
    if (!counter.accounted) continue;
    metrics.push({
      name: `${INTERVAL_FOLDER}${QUANTITIES[counter.quantity].wire}`,
      datatype: DataType.Int64,
      properties: { engUnit: UNITS[counter.tick.unit].ucum, tick: tickText(counter.tick) },
    });
  }
  if (emittingQuantity({ ...definition, ncv_MJ_per_Nm3: null }) !== null) {
    for (const gas of GASES) {
      metrics.push({
        name: `${EMISSIONS_FOLDER}${GAS_NAMES[gas]}`,
        datatype: DataType.Int64,
        properties: { engUnit: "mg" },
      });
    }
  }
  metrics.push({ name: MetricName.deliveryBatch, datatype: DataType.Int64, properties: {} });
  return metrics;
}

function constantsOf(definition: DeviceDefinition): readonly (readonly [string, string])[] {
  return [
    ["NameVi", definition.name?.vi ?? ""],
    ["NameEn", definition.name?.en ?? ""],
    ["Model", definition.model],
    ["ModelVersion", definition.modelVersion],
    ["Carrier", definition.carrier],
    ["Role", definition.role],
    ["Parent", definition.parent ?? ""],
    ["Interval_ms", String(definition.interval_ms)],
    ["TimeZone", definition.time_zone],
    ["Ncv_MJ_per_Nm3", definition.settings.ncv_MJ_per_Nm3?.value ?? ""],
    ["NcvSource", definition.settings.ncv_MJ_per_Nm3?.source ?? ""],
    ...statedOf(definition.settings),
  ];
}

/** Constants that only a birth carries whose meter states them. */
function statedOf({ meter_class, ct_class, vt_class, supplier }: DeviceDefinition["settings"]) {
  const stated = { MeterClass: meter_class, CtClass: ct_class, VtClass: vt_class, Supplier: supplier };
  return Object.entries(stated).flatMap(([name, value]): (readonly [string, string])[] =>
    value === undefined ? [] : [[name, String(value)]],
  );
}

function gaugeMetric(quantity: QuantityId): Omit<BornMetric, "alias"> {
  const row = QUANTITIES[quantity];
  return { name: row.wire, datatype: DataType.Double, properties: { engUnit: UNITS[row.unit].ucum } };
}

function counterMetric(counter: CounterDefinition): Omit<BornMetric, "alias"> {
  return {
    name: QUANTITIES[counter.quantity].wire,
    datatype: DataType.Int64,
    properties: {
      engUnit: UNITS[counter.tick.unit].ucum,
      tick: tickText(counter.tick),
      modulus: counter.modulus === null ? "" : String(counter.modulus),
      rateMax_ticks_per_s: String(counter.rateMax_ticks_per_s),
      float32_ticks_per_unit: counter.float32_ticks_per_unit === null ? "" : String(counter.float32_ticks_per_unit),
      poll_ms: String(counter.poll_ms),
      accounted: String(counter.accounted),
    },
  };
}

/** `1 W.h`: exact decimal and UCUM unit. */
function tickText(tick: CounterDefinition["tick"]): string {
  return `${tick.amount} ${UNITS[tick.unit].ucum}`;
}

export function parseTick(text: string): CounterDefinition["tick"] | null {
  const blank = text.indexOf(" ");
  const unit = notationOfUcum(text.slice(blank + 1));
  const amount = text.slice(0, blank);
  return unit === undefined || !DECIMAL.test(amount) ? null : { amount, unit };
}

/** The profile of a device as its birth says it; null if it is not one of ours (a plain Sparkplug device). */
export function profileOfBirth(device: string, metrics: readonly BornMetric[]): DeviceProfile | null {
  const constant = (name: string): string | undefined =>
    metrics.find((m) => m.name === `${PROPERTIES_FOLDER}${name}`)?.properties.value;
  const carrier = CARRIER_IDS.find((id) => id === constant("Carrier"));
  const role = METER_ROLES.find((id) => id === constant("Role"));
  const interval_ms = Number(constant("Interval_ms"));
  const time_zone = constant("TimeZone");
  const isOurs = carrier !== undefined && role !== undefined && isTimeZone(time_zone) && isIntervalLength(interval_ms);
  if (!isOurs) return null;
  const [vi, en] = [constant("NameVi"), constant("NameEn")];
  return {
    device,
    name: vi && en ? { vi, en } : null,
    model: constant("Model") ?? "",
    modelVersion: constant("ModelVersion") ?? "",
    carrier,
    role,
    parent: constant("Parent") || null,
    interval_ms,
    time_zone,
    ncv_MJ_per_Nm3: DECIMAL.test(constant("Ncv_MJ_per_Nm3") ?? "") ? (constant("Ncv_MJ_per_Nm3") ?? null) : null,
    accuracy: accuracyOf(constant),
    supplier: constant("Supplier") || null,
    counters: metrics.flatMap((m) => counterOfBirth(m) ?? []),
  };
}

function accuracyOf(constant: (name: string) => string | undefined): MeterAccuracy | null {
  const limit = (name: string): number | null => {
    const limit_pct = Number(constant(name) ?? Number.NaN);
    return limit_pct > 0 && limit_pct <= 100 ? limit_pct : null;
  };
  const meter_pct = limit("MeterClass");
  return meter_pct === null ? null : { meter_pct, ct_pct: limit("CtClass"), vt_pct: limit("VtClass") };
}

const DECIMAL = /^\d{1,20}(\.\d{1,20})?$/;

/** Whole milliseconds that divide a day. */
function isIntervalLength(interval_ms: number): boolean {
  return interval_ms >= 1000 && 86_400_000 % interval_ms === 0;
}

function isTimeZone(text: string | undefined): text is string {
  try {
    if (text !== undefined) zoneOffset_ms(text, 0);
    return text !== undefined;
  } catch {
    return false;
  }
}

function counterOfBirth({ name, properties }: BornMetric): CounterDefinition | null {
  const quantity = quantityOfWire(name);
  const tick = parseTick(properties.tick ?? "");
  if (quantity === undefined || tick === null || properties.modulus === undefined) return null;
  const rateMax_ticks_per_s = Number(properties.rateMax_ticks_per_s);
  const poll_ms = Number(properties.poll_ms);
  if (!(rateMax_ticks_per_s > 0) || !(poll_ms > 0) || !MODULUS.test(properties.modulus)) return null;
  return {
    quantity,
    tick,
    modulus: properties.modulus === "" ? null : BigInt(properties.modulus),
    rateMax_ticks_per_s,
    float32_ticks_per_unit: Number(properties.float32_ticks_per_unit) || null,
    accounted: properties.accounted === "true",
    poll_ms,
  };
}

/** Empty = never wraps; no register is longer than 64 bits. */
const MODULUS = /^$|^[1-9]\d{0,19}$/;

/** How a metric is named in this session: alias and head flags. */
export interface Naming {
  aliasOf(name: string): number;
  readonly isHistorical: boolean;
}

/** Of a device whose samples bring the same quantities in the same order time and again. */
export interface SampleNaming extends Naming {
  /** Alias of the quantity's metric. @param place among the readings of its sample */
  aliasOfReading(quantity: QuantityId, place: number): number;
}

const QUALITY_CODE = {
  good: QualityCode.Good,
  uncertain: QualityCode.Good,
  bad: QualityCode.Bad,
  stale: QualityCode.Stale,
};

export function readingMetric(reading: Reading, naming: Naming): Metric {
  const row = QUANTITIES[reading.quantity];
  const properties = reading.quality === "good" ? undefined : qualityProperties(reading);
  const head = headOf(row.wire, reading.at_ms, naming, properties);
  if (typeof reading.value === "bigint") return data.int64(head, reading.value);
  if (reading.value === null) return row.kind === "counter" ? data.int64(head, null) : data.double(head, null);
  return data.double(head, reading.value);
}

/** As {@link readingMetric}, all of a sample into a message. */
export function writeReadings(to: MetricWriter, readings: readonly Reading[], naming: SampleNaming): void {
  const { isHistorical } = naming;
  // By index, as everything that is done for every reading: an iterator makes an object for each.
  for (let place = 0; place < readings.length; place++) {
    const reading = readings[place]!;
    const { value } = reading;
    if (reading.quality !== "good" || value === null) to.metric(readingMetric(reading, naming));
    else to.number(naming.aliasOfReading(reading.quantity, place), reading.at_ms, isHistorical, value);
  }
}

export function intervalMetric(interval: Interval, naming: Naming): Metric {
  const properties = new Map<string, PropertyValue>([
    ["start_ms", property.int64(interval.from_ms)],
    ["flag", property.string(interval.flag)],
    ["coverage", property.double(interval.coverage)],
    ["polls_expected", property.int32(interval.pollsExpected)],
    ["polls_answered", property.int32(interval.pollsAnswered)],
    ["tick", property.string(tickText(interval.tick))],
  ]);
  if (interval.cause !== null) properties.set("cause", property.string(interval.cause));
  addBoundary(properties, "opening", interval.opening);
  addBoundary(properties, "closing", interval.closing);
  const name = `${INTERVAL_FOLDER}${QUANTITIES[interval.quantity].wire}`;
  return data.int64(headOf(name, interval.to_ms, naming, properties), interval.ticks);
}

export function emissionMetric(emission: Emission, naming: Naming): Metric {
  const properties = new Map<string, PropertyValue>([
    ["start_ms", property.int64(emission.from_ms)],
    ["scope", property.int32(emission.scope)],
    ["carrier", property.string(emission.carrier)],
    ["factorId", property.string(emission.factorId)],
    ["factorVersion", property.string(emission.factorVersion)],
    ["match", property.string(emission.match)],
  ]);
  if (emission.ncv_MJ_per_Nm3 !== null) properties.set("ncv_MJ_per_Nm3", property.string(emission.ncv_MJ_per_Nm3));
  const name = `${EMISSIONS_FOLDER}${GAS_NAMES[emission.gas]}`;
  return data.int64(headOf(name, emission.to_ms, naming, properties), emission.mg);
}

/** The batch metric; the last one of its payload, because readings are older and live metrics must be in time order. */
export function writeBatch(to: MetricWriter, number: number, sent_ms: number, naming: Naming): void {
  to.transient(naming.aliasOf(MetricName.deliveryBatch), sent_ms, BigInt(number));
}

function headOf(name: string, timestamp_ms: number, naming: Naming, properties: PropertySet | undefined) {
  const alias = naming.aliasOf(name);
  if (properties === undefined) {
    return naming.isHistorical ? { alias, timestamp_ms, isHistorical: true } : { alias, timestamp_ms };
  }
  return naming.isHistorical
    ? { alias, timestamp_ms, isHistorical: true, properties }
    : { alias, timestamp_ms, properties };
}

function qualityProperties(reading: Reading): PropertySet {
  const properties = new Map<string, PropertyValue>([
    [QUALITY_PROPERTY, property.int32(QUALITY_CODE[reading.quality])],
  ]);
  if (reading.why !== null) properties.set("QualityReason", property.string(reading.why));
  return properties;
}

function addBoundary(properties: Map<string, PropertyValue>, which: "opening" | "closing", boundary: Boundary | null) {
  if (boundary === null) return;
  properties.set(`${which}Count`, property.int64(boundary.count));
  if (boundary.words !== null) properties.set(which, property.string(formatWords(boundary.words)));
  if (boundary.across !== null) properties.set(`${which}Across`, property.string(formatWords(boundary.across)));
}

/** `fc:address:hex@ms`, e.g. `3:3203:0000000000A1B2C3@1760000000000`. */
export function formatWords(words: CounterWords): string {
  return `${words.fc}:${words.address}:${words.hex}@${words.at_ms}`;
}

export function parseWords(text: string): CounterWords | null {
  const match = /^([34]):(\d{1,5}):([0-9A-F]+)@(\d{1,15})$/.exec(text);
  if (match === null) return null;
  return { fc: match[1] === "3" ? 3 : 4, address: Number(match[2]), hex: match[3] ?? "", at_ms: Number(match[4]) };
}

/** One metric of a DDATA read back through its birth; null for metrics that are not content of ours. */
export type MetricContent =
  | { readonly kind: "reading"; readonly reading: Reading }
  | { readonly kind: "interval"; readonly interval: Interval }
  | { readonly kind: "emission"; readonly emission: Emission }
  | { readonly kind: "batch"; readonly number: number }
  | { readonly kind: "other" }
  | { readonly kind: "malformed"; readonly why: string };

export function metricContent(device: string, metric: Metric, born: BornMetric, sent_ms: number): MetricContent {
  const at_ms = metric.timestamp_ms ?? sent_ms;
  const value = metricValue(metric, (metric.datatype ?? born.datatype) as DataTypeCode);
  const meaning = meaningOf(born);
  switch (meaning.kind) {
    case "batch":
      return typeof value === "bigint" && isBatchNumber(Number(value))
        ? { kind: "batch", number: Number(value) }
        : malformed("the batch number is no positive integer");
    case "interval":
      return intervalContent(device, metric, born, at_ms, value);
    case "emission":
      return emissionContent(device, metric, born, at_ms, value);
    case "other":
      return OTHER;
    case "reading": {
      if (value !== null && typeof value !== "number" && typeof value !== "bigint") {
        return malformed(`${born.name} is no number`);
      }
      const reading = readingOf(meaning.quantity, at_ms, value, metric.properties);
      if (typeof value === "bigint" && reading.quality === "good" && isOutside(value, meaning.modulus)) {
        return { kind: "reading", reading: { ...reading, quality: "uncertain", why: "out-of-range" } };
      }
      return { kind: "reading", reading };
    }
  }
}

const OTHER: MetricContent = { kind: "other" };

/** What a born metric says of every metric sent under it. */
type Meaning =
  | { readonly kind: "batch" | "interval" | "emission" | "other" }
  | { readonly kind: "reading"; readonly quantity: QuantityId; readonly modulus: bigint | null };

/** Names are looked up once a birth and not once a reading: the collector reads hundreds of thousands a second. */
const meanings = new WeakMap<BornMetric, Meaning>();

function meaningOf(born: BornMetric): Meaning {
  let meaning = meanings.get(born);
  if (meaning === undefined) {
    meaning = readMeaning(born);
    meanings.set(born, meaning);
  }
  return meaning;
}

function readMeaning({ name, properties }: BornMetric): Meaning {
  if (name === MetricName.deliveryBatch) return { kind: "batch" };
  if (name.startsWith(INTERVAL_FOLDER)) return { kind: "interval" };
  if (name.startsWith(EMISSIONS_FOLDER)) return { kind: "emission" };
  const quantity = quantityOfWire(name);
  if (quantity === undefined) return { kind: "other" };
  return { kind: "reading", quantity, modulus: modulusOf(properties) };
}

/** Of a born metric. */
export function modulusOf({ modulus = "" }: BornMetric["properties"]): bigint | null {
  return modulus !== "" && MODULUS.test(modulus) ? BigInt(modulus) : null;
}

/** A count that its register cannot hold; kept, but nothing is computed from it. */
export function isOutside(count: bigint, modulus: bigint | null): boolean {
  return count < 0n || (modulus !== null && count >= modulus);
}

function readingOf(
  quantity: QuantityId,
  at_ms: number,
  value: number | bigint | null,
  properties: PropertySet | undefined,
): Reading {
  if (properties === undefined) {
    return value === null
      ? { quantity, at_ms, value, quality: "bad", why: null }
      : { quantity, at_ms, value, quality: "good", why: null };
  }
  const code = properties.get(QUALITY_PROPERTY)?.intValue ?? QualityCode.Good;
  const reason = properties.get("QualityReason")?.stringValue;
  const why: QualityReason | null = QUALITY_REASONS.find((known) => known === reason) ?? null;
  const quality =
    value === null || code === QualityCode.Bad
      ? "bad"
      : code === QualityCode.Stale
        ? "stale"
        : reason !== undefined
          ? "uncertain"
          : "good";
  return { quantity, at_ms, value, quality, why };
}

type Value = ReturnType<typeof metricValue>;

function intervalContent(device: string, metric: Metric, born: BornMetric, to_ms: number, value: Value): MetricContent {
  const quantity = quantityOfWire(born.name.slice(INTERVAL_FOLDER.length));
  const p = metric.properties ?? new Map();
  const from_ms = longOf(p, "start_ms");
  const tick = parseTick(textOf(p, "tick") ?? born.properties.tick ?? "");
  const flag = textOf(p, "flag");
  if (quantity === undefined || from_ms === null || tick === null || !isFlag(flag) || from_ms >= to_ms) {
    return malformed(`${born.name}: start_ms, tick or flag is missing or wrong`);
  }
  if (value !== null && typeof value !== "bigint") return malformed(`${born.name} is no integer`);
  return {
    kind: "interval",
    interval: {
      device,
      quantity,
      from_ms,
      to_ms,
      tick,
      ticks: value,
      flag,
      coverage: p.get("coverage")?.doubleValue ?? 0,
      pollsExpected: p.get("polls_expected")?.intValue ?? 0,
      pollsAnswered: p.get("polls_answered")?.intValue ?? 0,
      cause: INTERVAL_CAUSES.find((known) => known === textOf(p, "cause")) ?? null,
      opening: boundaryOf(p, "opening"),
      closing: boundaryOf(p, "closing"),
    },
  };
}

function emissionContent(device: string, metric: Metric, born: BornMetric, to_ms: number, value: Value): MetricContent {
  const gasName = born.name.slice(EMISSIONS_FOLDER.length);
  const gas = GASES.find((id) => GAS_NAMES[id] === gasName);
  const p = metric.properties ?? new Map();
  const from_ms = longOf(p, "start_ms");
  const scope = p.get("scope")?.intValue;
  const carrier = CARRIER_IDS.find((id) => id === textOf(p, "carrier"));
  const match = textOf(p, "match");
  const factorId = textOf(p, "factorId");
  const factorVersion = textOf(p, "factorVersion");
  if (gas === undefined || typeof value !== "bigint" || carrier === undefined || from_ms === null || from_ms >= to_ms) {
    return malformed(`${born.name}: gas, mass, start_ms or carrier is missing or wrong`);
  }
  if (factorId === undefined || factorVersion === undefined || (scope !== 1 && scope !== 2)) {
    return malformed(`${born.name}: factor or scope is missing or wrong`);
  }
  if (match !== "exact" && match !== "provisional") return malformed(`${born.name}: match is ${match}`);
  return {
    kind: "emission",
    emission: {
      device,
      from_ms,
      to_ms,
      gas,
      mg: value,
      scope,
      carrier,
      factorId,
      factorVersion,
      match,
      ncv_MJ_per_Nm3: textOf(p, "ncv_MJ_per_Nm3") ?? null,
    },
  };
}

function boundaryOf(properties: PropertySet, which: "opening" | "closing"): Boundary | null {
  const count = properties.get(`${which}Count`)?.longValue;
  if (count === undefined) return null;
  return {
    count: BigInt.asIntN(64, count),
    words: parseWords(textOf(properties, which) ?? ""),
    across: parseWords(textOf(properties, `${which}Across`) ?? ""),
  };
}

function textOf(properties: PropertySet, key: string): string | undefined {
  return properties.get(key)?.stringValue;
}

function longOf(properties: PropertySet, key: string): number | null {
  const value = properties.get(key)?.longValue;
  const number = value === undefined ? Number.NaN : Number(BigInt.asIntN(64, value));
  return Number.isSafeInteger(number) ? number : null;
}

function isFlag(text: string | undefined): text is IntervalFlag {
  return text === "M" || text === "C" || text === "S" || text === "E" || text === "X";
}

function malformed(why: string): MetricContent {
  return { kind: "malformed", why };
}

/** Total of a counter in its quantity's unit, for display: ticks × tick, e.g. kWh, as the number nearest to it. */
export function counterValue(ticks: bigint, tick: CounterDefinition["tick"], unit: UnitNotation): number {
  const { digits, scale } = parseDecimal(tick.amount);
  const places = scale + (PLACES[`${tick.unit}>${unit}`] ?? 0);
  return Number(`${ticks * digits}e${-places}`);
}

/** Decimal places that a tick's unit lies below the quantity's. */
const PLACES: Readonly<Record<string, number>> = {
  "Wh>kWh": 3,
  "varh>kvarh": 3,
  "VAh>kVAh": 3,
};
