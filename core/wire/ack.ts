import { KhuXanhError } from "../errors.ts";
import { type Metric, metric, type Payload } from "./payload.ts";
import { type BatchRange, isBatchNumber } from "./ranges.ts";

/**
 * The words of the end-to-end confirmation: which batches the host has committed (reference sparkplug §17.4).
 *
 * Ack      `1 <epoch> <range>{,<range>}`, range = `n` or `a-b`, ascending: each named batch is committed, or dead-lettered
 * Hello    `1 <epoch> hw=<n>`: the host speaks acks, and n is the highest batch it has seen of that epoch (0: none)
 * Missing  `1 <epoch> no=<range>{,<range>}`: of the batches up to n these are neither held nor known lost. It goes with a hello; who
 *          does not know it ignores it, as any text of another grammar
 * Epoch    16 hex digits, drawn when the gateway's journal was created
 * Limits   ACK_BYTES_MAX a command; more ranges make more commands. Acks are idempotent, so any of them may be lost.
 */
export const DELIVERY_VERSION = 1;
export const ACK_BYTES_MAX = 1024;
const HIGHEST = "hw=";
const MISSING = "no=";

/** Names of the metrics that belong to the session and to delivery, not to a meter. */
export const MetricName = {
  /** NBIRTH, NDEATH: Int64, 0 to 255, which session this is. */
  bdSeq: "bdSeq",
  /** NBIRTH, NCMD: Boolean, command endpoint; never aliased. */
  rebirth: "Node Control/Rebirth",
  /** NBIRTH: Int32, DELIVERY_VERSION. */
  deliveryVersion: "Delivery/Version",
  /** NBIRTH: String, the epoch. */
  deliveryEpoch: "Delivery/Epoch",
  /** NBIRTH (""), NCMD: String, command endpoint for acks and hellos. */
  deliveryAck: "Delivery/Ack",
  /** NBIRTH, NDATA: Int64, unconfirmed batches. */
  deliveryPending: "Delivery/Pending",
  /** NBIRTH, NDATA: DateTime, acquisition time of the oldest unconfirmed reading. */
  deliveryOldest: "Delivery/Oldest",
  /** DBIRTH, DDATA, NBIRTH, NDATA: Int64, transient, last metric: the number of this batch. */
  deliveryBatch: "Delivery/Batch",
  /** NBIRTH (null), NDATA: String, records of the node itself; see `nodeRecord.ts`. */
  deliveryLoss: "Delivery/Loss",
  deliveryClock: "Delivery/ClockCorrection",
  deliveryMeterSwap: "Delivery/MeterSwap",
  deliveryPolls: "Delivery/Polls",
} as const;

export interface Ack {
  readonly kind: "ack";
  readonly epoch: string;
  /** Ascending, not overlapping. */
  readonly ranges: readonly BatchRange[];
}

export interface Hello {
  readonly kind: "hello";
  readonly epoch: string;
  /** Highest batch number the host has seen of this epoch, 0 if none. */
  readonly highest: number;
}

export interface Missing {
  readonly kind: "missing";
  readonly epoch: string;
  /** Ascending, not overlapping. */
  readonly ranges: readonly BatchRange[];
}

/** The whole command is to be ignored and counted (reference sparkplug §17.4, Validation). */
export interface MalformedAck {
  readonly kind: "malformed";
  readonly why: string;
}

/** An epoch is 16 lower-case hex digits. */
export function isEpoch(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text);
}

/**
 * The ranges as few acks as they fit in; none for no ranges.
 * @param ranges ascending and not overlapping, as `BatchRanges.toRanges()` gives them
 * @throws {KhuXanhError} INTERNAL for another order, or an epoch that is none
 */
export function formatAcks(epoch: string, ranges: readonly BatchRange[]): string[] {
  return textsOf(headOf(epoch), ranges);
}

/**
 * The ranges that are missing, as few texts as they fit in.
 * @throws as {@link formatAcks}
 */
export function formatMissing(epoch: string, ranges: readonly BatchRange[]): string[] {
  return textsOf(`${headOf(epoch)}${MISSING}`, ranges);
}

