import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { type BornMetric, counterValue, deviceMetrics, metricContent } from "../../core/wire/content.ts";
import { parseNodeRecord } from "../../core/wire/nodeRecord.ts";
import { decodePayload } from "../../core/wire/payload.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";
import type { StoredRecord } from "./journal.ts";
import { decodeSampleRecord } from "./sample.ts";

/** What an export shows. A kind's columns are its contract: new ones are added at the end, none changes its meaning. */
export const EXPORT_COLUMNS = {
  readings: ["at", "device", "quantity", "value", "unit", "quality", "why", "batch", "confirmed"],
  intervals: [
    ...["from", "to", "device", "quantity", "value", "unit", "flag", "coverage", "cause"],
    ...["polls_expected", "polls_answered", "batch", "confirmed"],
  ],
  emissions: [
    ...["from", "to", "device", "gas", "value", "unit", "scope", "factor_id", "factor_version", "match"],
    ...["batch", "confirmed"],
  ],
  losses: ["noted_at", "from", "to", "device", "count", "what", "why", "epoch", "batches", "batch", "confirmed"],
  raw: ["at", "device", "boot", "mono_ms", "definition", "fc", "address", "words", "batch", "confirmed"],
} as const;
export type ExportKind = keyof typeof EXPORT_COLUMNS;
export type Row = readonly (string | number | boolean | null)[];

/** A record of the journal as rows of this kind; none if it holds nothing of it, or nobody can decode it any more. */
export function rowsOf(
  kind: ExportKind,
  record: StoredRecord & { readonly isConfirmed: boolean },
  definitionOf: (hash: string) => DeviceDefinition | null,
  definitionNow: (device: string) => DeviceDefinition | null,
): Row[] {
  const tail = [record.number, record.isConfirmed];
  if (record.kind === "node") return kind === "losses" ? lossRow(record, tail) : [];
  if (record.kind === "content") {
    return kind === "intervals" || kind === "emissions"
      ? bookRows(kind, record, definitionNow(record.device), tail)
      : [];
  }
  if (kind === "raw") return rawRows(record, tail);
  return kind === "readings" ? readingRows(record, definitionOf, tail) : [];
}

type Tail = readonly (number | boolean)[];

function lossRow({ body }: StoredRecord, tail: Tail): Row[] {
  const loss = parseNodeRecord(new TextDecoder().decode(body));
  if (loss.kind !== "loss") return [];
  const batches = loss.batches?.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
  const times = [time(loss.at_ms), time(loss.from_ms), time(loss.to_ms)];
  return [[...times, loss.device, loss.count, loss.what, loss.why, loss.epoch, batches ?? null, ...tail]];
}

function rawRows(record: StoredRecord, tail: Tail): Row[] {
  const { sample, boot, definition } = decodeSampleRecord(record);
  return sample.blocks.map(({ fc, address, words }) => [
    time(sample.at_ms),
    sample.device,
    boot,
    sample.mono_ms,
    definition,
    fc,
    address,
    Array.from(words, (word) => word.toString(16).padStart(4, "0")).join(" "),
    ...tail,
  ]);
}

function readingRows(record: StoredRecord, definitionOf: (hash: string) => DeviceDefinition | null, tail: Tail): Row[] {
  const { sample, definition: hash } = decodeSampleRecord(record);
  const definition = definitionOf(hash);
  if (definition === null) return [];
  return decodeSample(definition, sample).map(({ quantity, at_ms, value, quality, why }) => {
    const { unit } = QUANTITIES[quantity];
    const tick = definition.counters.find((counter) => counter.quantity === quantity)?.tick;
    const shown =
      typeof value === "bigint" ? (tick === undefined ? String(value) : counterValue(value, tick, unit)) : value;
    return [time(at_ms), sample.device, quantity, shown, unit, quality, why, ...tail];
  });
}

function bookRows(
  kind: "intervals" | "emissions",
  { device, body, from_ms }: StoredRecord,
  definition: DeviceDefinition | null,
  tail: Tail,
): Row[] {
  if (definition === null) return [];
  const born = new Map(
    deviceMetrics(definition).map((metric, alias): [string, BornMetric] => [metric.name, { ...metric, alias }]),
  );
  return decodePayload(body).metrics.flatMap((metric): Row[] => {
    const meaning = born.get(metric.name ?? "");
    const content = meaning === undefined ? null : metricContent(device, metric, meaning, from_ms);
    if (kind === "intervals" && content?.kind === "interval") {
      const { quantity, ticks, tick, flag, coverage, cause, pollsExpected, pollsAnswered, ...of } = content.interval;
      const { unit } = QUANTITIES[quantity];
      const value = ticks === null ? null : counterValue(ticks, tick, unit);
      const times = [time(of.from_ms), time(of.to_ms)];
      return [[...times, device, quantity, value, unit, flag, coverage, cause, pollsExpected, pollsAnswered, ...tail]];
    }
    if (kind === "emissions" && content?.kind === "emission") {
      const { gas, mg, scope, factorId, factorVersion, match, ...of } = content.emission;
      return [
        [
          time(of.from_ms),
          time(of.to_ms),
          device,
          gas,
          String(mg),
          "mg",
          scope,
          factorId,
          factorVersion,
          match,
          ...tail,
        ],
      ];
    }
    return [];
  });
}

function time(at_ms: number): string {
  return Math.abs(at_ms) <= 8.64e15 ? new Date(at_ms).toISOString() : String(at_ms);
}
