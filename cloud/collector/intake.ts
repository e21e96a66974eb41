import type { Emission } from "../../core/emission/emission.ts";
import { intervalStart } from "../../core/interval/calendar.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { MetricName } from "../../core/wire/ack.ts";
import { type DeviceProfile, metricContent } from "../../core/wire/content.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import type { DataMessage } from "../../core/wire/dataMessage.ts";
import { type NodeRecord, nodeRecordKindOf, parseNodeRecord } from "../../core/wire/nodeRecord.ts";
import {
  DataType,
  encodeCanonical,
  type Metric,
  valueOf as metricValue,
  type Payload,
} from "../../core/wire/payload.ts";
import { isBatchNumber } from "../../core/wire/ranges.ts";
import { BATCH_NUMBER_MAX, type NewBatch } from "../store/store.ts";
import { bornAt, bornOf, type Content, type DeviceMetric, type DeviceSession, type NodeSession } from "./session.ts";

/**
 * What a data message brings: a numbered batch to store, or why it is none. Pure: nothing is stored, shown or answered here.
 *
 * The stored payload is canonical (decision 001): the metrics as sent, without what differs between two sendings of one
 * batch - send time, seq, is_historical, the batch metric. So its CRC tells whether two deliveries hold the same.
 */
export type Intake =
  /** Some metric has no birth that we know: nothing can be made of it. `number` is its batch, if that could be read. */
  | { readonly kind: "unknown-metric"; readonly number: number | null }
  | {
      readonly kind: "malformed";
      readonly why: string;
      readonly number: number | null;
      /** Of its newest content; null: it has none. */
      readonly at_ms: EpochMs | null;
    }
  /** Metrics without a batch number: of a node that does not speak our delivery protocol. */
  | { readonly kind: "plain"; readonly content: Content }
  | {
      readonly kind: "batch";
      readonly batch: BatchContent;
      /** Sent as it was taken, and not as history. */
      readonly isLive: boolean;
      /** For the live view; null for what a gateway says of itself: that is no reading of a meter. */
      readonly content: Content | null;
    };

export type BatchContent = Omit<NewBatch, "gateway" | "epoch" | "mayBeRenumbered">;

const DAY_MS = 86_400_000;
/** A gateway's clock may be this far ahead of ours before its intervals are taken for a clock that was never set. */
const AHEAD_MAX_MS = DAY_MS;
/** 2000-01-01: an interval before it comes from a clock that starts in 1970. */
const EARLIEST_MS = 946_684_800_000;

/** A DDATA of a device that was born. */
export function deviceIntake(device: DeviceSession, message: DataMessage, now_ms: EpochMs): Intake {
  const sent_ms = message.head.timestamp_ms ?? now_ms;
  const of: (DeviceMetric | null)[] = new Array(message.count);
  const intervals: Interval[] = [];
  const emissions: Emission[] = [];
  let number: number | null = null;
  let why: string | null = null;
  let isUnknown = false;
  let isPoll = device.mainCounter === null;
  let from_ms = Number.POSITIVE_INFINITY;
  let to_ms = Number.NEGATIVE_INFINITY;
  let stored = 0;
  let first = 0;
  let last = -1;
  for (let at = 0; at < message.count; at++) {
    const born = bornAt(device, message, at);
    if (born === undefined) {
      isUnknown = true;
      continue;
    }
    if (born.quantity !== null && born.isNumber && message.isNumber(at)) {
      // Nearly all metrics of nearly all messages: of a plain reading nothing more needs to be known here.
      isPoll ||= born.quantity === device.mainCounter;
    } else {
      const content = metricContent(device.device, message.metric(at), born.born, sent_ms);
      if (content.kind === "batch") {
        number = content.number;
        of[at] = null;
        continue;
      }
      if (content.kind === "malformed") why = content.why;
      else if (content.kind === "emission") emissions.push(content.emission);
      else if (content.kind === "reading") isPoll ||= content.reading.quantity === device.mainCounter;
      else if (content.kind === "interval") {
        why ??= whyNoInterval(content.interval, device.profile, now_ms);
        intervals.push(content.interval);
      }
    }
    of[at] = born;
    if (stored === 0) first = at;
    stored += 1;
    last = at;
    const at_ms = message.timeOf(at, sent_ms);
    if (at_ms < from_ms) from_ms = at_ms;
    if (at_ms > to_ms) to_ms = at_ms;
  }
  if (isUnknown) return { kind: "unknown-metric", number };
  if (number !== null && number > BATCH_NUMBER_MAX) why = `batch ${number} is beyond ${BATCH_NUMBER_MAX}`;
  if (why !== null) return { kind: "malformed", why, number, at_ms: stored === 0 ? null : to_ms };
  // Our gateways name the batch last, so that what is stored stands in one piece.
  const isWhole = last === stored - 1;
  const payload = isWhole
    ? message.canonical(stored)
    : encodeCanonical(message.metrics().filter((_, at) => of[at] !== null));
  const content = { sent_ms, payload, of };
  if (number === null) return { kind: "plain", content };
  if (stored === 0) from_ms = to_ms = sent_ms;
  const { device: id, birthId } = device;
  const head = { number, device: id, birthId, from_ms, to_ms, crc32c: crc32c(payload), payload };
  return {
    kind: "batch",
    batch: { ...head, intervals, emissions, record: null, isPoll },
    // By one metric of a batch: all are sent alike. Without content nobody can tell.
    isLive: stored > 0 && !message.isHistorical(first),
    content,
  };
}

