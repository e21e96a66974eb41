import type { Reading } from "../../core/reading/reading.ts";
import { writeBatch, writeReadings } from "../../core/wire/content.ts";
import { data, decodePayload, encodeMessage, encodePayload, type Payload } from "../../core/wire/payload.ts";
import { type Bench, type BenchResult, runBench } from "./contest.ts";

const METRICS = 100;
const MESSAGES = 20;
const AT_MS = 1_772_500_000_000;

/** A data message as an agent sends it: aliases, timestamps, doubles. */
const payload: Payload = {
  timestamp_ms: AT_MS,
  seq: 1,
  metrics: Array.from({ length: METRICS }, (_, i) => data.double({ alias: 200 + i, timestamp_ms: AT_MS }, 230 + i / 7)),
};

/** Bytes of one such metric inside the message: tags, length, alias, timestamp, double. */
const METRIC_BYTES = 2 + 3 + 7 + 9;

export const wire: Bench = {
  summary: `Sparkplug payloads of ${METRICS} doubles: encode and decode`,
  limit: "the same bytes through a DataView with every place known beforehand: no lengths, no checks, no objects",
  async open() {
    const bytes = encodePayload(payload);
    const head = bytes.length - METRICS * METRIC_BYTES - 2;
    const values = Float64Array.from({ length: METRICS }, (_, i) => 230 + i / 7);
    assertSame(bareEncode(bytes, head, values), bytes);
    return {
      contests: [
        {
          name: "encode_metrics_per_s",
          ours: () => times(() => encodePayload(payload).length),
          limit: () => times(() => bareEncode(bytes, head, values).length),
        },
        {
          name: "decode_metrics_per_s",
          ours: () => times(() => decodePayload(bytes).metrics.length),
          limit: () => times(() => bareDecode(bytes, head)),
        },
      ],
      async close() {},
    };
  },
};

/** With the bytes that a metric takes, all of its message included. */
export async function runWire(): Promise<BenchResult> {
  const result = await runBench("wire", wire);
  return {
    ...result,
    ours: {
      encode_million_metrics_per_s: millions(result.ours.encode_metrics_per_s),
      decode_million_metrics_per_s: millions(result.ours.decode_metrics_per_s),
      bytes_per_gauge: bytesPerMetric({ isHistorical: false, value: 231.25 }),
      bytes_per_counter: bytesPerMetric({ isHistorical: false, value: 1_234_567_890n }),
      bytes_per_late_gauge: bytesPerMetric({ isHistorical: true, value: 231.25 }),
    },
    limit: {
      encode_million_metrics_per_s: millions(result.limit.encode_metrics_per_s),
      decode_million_metrics_per_s: millions(result.limit.decode_metrics_per_s),
    },
    ratio: {
      encode_million_metrics_per_s: result.ratio.encode_metrics_per_s ?? Number.NaN,
      decode_million_metrics_per_s: result.ratio.decode_metrics_per_s ?? Number.NaN,
    },
  };
}

function millions(per_s: number | undefined): number {
  return Number(((per_s ?? Number.NaN) / 1e6).toPrecision(3));
}

/** Of a batch as a meter sends it: 20 readings and its number. */
function bytesPerMetric({
  isHistorical,
  value,
}: {
  readonly isHistorical: boolean;
  readonly value: Reading["value"];
}): number {
  const quantity = typeof value === "bigint" ? "active_energy_import_total" : "voltage_l1";
  const reading: Reading = { quantity, at_ms: AT_MS, value, quality: "good", why: null };
  let alias = 200;
  const naming = { isHistorical, aliasOf: () => alias++, aliasOfReading: () => alias++ };
  const message = encodeMessage(AT_MS, 200, (to) => {
    writeReadings(to, Array<Reading>(20).fill(reading), naming);
    writeBatch(to, 1_000_000, AT_MS, naming);
  });
  return Number((message.length / 20).toPrecision(4));
}

/** Keeps the results in use, so that the compiler cannot leave the work out. */
let sink = 0;

function times(work: () => number): number {
  for (let i = 0; i < MESSAGES; i++) sink += work();
  return sink === -1 ? 0 : METRICS * MESSAGES;
}

/** The widest writes there are, into bytes that are kept; the timestamp, the same for all, is two of them. */
function bareEncode(template: Uint8Array, head: number, values: Float64Array): Uint8Array {
  const time = new DataView(template.buffer, template.byteOffset + head + 6);
  const timeHigh = time.getUint32(0);
  const timeLow = time.getUint16(4);
  scratch.set(template.subarray(0, head));
  for (let i = 0, at = head; i < METRICS; i++, at += METRIC_BYTES) {
    scratchView.setUint32(at, 0x12131000 | ((200 + i) & 0x7f) | 0x80);
    scratchView.setUint16(at + 4, (((200 + i) >> 7) << 8) | 0x18);
    scratchView.setUint32(at + 6, timeHigh);
    scratchView.setUint16(at + 10, timeLow);
    scratchView.setUint8(at + 12, 0x69);
    scratchView.setFloat64(at + 13, values[i]!, true);
  }
  scratch.set(template.subarray(template.length - 2), template.length - 2);
  return scratch.slice(0, template.length);
}

const scratch = new Uint8Array(64 * 1024);
const scratchView = new DataView(scratch.buffer);

function bareDecode(bytes: Uint8Array, head: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let sum = 0;
  for (let i = 0, at = head; i < METRICS; i++, at += METRIC_BYTES) {
    const alias = (view.getUint8(at + 3) & 0x7f) | (view.getUint8(at + 4) << 7);
    let at_ms = view.getUint8(at + 11);
    for (let byte = at + 10; byte >= at + 6; byte--) at_ms = at_ms * 128 + (view.getUint8(byte) & 0x7f);
    sum += alias + at_ms + view.getFloat64(at + 13, true);
  }
  return sum;
}

function assertSame(bare: Uint8Array, ours: Uint8Array): void {
  if (Buffer.compare(bare, ours) !== 0) throw new Error("the limit does not write the same bytes");
}
