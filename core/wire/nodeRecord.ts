import { KhuXanhError } from "../errors.ts";
import { QUANTITIES, type QuantityId } from "../units/quantities.ts";
import { MetricName } from "./ack.ts";
import { data, type Metric } from "./metric.ts";
import { type BatchRange, isBatchNumber } from "./ranges.ts";

/**
 * What a gateway reports about itself and not about one reading: what it lost, that its clock was wrong, that a meter was
 * replaced, how many polls it meant to make and made. Journaled, numbered and confirmed like any batch (reference
 * sparkplug §17.5), so that the books can say why something is missing.
 *
 * Form     one record a batch: JSON with `v: 1`, a String metric of the node; `Delivery/Batch` follows as the last metric.
 * Limits   NODE_RECORD_BYTES_MAX of JSON, RANGES_IN_RECORD_MAX ranges, POLLED_METERS_MAX meters; more make more records.
 * Errors   writing beyond the limits is a mistake of the caller; reading gives a record or why it is none.
 */
export type NodeRecord = LossRecord | ClockRecord | MeterSwapRecord | PollsRecord;
export type NodeRecordKind = NodeRecord["kind"];

export const NODE_RECORD_VERSION = 1;
export const NODE_RECORD_BYTES_MAX = 64 * 1024;
export const RANGES_IN_RECORD_MAX = 1000;
export const POLLED_METERS_MAX = 100;

/** Which metric of the node carries which kind. */
export const NODE_RECORD_METRICS = {
  loss: MetricName.deliveryLoss,
  clock: MetricName.deliveryClock,
  "meter-swap": MetricName.deliveryMeterSwap,
  polls: MetricName.deliveryPolls,
} as const satisfies Record<NodeRecordKind, string>;

/**
 * What was lost.
 * samples       polls with all their words · thinned        every second sample of an otherwise kept run: totals survive
 * gauges        samples of which nothing is a counter · intervals, emissions   entries of the books
 * node-records  records of this file · unknown        what they held can no longer be read
 * history       batches that were confirmed before: only the gateway's own copy is gone, no reading of the zone
 */
export const LOSS_WHATS = [
  "samples",
  "thinned",
  "gauges",
  "intervals",
  "emissions",
  "node-records",
  "unknown",
  "history",
] as const;
export type LossWhat = (typeof LOSS_WHATS)[number];

/**
 * Why it was lost.
 * size-bound, age-bound   the journal reached its written bound · disk-full, disk-unusable   it could not be written
 * damaged                 a record whose checksum fails · set-aside   a whole file that cannot be read
 * unsendable              no definition decodes it, or it fits no message
 */
export const LOSS_WHYS = [
  "size-bound",
  "age-bound",
  "disk-full",
  "disk-unusable",
  "damaged",
  "set-aside",
  "unsendable",
] as const;
export type LossWhy = (typeof LOSS_WHYS)[number];

/** Readings that will never come. */
export interface LossRecord {
  readonly kind: "loss";
  /** When it was noted, gateway time. */
  readonly at_ms: number;
  /** Epoch of the batches named; the journal's at the time of the loss. */
  readonly epoch: string;
  /** Null: of several meters, or nobody knows of which. */
  readonly device: string | null;
  /** Time they were taken in; equal when only the instant is known. */
  readonly from_ms: number;
  readonly to_ms: number;
  readonly count: number;
  readonly what: LossWhat;
  readonly why: LossWhy;
  /** Their numbers, ascending; null if they never had any. The host need not wait for these any more. */
  readonly batches: readonly BatchRange[] | null;
}

/** The clock was wrong by `offset_ms` when these batches were taken: true time = their time + offset. */
export interface ClockRecord {
  readonly kind: "clock";
  readonly at_ms: number;
  readonly epoch: string;
  readonly boot: number;
  readonly batches: readonly BatchRange[];
  readonly offset_ms: number;
}