/** An NDATA with a report of the gateway about itself; null if it carries none. */
export function nodeIntake(session: NodeSession, payload: Payload, now_ms: EpochMs): Intake | null {
  const { self } = session;
  let number: number | null = null;
  let report: { readonly metric: Metric; readonly text: string } | null = null;
  for (const metric of payload.metrics) {
    const of = bornOf(self, metric);
    if (of === undefined) {
      // A name says itself that it is none of ours; an alias without its birth says nothing.
      if (metric.alias === undefined) continue;
      return { kind: "unknown-metric", number: null };
    }
    const { name } = of.born;
    if (name === MetricName.deliveryBatch) number = batchNumber(metric);
    else if (nodeRecordKindOf(name) !== undefined) report = { metric, text: metric.stringValue ?? "" };
  }
  if (report === null && number === null) return null;
  const record = parseNodeRecord(report?.text ?? "");
  if (record.kind === "malformed") return { kind: "malformed", why: record.why, number, at_ms: null };
  if (number === null || number > BATCH_NUMBER_MAX) {
    const why = "a report of the gateway without a batch number that can be held";
    return { kind: "malformed", why, number, at_ms: null };
  }
  const at_ms = report?.metric.timestamp_ms ?? payload.timestamp_ms ?? now_ms;
  const { metric } = report!;
  const batch = nodeBatch(session, record, number, at_ms, metric);
  return { kind: "batch", batch, isLive: metric.isHistorical !== true, content: null };
}

function nodeBatch(
  { self }: NodeSession,
  record: NodeRecord,
  number: number,
  at_ms: EpochMs,
  metric: Metric,
): BatchContent {
  const { device, birthId } = self;
  const payload = encodeCanonical([metric]);
  const head = { number, device, birthId, from_ms: at_ms, to_ms: at_ms, crc32c: crc32c(payload), payload };
  return { ...head, intervals: [], emissions: [], record };
}

function batchNumber(metric: Metric): number | null {
  const value = Number(metricValue(metric, DataType.Int64) ?? Number.NaN);
  return isBatchNumber(value) ? value : null;
}

/** Why an interval cannot be booked, or null: it must divide its day evenly and lie in a time that can be. */
function whyNoInterval(interval: Interval, profile: DeviceProfile | null, now_ms: EpochMs): string | null {
  const { from_ms, to_ms } = interval;
  if (from_ms < EARLIEST_MS) return `an interval from ${from_ms} ms: before 2000, a clock that was never set`;
  if (to_ms > now_ms + AHEAD_MAX_MS) return `an interval to ${to_ms} ms: more than a day ahead of us`;
  if (profile === null) return "an interval of a device whose birth does not say how it counts";
  // By its own length: a backlog may be older than the present setting.
  const length_ms = to_ms - from_ms;
  const isOnGrid = DAY_MS % length_ms === 0 && intervalStart(from_ms, length_ms, profile.time_zone) === from_ms;
  return isOnGrid ? null : `an interval ${from_ms}…${to_ms} ms that does not lie on a grid of the day`;
}