function textsOf(head: string, ranges: readonly BatchRange[]): string[] {
  const acks: string[] = [];
  let ack = head;
  let before = 0;
  for (const range of ranges) {
    assertFollows(before, range);
    before = range.last;
    const text = range.first === range.last ? `${range.first}` : `${range.first}-${range.last}`;
    if (ack.length + 1 + text.length > ACK_BYTES_MAX) {
      acks.push(ack);
      ack = head;
    }
    ack += ack === head ? text : `,${text}`;
  }
  if (ack !== head) acks.push(ack);
  return acks;
}

/** @throws {KhuXanhError} INTERNAL if the epoch is none or `highest` is no whole number ≥ 0. */
export function formatHello(epoch: string, highest: number): string {
  if (highest !== 0 && !isBatchNumber(highest)) throw mistake(`${highest} is no batch number`);
  return `${headOf(epoch)}${HIGHEST}${highest}`;
}

/** Reads what a host wrote to `Delivery/Ack`. Whether the epoch is ours is for the caller to say. */
export function parseAck(text: string): Ack | Hello | Missing | MalformedAck {
  if (text.length > ACK_BYTES_MAX) return malformed(`longer than ${ACK_BYTES_MAX} bytes`);
  const [version, epoch, what, ...more] = text.split(" ");
  if (version !== `${DELIVERY_VERSION}`) return malformed("another version of the grammar");
  if (epoch === undefined || !isEpoch(epoch)) return malformed("epoch is not 16 hex digits");
  if (what === undefined || more.length > 0) return malformed("not three words");
  if (what.startsWith(HIGHEST)) return parseHello(epoch, what.slice(HIGHEST.length));
  const isMissing = what.startsWith(MISSING);
  const ranges = parseRanges(isMissing ? what.slice(MISSING.length) : what);
  return typeof ranges === "string" ? malformed(ranges) : { kind: isMissing ? "missing" : "ack", epoch, ranges };
}

/** Answer to a DDATA, or a hello: `text` comes from formatAcks or formatHello. */
export function ackMetric(at_ms: number, text: string): Metric {
  return metric.string({ name: MetricName.deliveryAck, timestamp_ms: at_ms }, text);
}

/** Asks the edge node to send its births again. */
export function rebirthMetric(at_ms: number): Metric {
  return metric.boolean({ name: MetricName.rebirth, timestamp_ms: at_ms }, true);
}

/** An NCMD; an ack and a rebirth request may share one. */
export function nodeCommand(at_ms: number, metrics: readonly Metric[]): Payload {
  return { timestamp_ms: at_ms, metrics };
}

function parseHello(epoch: string, digits: string): Hello | MalformedAck {
  const highest = digits === "0" ? 0 : parseNumber(digits);
  return highest === null ? malformed("hw is no batch number") : { kind: "hello", epoch, highest };
}

/** @returns why they are none, in words, if they are not */
function parseRanges(list: string): readonly BatchRange[] | string {
  const ranges: BatchRange[] = [];
  let before = 0;
  for (const item of list.split(",")) {
    const dash = item.indexOf("-");
    const first = parseNumber(dash < 0 ? item : item.slice(0, dash));
    const last = dash < 0 ? first : parseNumber(item.slice(dash + 1));
    if (first === null || last === null) return "a range is not n or a-b";
    if (first > last) return "a range ends before it begins";
    if (first <= before) return "ranges do not ascend";
    before = last;
    ranges.push({ first, last });
  }
  return ranges;
}

/** Decimal, no sign, no leading zero: every number has one spelling. */
function parseNumber(digits: string): number | null {
  if (!/^[1-9][0-9]{0,15}$/.test(digits)) return null;
  const number = Number(digits);
  return isBatchNumber(number) ? number : null;
}

function headOf(epoch: string): string {
  if (!isEpoch(epoch)) throw mistake(`epoch ${JSON.stringify(epoch.slice(0, 40))} is not 16 hex digits`);
  return `${DELIVERY_VERSION} ${epoch} `;
}

function assertFollows(before: number, { first, last }: BatchRange): void {
  if (isBatchNumber(first) && isBatchNumber(last) && first <= last && first > before) return;
  throw mistake(`range ${first}-${last} cannot follow ${before}`);
}

function mistake(what: string): KhuXanhError {
  return new KhuXanhError("INTERNAL", `cannot write this ack: ${what}`, {
    hint: "Report this as a bug: acks are made of the journal's epoch and of ascending batch ranges.",
  });
}

function malformed(why: string): MalformedAck {
  return { kind: "malformed", why };
}
