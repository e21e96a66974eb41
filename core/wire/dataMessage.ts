import {
  encodeCanonical,
  METRIC,
  METRICS_MAX,
  type Metric,
  PAYLOAD,
  type Payload,
  type PayloadHead,
  PROPERTIES_MAX,
  readHead,
  readMetric,
  tooManyMetrics,
} from "./payload.ts";
import { ProtobufReader } from "./protobuf.ts";

const ROOM_FIRST = 64;
/** A longer varint may hold more than 63 bits, and what is beyond 64 is dropped when it is read. */
const VARINT_BYTES_MAX = 9;
/** Bytes before the fields of a metric whose length takes one byte. */
const HEAD_BYTES = 2;
const FLAG_BYTES = 2;
const TWO_TO_28 = 0x1000_0000;
/** What canonical bytes are cut from: an ArrayBuffer for each would cost more than to copy them. */
const SLAB_BYTES = 8 * 1024;

/**
 * A data message, read where it lies: what storing it needs to know of its metrics, and objects only of those that are asked for.
 *
 * number   a metric of alias, time and value, as nearly all are, with is_historical or is_transient or without: a long or a
 *          finite double, its fields in this order and each as short as can be. To read and to write it again would give the
 *          same bytes, so its canonical form is copied from where it stands. Our gateways write every good reading so
 * others   are decoded at once: what `decodePayload` would refuse is refused when the message is opened
 *
 * One for many messages: what it says is of the message opened last, whose bytes must not change meanwhile.
 */
export class DataMessage {
  #reader = new ProtobufReader(new Uint8Array(0));
  #bytes = this.#reader.input;
  #head: PayloadHead = {};
  #count = 0;
  /** Alias of each metric; −1 = it has none. */
  #aliases = new Float64Array(ROOM_FIRST);
  /** Time of each; NaN = it has none. */
  #times_ms = new Float64Array(ROOM_FIRST);
  /** Where the fields of a number begin; of another metric, −1 − its place among the others. */
  #starts = new Int32Array(ROOM_FIRST);
  #ends = new Int32Array(ROOM_FIRST);
  /** Where is_historical of a number stands; 0 = it has none. */
  #flags = new Int32Array(ROOM_FIRST);
  readonly #others: Metric[] = [];
  /** So many numbers are the first metrics, one behind the other and without is_historical: in their canonical form. */
  #canonical = 0;
  #next = 0;
  #slab = new Uint8Array(SLAB_BYTES);
  /** So much of it is somebody's. */
  #cut = 0;
  readonly #budget = { properties: 0 };

