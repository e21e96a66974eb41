import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import { DELIVERY_VERSION, MetricName } from "../../core/wire/ack.ts";
import { deviceMetrics, readingMetric } from "../../core/wire/content.ts";
import { NODE_RECORD_METRICS } from "../../core/wire/nodeRecord.ts";
import { type DataTypeCode, encodePayload, type Metric, metric, property } from "../../core/wire/payload.ts";

/** Births and deaths as metrics. Pure: whoever publishes them gives them their place in the session. */

/** A meter as it is now. */
export interface LiveDevice {
  readonly definition: DeviceDefinition;
  /** Its hash in the journal. */
  readonly hash: string;
  readonly isAnswering: boolean;
  readonly last: ReadonlyMap<QuantityId, Reading>;
}

export interface NodeFacts {
  readonly bdSeq: number;
  readonly epoch: string;
  readonly site: string;
  readonly software: string;
  readonly pending: number;
  readonly oldestPending_ms: EpochMs | null;
}

type AliasOf = (name: string) => number;

/** Every metric the node will send in this session [topics-nbirth-metric-reqs]; bdSeq, Rebirth and Ack go by name only. */
export function nodeBirthMetrics(facts: NodeFacts, aliasOf: AliasOf, now_ms: EpochMs): Metric[] {
  const named = (name: string) => ({ name, timestamp_ms: now_ms });
  const aliased = (name: string) => ({ name, alias: aliasOf(name), timestamp_ms: now_ms });
  return [
    metric.int64(named(MetricName.bdSeq), facts.bdSeq),
    metric.boolean(named(MetricName.rebirth), false),
    metric.int32(named(MetricName.deliveryVersion), DELIVERY_VERSION),
    metric.string(named(MetricName.deliveryEpoch), facts.epoch),
    metric.string(named(MetricName.deliveryAck), ""),
    metric.int64(aliased(MetricName.deliveryPending), facts.pending),
    metric.dateTime(aliased(MetricName.deliveryOldest), facts.oldestPending_ms),
    ...Object.values(NODE_RECORD_METRICS).map((name) => metric.string(aliased(name), null)),
    metric.int64({ ...aliased(MetricName.deliveryBatch), isTransient: true }, null),
    metric.string(named("Properties/Site"), facts.site),
    metric.string(named("Properties/Software"), facts.software),
  ];
}

/** Every metric the meter will send, with its newest value or null [topics-dbirth-metrics]. */
export function deviceBirthMetrics(
  { definition, last }: Pick<LiveDevice, "definition" | "last">,
  aliasOf: AliasOf,
  now_ms: EpochMs,
): Metric[] {
  const byWire = new Map([...last].map(([quantity, reading]) => [QUANTITIES[quantity].wire as string, reading]));
  return deviceMetrics(definition).map(({ name, datatype, properties: { value, ...texts } }): Metric => {
    const reading = byWire.get(name);
    const shown =
      value !== undefined || reading === undefined
        ? { timestamp_ms: now_ms, ...textOrNull(value) }
        : readingMetric(reading, { isHistorical: false, aliasOf });
    const properties = new Map([
      ...Object.entries(texts).map(([key, text]) => [key, property.string(text)] as const),
      ...(shown.properties ?? []),
    ]);
    return {
      ...shown,
      name,
      alias: aliasOf(name),
      datatype: datatype as DataTypeCode,
      ...(properties.size === 0 ? {} : { properties }),
      ...(name === MetricName.deliveryBatch ? { isTransient: true } : {}),
    };
  });
}

/** NDEATH: bdSeq and nothing else; the same bytes as will and as farewell [topics-ndeath-payload]. */
export function deathPayload(bdSeq: number, now_ms: EpochMs): Uint8Array {
  return encodePayload({
    timestamp_ms: now_ms,
    metrics: [metric.int64({ name: MetricName.bdSeq, timestamp_ms: now_ms }, bdSeq)],
  });
}

function textOrNull(value: string | undefined): Pick<Metric, "isNull" | "stringValue"> {
  return value === undefined ? { isNull: true } : { stringValue: value };
}
