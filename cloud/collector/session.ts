import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import {
  type BornMetric,
  counterValue,
  type DeviceProfile,
  parseTick,
  profileOfBirth,
} from "../../core/wire/content.ts";
import { DataType, type DataTypeCode, type Metric, valueOf as metricValue } from "../../core/wire/payload.ts";
import type { GatewayKey } from "../store/store.ts";
import type { SentReading } from "./intake.ts";
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
  readonly byAlias: ReadonlyMap<number, BornMetric>;
  readonly byName: ReadonlyMap<string, BornMetric>;
  isAlive: boolean;
  /** Since when its values are no longer current: its death, or its node's; null while it is alive. */
  staleSince_ms: EpochMs | null;
  /** Newest values, changed in place as data arrive. */
  readonly values: Map<QuantityId, LiveValue>;
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

export function deviceSession(device: string, birthId: number, born: readonly BornMetric[]): DeviceSession {
  return {
    device,
    birthId,
    profile: profileOfBirth(device, born),
    byAlias: new Map(born.flatMap((metric) => (metric.alias === null ? [] : [[metric.alias, metric] as const]))),
    byName: new Map(born.map((metric) => [metric.name, metric])),
    isAlive: true,
    staleSince_ms: null,
    values: new Map(),
  };
}

/** The birth's entry for a metric of a data message; undefined = we missed that birth. */
export function bornOf(session: DeviceSession, metric: Metric): BornMetric | undefined {
  return metric.alias === undefined ? session.byName.get(metric.name ?? "") : session.byAlias.get(metric.alias);
}

export function textOf(metrics: readonly Metric[], name: string): string | null {
  return metrics.find((metric) => metric.name === name)?.stringValue ?? null;
}

export function integerOf(metrics: readonly Metric[], name: string, datatype: DataTypeCode): number | null {
  const metric = metrics.find((candidate) => candidate.name === name);
  const value = metric === undefined ? null : metricValue(metric, datatype);
  return typeof value === "bigint" || typeof value === "number" ? Number(value) : null;
}

export function sentMetric(reading: Reading, metric: Metric, born: BornMetric): SentReading {
  return { reading, born, isHistorical: metric.isHistorical === true };
}

/** A historical reading moves the live value only if it is newer and the node is online. */
export function showLive(device: DeviceSession, { reading, born, isHistorical }: SentReading, isOnline: boolean): void {
  if (isHistorical && !isOnline) return;
  const known = device.values.get(reading.quantity);
  if (known !== undefined && known.at_ms >= reading.at_ms) return;
  device.values.set(reading.quantity, liveValue(reading, born));
}

function liveValue({ at_ms, quality, why, value, quantity }: SentReading["reading"], born: BornMetric): LiveValue {
  if (typeof value !== "bigint") return { value, at_ms, quality, why };
  const tick = parseTick(born.properties.tick ?? "");
  return {
    value: tick === null ? null : counterValue(value, tick, QUANTITIES[quantity].unit),
    at_ms,
    quality,
    why,
  };
}