/** Another meter stands in the place of one: its counters go on from other counts. */
export interface MeterSwapRecord {
  readonly kind: "meter-swap";
  readonly at_ms: number;
  readonly device: string;
  readonly serialBefore: string | null;
  readonly serialAfter: string | null;
  /** Ticks of the last reading of the old meter and of the first one of the new; null where there was none. */
  readonly counters: readonly {
    readonly quantity: QuantityId;
    readonly last: bigint | null;
    readonly first: bigint | null;
  }[];
}

/** Polls of each meter in [from, to): expected = answered + failed + overruns + not polled at all. */
export interface PollsRecord {
  readonly kind: "polls";
  readonly at_ms: number;
  readonly boot: number;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly meters: readonly MeterPolls[];
}

export interface MeterPolls {
  readonly device: string;
  readonly expected: number;
  readonly answered: number;
  /** Of those that failed: no answer, a Modbus exception, a reply that makes no sense, no line to the meter. */
  readonly timeouts: number;
  readonly exceptions: number;
  readonly garbled: number;
  readonly unreachable: number;
  /** Left out because the line was still busy. */
  readonly overruns: number;
  /** Samples written to the journal. */
  readonly journaled: number;
}

export interface MalformedRecord {
  readonly kind: "malformed";
  readonly why: string;
}

