import type { QuantityId } from "../../core/units/quantities.ts";
import { type BornMetric, type DeviceProfile, profileOfBirth } from "../../core/wire/content.ts";
import { DataType, type DataTypeCode, type Metric, valueOf as metricValue } from "../../core/wire/payload.ts";
import type { GatewayKey } from "../store/store.ts";
import type { LiveValue } from "./live.ts";

/** What the collector holds in memory of one edge node's present session; everything here can be asked for again by a rebirth. */
export interface NodeSession {
  readonly gateway: GatewayKey;
  readonly bdSeq: number;
  /** Delivery epoch; null for a node that does not speak our delivery protocol. */
  readonly epoch: string | null;
  readonly site: string | null;
  readonly software: string | null;
  /** Name → alias of the node's own metrics. */
  readonly aliases: ReadonlyMap<string, number>;
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