  /**
   * @param outer what this message was in: its seq holds where the message has none
   * @throws {KhuXanhError} WIRE_MALFORMED or WIRE_TOO_LARGE, for the same bytes as `decodePayload`
   */
  open(bytes: Uint8Array, outer?: Pick<Payload, "seq">): void {
    const reader = new ProtobufReader(bytes);
    this.#reader = reader;
    this.#bytes = reader.input;
    this.#count = 0;
    this.#canonical = 0;
    if (this.#others.length > 0) this.#others.length = 0;
    this.#budget.properties = PROPERTIES_MAX;
    this.#head = outer?.seq === undefined ? {} : { seq: outer.seq };
    while (reader.at < reader.end) {
      const tag = reader.tag();
      if (tag === PAYLOAD.metrics) this.#takeMetrics(reader);
      else readHead(reader, tag, this.#head);
    }
  }

  /** All of it but the metrics. */
  get head(): PayloadHead {
    return this.#head;
  }

  /** How many metrics it has. */
  get count(): number {
    return this.#count;
  }

  isNumber(at: number): boolean {
    return this.#starts[at]! >= 0;
  }

  aliasOf(at: number): number | undefined {
    const alias = this.#aliases[at]!;
    return alias < 0 ? undefined : alias;
  }

  /** @param sent_ms holds where the metric has no time of its own */
  timeOf(at: number, sent_ms: number): number {
    const at_ms = this.#times_ms[at]!;
    return Number.isNaN(at_ms) ? sent_ms : at_ms;
  }

  isHistorical(at: number): boolean {
    if (!this.isNumber(at)) return this.#other(at).isHistorical === true;
    const flag = this.#flags[at]!;
    return flag !== 0 && this.#bytes[flag + 1] === 1;
  }

  metric(at: number): Metric {
    if (!this.isNumber(at)) return this.#other(at);
    this.#reader.at = this.#starts[at]!;
    this.#reader.end = this.#ends[at]!;
    return readMetric(this.#reader, this.#budget);
  }

  /** The first `count` metrics. */
  metrics(count = this.#count): Metric[] {
    return Array.from({ length: count }, (_, at) => this.metric(at));
  }

  payload(): Payload {
    return { ...this.#head, metrics: this.metrics() };
  }

  /**
   * `encodeCanonical` of the first `count` metrics: bytes that nobody else has or will have. Who keeps them keeps at most
   * {@link SLAB_BYTES} with them.
   */
  canonical(count: number): Uint8Array {
    if (count === 0) return new Uint8Array(0);
    if (count <= this.#canonical) {
      const there = this.#bytes.subarray(this.#starts[0]! - HEAD_BYTES, this.#ends[count - 1]);
      const canonical = this.#room(there.length);
      canonical.set(there);
      return canonical;
    }
    let length = 0;
    for (let at = 0; at < count; at++) {
      if (!this.isNumber(at)) return encodeCanonical(this.metrics(count)).slice();
      length += HEAD_BYTES + this.#ends[at]! - this.#starts[at]!;
      if (this.#flags[at] !== 0) length -= FLAG_BYTES;
    }
    const canonical = this.#room(length);
    let end = 0;
    for (let at = 0; at < count; at++) end = this.#copyUnflagged(at, canonical, end);
    return canonical;
  }

  #room(bytes: number): Uint8Array {
    if (bytes > SLAB_BYTES / 2) return new Uint8Array(bytes);
    if (this.#cut + bytes > SLAB_BYTES) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#cut = 0;
    }
    const from = this.#cut;
    this.#cut += bytes;
    return this.#slab.subarray(from, this.#cut);
  }

  #copyUnflagged(at: number, to: Uint8Array, from: number): number {
    const bytes = this.#bytes;
    const [start, end, flag] = [this.#starts[at]!, this.#ends[at]!, this.#flags[at]!];
    let next = from;
    to[next++] = PAYLOAD.metrics;
    to[next++] = end - start - (flag === 0 ? 0 : FLAG_BYTES);
    for (let i = start; i < end; i++) {
      if (i === flag) i += FLAG_BYTES;
      to[next++] = bytes[i]!;
    }
    return next;
  }

  #other(at: number): Metric {
    return this.#others[-1 - this.#starts[at]!]!;
  }

  /** As many numbers as stand here one behind the other, or the one metric that is none. */
  #takeMetrics(reader: ProtobufReader): void {
    let end = reader.at - 1;
    while (end < reader.end && this.#takeNumber(end + HEAD_BYTES, reader.end)) end = this.#ends[this.#count - 1]!;
    if (end >= reader.at) {
      reader.at = end;
      return;
    }
    const outerEnd = reader.enter();
    this.#takeOther(readMetric(reader, this.#budget));
    reader.leave(outerEnd);
  }

  #takeOther(metric: Metric): void {
    const at = this.#add();
    this.#aliases[at] = metric.alias ?? -1;
    this.#times_ms[at] = metric.timestamp_ms ?? Number.NaN;
    this.#starts[at] = -1 - this.#others.length;
    this.#others.push(metric);
  }

  #add(): number {
    const at = this.#count;
    if (at === METRICS_MAX) throw tooManyMetrics();
    if (at === this.#starts.length) this.#grow();
    this.#count = at + 1;
    return at;
  }

  /** Whether a number stands here, which is then noted. @param start of its fields, behind its tag and its length */
  #takeNumber(start: number, messageEnd: number): boolean {
    const bytes = this.#bytes;
    // Less than 128 bytes: its length is one.
    const end = start + bytes[start - 1]!;
    if (bytes[start - HEAD_BYTES] !== PAYLOAD.metrics || bytes[start] !== METRIC.alias || end > messageEnd)
      return false;
    this.#next = start + 1;
    const alias = this.#uint(end);
    if (alias < 0 || bytes[this.#next] !== METRIC.timestamp) return false;
    this.#next += 1;
    const time_ms = this.#uint(end);
    if (time_ms < 0) return false;
    let next = this.#next;
    let flag = 0;
    if (bytes[next] === METRIC.isHistorical && bytes[next + 1]! <= 1) {
      flag = next;
      next += FLAG_BYTES;
    }
    if (bytes[next] === METRIC.isTransient && bytes[next + 1]! <= 1) next += FLAG_BYTES;
    if (!isNumberIn(bytes, next, end)) return false;
    const at = this.#add();
    const isNext = at === 0 || this.#ends[at - 1] === start - HEAD_BYTES;
    if (flag === 0 && isNext && this.#canonical === at) this.#canonical = at + 1;
    this.#aliases[at] = alias;
    this.#times_ms[at] = time_ms;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#flags[at] = flag;
    return true;
  }

  /** A whole number in its shortest form that begins at #next and ends before `end`; −1: none. Then #next is behind it. */
  #uint(end: number): number {
    const bytes = this.#bytes;
    let at = this.#next;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) return -1;
      const byte = bytes[at++]!;
      low |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.#next = at;
      return byte === 0 && shift > 0 ? -1 : low;
    }
    let high = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) return -1;
      const byte = bytes[at++]!;
      high |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      this.#next = at;
      const value = high * TWO_TO_28 + low;
      return byte === 0 || value > Number.MAX_SAFE_INTEGER ? -1 : value;
    }
    return -1;
  }

  #grow(): void {
    const room = Math.min(2 * this.#starts.length, METRICS_MAX);
    this.#aliases = grown(new Float64Array(room), this.#aliases);
    this.#times_ms = grown(new Float64Array(room), this.#times_ms);
    this.#starts = grown(new Int32Array(room), this.#starts);
    this.#ends = grown(new Int32Array(room), this.#ends);
    this.#flags = grown(new Int32Array(room), this.#flags);
  }
}

function grown<T extends Float64Array | Int32Array>(to: T, from: T): T {
  to.set(from);
  return to;
}

/** Whether a long in its shortest form, or a finite double, stands in [from, end) and nothing else. */
function isNumberIn(bytes: Uint8Array, from: number, end: number): boolean {
  const last = end - 1;
  // Of the double's eight bytes, lowest first: the exponent is not all ones.
  if (bytes[from] === METRIC.double) {
    return last - from === 8 && ((bytes[last]! & 0x7f) !== 0x7f || (bytes[last - 1]! & 0xf0) !== 0xf0);
  }
  if (bytes[from] !== METRIC.long || last <= from || last - from > VARINT_BYTES_MAX) return false;
  for (let at = from + 1; at < last; at++) if (bytes[at]! < 0x80) return false;
  return bytes[last]! < 0x80 && (bytes[last] !== 0 || last === from + 1);
}