/** @throws {KhuXanhError} INTERNAL for a record beyond the limits of this file, or with values that reading refuses. */
export function formatNodeRecord(record: NodeRecord): string {
  const text = JSON.stringify({ v: NODE_RECORD_VERSION, ...record }, (_key, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
  const read = parseNodeRecord(text);
  if (read.kind !== "malformed") return text;
  throw new KhuXanhError("INTERNAL", `this ${record.kind} record cannot be written: ${read.why}`, {
    hint: "Report this as a bug: records are split before they reach their limits.",
    context: { kind: record.kind },
  });
}

/** A record, or why the text is none: another version, another form, beyond the limits. */
export function parseNodeRecord(text: string): NodeRecord | MalformedRecord {
  if (text.length > NODE_RECORD_BYTES_MAX) return malformed(`longer than ${NODE_RECORD_BYTES_MAX} bytes`);
  const fields = objectOf(text);
  if (fields === null) return malformed("no JSON object");
  if (fields.v !== NODE_RECORD_VERSION) return malformed(`version ${String(fields.v).slice(0, 20)} of the form`);
  const record = readRecord(fields);
  if (record === undefined) return malformed(`kind ${String(fields.kind).slice(0, 40)}`);
  return record ?? malformed(`a ${fields.kind} record with a field missing or wrong`);
}

/** The metric of a record that is to be sent or stored. */
export function nodeRecordMetric(
  record: NodeRecord,
  naming: { readonly isHistorical: boolean; aliasOf(name: string): number },
): Metric {
  const head = { alias: naming.aliasOf(NODE_RECORD_METRICS[record.kind]), timestamp_ms: record.at_ms };
  return data.string(naming.isHistorical ? { ...head, isHistorical: true } : head, formatNodeRecord(record));
}

/** The kind of record that a metric of this name carries; undefined for every other metric. */
export function nodeRecordKindOf(metricName: string): NodeRecordKind | undefined {
  return (Object.keys(NODE_RECORD_METRICS) as NodeRecordKind[]).find(
    (kind) => NODE_RECORD_METRICS[kind] === metricName,
  );
}

type Fields = Readonly<Record<string, unknown>>;

/** Null: of a known kind and wrong; undefined: of no kind we know. */
function readRecord(fields: Fields): NodeRecord | null | undefined {
  switch (fields.kind) {
    case "loss":
      return readLoss(fields);
    case "clock":
      return readClock(fields);
    case "meter-swap":
      return readSwap(fields);
    case "polls":
      return readPolls(fields);
    default:
      return undefined;
  }
}

function readLoss({ at_ms, epoch, device, from_ms, to_ms, count, what, why, batches }: Fields): LossRecord | null {
  const ranges = batches === null ? null : rangesOf(batches);
  const lossWhat = LOSS_WHATS.find((known) => known === what);
  const lossWhy = LOSS_WHYS.find((known) => known === why);
  if (!isInstant(at_ms) || !isInstant(from_ms) || !isInstant(to_ms) || from_ms > to_ms || !isCount(count)) return null;
  if (!isEpochText(epoch) || !(device === null || isId(device)) || ranges === undefined) return null;
  if (lossWhat === undefined || lossWhy === undefined) return null;
  return { kind: "loss", at_ms, epoch, device, from_ms, to_ms, count, what: lossWhat, why: lossWhy, batches: ranges };
}

function readClock({ at_ms, epoch, boot, batches, offset_ms }: Fields): ClockRecord | null {
  const ranges = rangesOf(batches);
  if (!isInstant(at_ms) || !isEpochText(epoch) || !isCount(boot) || ranges === undefined) return null;
  return Number.isSafeInteger(offset_ms)
    ? { kind: "clock", at_ms, epoch, boot, batches: ranges, offset_ms: offset_ms as number }
    : null;
}

function readSwap({ at_ms, device, serialBefore, serialAfter, counters }: Fields): MeterSwapRecord | null {
  if (!isInstant(at_ms) || !isId(device) || !isIdOrNull(serialBefore) || !isIdOrNull(serialAfter)) return null;
  const read = listOf(counters, Object.keys(QUANTITIES).length, (item) => {
    const { quantity, last, first } = item;
    const [lastTicks, firstTicks] = [ticksOf(last), ticksOf(first)];
    if (typeof quantity !== "string" || !Object.hasOwn(QUANTITIES, quantity)) return null;
    if (lastTicks === undefined || firstTicks === undefined) return null;
    return { quantity: quantity as QuantityId, last: lastTicks, first: firstTicks };
  });
  return read === null ? null : { kind: "meter-swap", at_ms, device, serialBefore, serialAfter, counters: read };
}

function readPolls({ at_ms, boot, from_ms, to_ms, meters }: Fields): PollsRecord | null {
  if (!isInstant(at_ms) || !isCount(boot) || !isInstant(from_ms) || !isInstant(to_ms) || from_ms >= to_ms) return null;
  const read = listOf(meters, POLLED_METERS_MAX, readMeterPolls);
  return read === null ? null : { kind: "polls", at_ms, boot, from_ms, to_ms, meters: read };
}

function readMeterPolls(item: Fields): MeterPolls | null {
  const { device, expected, answered, timeouts, exceptions, garbled, unreachable, overruns, journaled } = item;
  if (!isId(device) || !isCount(expected) || !isCount(answered) || !isCount(timeouts) || !isCount(exceptions))
    return null;
  if (!isCount(garbled) || !isCount(unreachable) || !isCount(overruns) || !isCount(journaled)) return null;
  return { device, expected, answered, timeouts, exceptions, garbled, unreachable, overruns, journaled };
}

function objectOf(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf<T>(value: unknown, max: number, read: (item: Fields) => T | null): T[] | null {
  if (!Array.isArray(value) || value.length > max) return null;
  const items: T[] = [];
  for (const item of value) {
    const one = isObject(item) ? read(item) : null;
    if (one === null) return null;
    items.push(one);
  }
  return items;
}

/** Ascending ranges that do not overlap; undefined if they are none. */
function rangesOf(value: unknown): BatchRange[] | undefined {
  let before = 0;
  const ranges = listOf(value, RANGES_IN_RECORD_MAX, ({ first, last }) => {
    if (typeof first !== "number" || typeof last !== "number") return null;
    if (!isBatchNumber(first) || !isBatchNumber(last) || first > last || first <= before) return null;
    before = last;
    return { first, last };
  });
  return ranges ?? undefined;
}

/** Undefined if it is neither null nor a count in decimal digits, at most 64 bits long. */
function ticksOf(value: unknown): bigint | null | undefined {
  if (value === null) return null;
  return typeof value === "string" && /^\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Milliseconds since 1970; a clock that was never set gives small ones, which are as true as they are. */
function isInstant(value: unknown): value is number {
  return isCount(value);
}

function isEpochText(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{16}$/.test(value);
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 255;
}

function isIdOrNull(value: unknown): value is string | null {
  return value === null || isId(value);
}

function malformed(why: string): MalformedRecord {
  return { kind: "malformed", why };
}
