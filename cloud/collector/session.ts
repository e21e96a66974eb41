import { CARRIERS } from "../../core/emission/carriers.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId, quantityOfWire } from "../../core/units/quantities.ts";
import {
  type BornMetric,
  counterValue,
  type DeviceProfile,
  metricContent,
  parseTick,
  profileOfBirth,
} from "../../core/wire/content.ts";
import type { DataMessage } from "../../core/wire/dataMessage.ts";
import {
  DataType,
  type DataTypeCode,
  decodePayload,
  type Metric,
  valueOf as metricValue,
} from "../../core/wire/payload.ts";
import type { GatewayKey } from "../store/store.ts";
import { AliasTable } from "./aliasTable.ts";
import type { LiveValue } from "./live.ts";

/** What the collector holds in memory of one edge node's present session; everything here can be asked for again by a rebirth. */
export interface NodeSession {
  readonly gateway: GatewayKey;
  readonly bdSeq: number;
  /** Delivery epoch; null for a node that does not speak our delivery protocol. */
  readonly epoch: string | null;
  readonly site: string | null;
  readonly software: string | null;
  /** The node's own metrics, as a device called {@link NODE_DEVICE}. */
  readonly self: DeviceSession;
  readonly devices: Map<string, DeviceSession>;
  isOnline: boolean;
}

export interface DeviceSession {
  readonly device: string;
  readonly birthId: number;
  readonly profile: DeviceProfile | null;
  /** The counter whose readings are the polls of the ledger; null for a device whose birth does not say how it counts. */
  readonly mainCounter: QuantityId | null;
  readonly byAlias: AliasTable<DeviceMetric>;
  readonly byName: ReadonlyMap<string, DeviceMetric>;
  isAlive: boolean;
  /** Since when its values are no longer current: its death, or its node's; null while it is alive. */
  staleSince_ms: EpochMs | null;
  /** Newest values, as far as they were asked for: {@link liveValues} brings them up to date. */
  readonly values: Map<QuantityId, LiveValue>;
}

/** One metric of a device's birth, with the newest that was sent of it: what that says is worked out when somebody asks. */
export interface DeviceMetric {
  readonly born: BornMetric;
  /** What it is a reading of; null for intervals, emissions, the batch number and what is not ours. */
  readonly quantity: QuantityId | null;
  /** Its birth says a type of numbers: whatever is sent under it is a number or null. */
  readonly isNumber: boolean;
  newest_ms: EpochMs;
  /** Not yet in the device's values: the metric, or a canonical payload that holds it; null = nothing newer than those. */
  newest: Metric | Uint8Array | null;
  /** Its place in that payload. */
  newestAt: number;
}

/** The metrics of a birth with their properties as text. */
export function bornMetrics(metrics: readonly Metric[]): BornMetric[] {
  return metrics.flatMap((metric): BornMetric[] => {
    if (metric.name === undefined || metric.datatype === undefined) return [];
    const properties: Record<string, string> = {};
    for (const [key, value] of metric.properties ?? []) {
      const text = metricValue(value, value.type ?? DataType.String);
      if (typeof text === "string" || typeof text === "number" || typeof text === "bigint")
        properties[key] = String(text);
    }
    if (metric.name.startsWith("Properties/") && metric.stringValue !== undefined)
      properties.value = metric.stringValue;
    return [{ name: metric.name, alias: metric.alias ?? null, datatype: metric.datatype, properties }];
  });
}

/** @param values what was known of it before this birth */
export function deviceSession(
  device: string,
  birthId: number,
  born: readonly BornMetric[],
  values: ReadonlyMap<QuantityId, LiveValue> = new Map(),
): DeviceSession {
  const profile = profileOfBirth(device, born);
  const metrics = born.map((metric): DeviceMetric => {
    const quantity = quantityOfWire(metric.name) ?? null;
    const known = quantity === null ? undefined : values.get(quantity);
    const newest_ms = known?.at_ms ?? Number.NEGATIVE_INFINITY;
    return { born: metric, quantity, isNumber: isNumberType(metric.datatype), newest_ms, newest: null, newestAt: 0 };
  });
  return {
    device,
    birthId,
    profile,
    mainCounter: profile === null ? null : (CARRIERS[profile.carrier].counters[0] ?? null),
    byAlias: new AliasTable(
      metrics.flatMap((one) => (one.born.alias === null ? [] : [[one.born.alias, one] as const])),
    ),
    byName: new Map(metrics.map((one) => [one.born.name, one])),
    isAlive: true,
    staleSince_ms: null,
    values: new Map(values),
  };
}

/** Types of which a value can be nothing but a number (Sparkplug 3.0 §6.4.16: Int8 to Double, DateTime). */
function isNumberType(datatype: number): boolean {
  return (datatype >= DataType.Int8 && datatype <= DataType.Double) || datatype === DataType.DateTime;
}

/** The birth's entry for a metric of a data message; undefined = we missed that birth. */
export function bornOf(session: DeviceSession, metric: Metric): DeviceMetric | undefined {
  return metric.alias === undefined ? session.byName.get(metric.name ?? "") : session.byAlias.get(metric.alias);
}

/** The same for the metric at this place of a message. */
export function bornAt(session: DeviceSession, message: DataMessage, at: number): DeviceMetric | undefined {
  const alias = message.aliasOf(at);
  return alias === undefined ? bornOf(session, message.metric(at)) : session.byAlias.get(alias);
}

export function textOf(metrics: readonly Metric[], name: string): string | null {
  return metrics.find((metric) => metric.name === name)?.stringValue ?? null;
}

export function integerOf(metrics: readonly Metric[], name: string, datatype: DataTypeCode): number | null {
  const metric = metrics.find((candidate) => candidate.name === name);
  const value = metric === undefined ? null : metricValue(metric, datatype);
  return typeof value === "bigint" || typeof value === "number" ? Number(value) : null;
}

/** The metrics of a message of a node that numbers no batches, each with what its birth says of it: `of[i]` of `metrics[i]`. */
export interface Sent {
  readonly at_ms: EpochMs;
  readonly metrics: readonly Metric[];
  readonly of: readonly DeviceMetric[];
}

/** Notes what was sent as the newest of its quantity, where it is one and newer. */
export function showLive({ metrics, of, at_ms }: Sent): void {
  for (let i = 0; i < metrics.length; i++) {
    const metric = metrics[i]!;
    show(of[i]!, metric.timestamp_ms ?? at_ms, metric, 0);
  }
}

/** What a data message of a device that numbers batches brings. */
export interface Content {
  readonly sent_ms: EpochMs;
  /** Its metrics in their canonical form, but for the batch number. */
  readonly payload: Uint8Array;
  /** What each metric of the message is; null for the batch number. */
  readonly of: readonly (DeviceMetric | null)[];
}

/** As {@link showLive}. @param message the one that it was read from */
export function showContent({ sent_ms, of, payload }: Content, message: DataMessage): void {
  let place = 0;
  for (let i = 0; i < of.length; i++) {
    const one = of[i]!;
    if (one !== null) show(one, message.timeOf(i, sent_ms), payload, place++);
  }
}

function show(of: DeviceMetric, at_ms: EpochMs, newest: Metric | Uint8Array, place: number): void {
  if (of.quantity === null || of.newest_ms >= at_ms) return;
  of.newest_ms = at_ms;
  of.newest = newest;
  of.newestAt = place;
}

/** What a birth says is current, also after a clock that was set back. */
export function showBorn(device: DeviceSession, metric: Metric): void {
  const of = bornOf(device, metric);
  // Null in a birth is "not read yet" and takes no value away.
  if (of === undefined || metric.isNull === true) return;
  of.newest_ms = Number.NEGATIVE_INFINITY;
  show(of, metric.timestamp_ms ?? 0, metric, 0);
}

/** The newest value of every quantity of the device that was ever sent. */
export function liveValues(device: DeviceSession): ReadonlyMap<QuantityId, LiveValue> {
  const payloads = new Map<Uint8Array, readonly Metric[]>();
  for (const of of device.byName.values()) {
    if (of.newest === null) continue;
    const metric = of.newest instanceof Uint8Array ? metricIn(of.newest, of.newestAt, payloads) : of.newest;
    const content = metricContent(device.device, metric, of.born, of.newest_ms);
    if (content.kind === "reading") device.values.set(content.reading.quantity, liveValue(content.reading, of.born));
    of.newest = null;
  }
  return device.values;
}

/** @param decoded the payloads of which a metric was asked for before */
function metricIn(payload: Uint8Array, place: number, decoded: Map<Uint8Array, readonly Metric[]>): Metric {
  let metrics = decoded.get(payload);
  if (metrics === undefined) {
    metrics = decodePayload(payload).metrics;
    decoded.set(payload, metrics);
  }
  return metrics[place]!;
}

function liveValue({ at_ms, quality, why, value, quantity }: Reading, born: BornMetric): LiveValue {
  if (typeof value !== "bigint") return { value, at_ms, quality, why };
  const tick = parseTick(born.properties.tick ?? "");
  return {
    value: tick === null ? null : counterValue(value, tick, QUANTITIES[quantity].unit),
    at_ms,
    quality,
    why,
  };
}
