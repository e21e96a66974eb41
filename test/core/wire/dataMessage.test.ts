import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DataMessage } from "../../../core/wire/dataMessage.ts";
import {
  data,
  decodePayload,
  encodeCanonical,
  encodePayload,
  METRICS_MAX,
  type Metric,
} from "../../../core/wire/payload.ts";
import { anyPayload, mutation, outcome } from "./arbitraries.ts";
import { T, toHex } from "./fixtures.ts";

const SENT = T + 5;

function opened(bytes: Uint8Array): DataMessage {
  const message = new DataMessage();
  message.open(bytes);
  return message;
}

/** What is asked of a message in place, answered by decoding it. */
function expectAsDecoded(message: DataMessage, bytes: Uint8Array): void {
  const asDecoded = outcome(() => decodePayload(bytes));
  const inPlace = outcome(() => message.open(bytes));
  if (asDecoded.kind === "refused") {
    expect(inPlace).toMatchObject({ error: { code: asDecoded.error.code } });
    return;
  }
  expect(inPlace.kind).toBe("read");
  const { metrics } = asDecoded.value;
  expect(message.payload()).toStrictEqual(asDecoded.value);
  expect(message.count).toBe(metrics.length);
  metrics.forEach((metric, at) => {
    expect(message.aliasOf(at)).toBe(metric.alias);
    expect(message.timeOf(at, SENT)).toBe(metric.timestamp_ms ?? SENT);
    expect(message.isHistorical(at)).toBe(metric.isHistorical === true);
    if (message.isNumber(at)) expect(metric.doubleValue ?? metric.longValue).toBeDefined();
  });
  for (let count = 0; count <= metrics.length; count++) {
    expect(toHex(message.canonical(count))).toBe(toHex(encodeCanonical(metrics.slice(0, count))));
  }
}

const unchanged = fc.constant((bytes: Uint8Array) => bytes);
const change = fc.oneof(unchanged, mutation());
const moment = fc.oneof(fc.integer({ min: T, max: T + 1e9 }), fc.maxSafeNat());
const number = fc
  .tuple(
    fc.record({ alias: fc.oneof(fc.nat(300), moment), timestamp_ms: moment }),
    fc.record({ isHistorical: fc.boolean(), isTransient: fc.boolean() }, { requiredKeys: [] }),
    fc.oneof(
      fc.record({ doubleValue: fc.double() }),
      fc.record({ longValue: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
    ),
  )
  .map(([head, flags, value]): Metric => ({ ...head, ...flags, ...value }));

describe("law: a message says in place what it says decoded, or is refused alike", () => {
  // One for all, as it is used: what was open before is not seen in what is open now.
  const message = new DataMessage();

  test("numbers, however their bytes were changed", () => {
    fc.assert(
      fc.property(fc.array(number, { maxLength: 5 }), change, (metrics, changed) =>
        expectAsDecoded(message, changed(encodePayload({ timestamp_ms: T, metrics, seq: 3 }))),
      ),
      { numRuns: 3000 },
    );
  });

  test("any metrics, however their bytes were changed", () => {
    fc.assert(
      fc.property(anyPayload, change, (payload, changed) => expectAsDecoded(message, changed(encodePayload(payload)))),
      { numRuns: 1000 },
    );
  });

  test("a message in the middle of a Buffer", () => {
    const bytes = encodePayload({ timestamp_ms: T, metrics: [data.double({ alias: 200, timestamp_ms: T }, 231.25)] });
    expectAsDecoded(message, Buffer.concat([Buffer.from("before"), bytes, Buffer.from("after")]).subarray(6, -5));
  });
});

const readings = [data.double({ alias: 200, timestamp_ms: T }, 231.25), data.int64({ alias: 7, timestamp_ms: T }, 5n)];
const batch = data.int64({ alias: 1, timestamp_ms: T, isTransient: true }, 9n);

test("what our gateways send are numbers, live or late; what has properties, no value or many forms is none", () => {
  const late = readings.map((one) => ({ ...one, isHistorical: true }));
  const message = opened(encodePayload({ timestamp_ms: T, metrics: [...readings, ...late, batch], seq: 2 }));
  expect(message.head).toEqual({ timestamp_ms: T, seq: 2 });
  expect([0, 1, 2, 3, 4].map((at) => message.isNumber(at))).toEqual([true, true, true, true, true]);
  const others = [
    data.double({ alias: 200, timestamp_ms: T }, null),
    data.double({ alias: 200, timestamp_ms: T, properties: new Map() }, 1),
    data.double({ alias: 200, timestamp_ms: T }, Number.NaN),
    data.double({ alias: 200 }, 1),
    data.double({ name: "x", timestamp_ms: T }, 1),
    { alias: 200, timestamp_ms: T, floatValue: 1 },
  ];
  const other = opened(encodePayload({ metrics: others }));
  expect(others.map((_, at) => other.isNumber(at))).toEqual(others.map(() => false));
  expect(other.payload().metrics).toEqual(others);
});

test("canonical bytes stay what they are when the next message is opened", () => {
  const message = opened(encodePayload({ timestamp_ms: T, metrics: [...readings, batch] }));
  const canonical = message.canonical(2);
  message.open(encodePayload({ metrics: [batch] }));
  expect(toHex(canonical)).toBe(toHex(encodeCanonical(readings)));
  expect(toHex(message.canonical(1))).toBe(toHex(encodeCanonical([batch])));
});

test("as many metrics as a payload may have, one more is refused, and then one again is read", () => {
  const message = new DataMessage();
  const metrics = Array.from({ length: METRICS_MAX }, (_, alias) => data.int64({ alias, timestamp_ms: T }, alias));
  const most = encodePayload({ metrics });
  message.open(most);
  expect(message.count).toBe(METRICS_MAX);
  expect(message.aliasOf(METRICS_MAX - 1)).toBe(METRICS_MAX - 1);
  expect(message.canonical(METRICS_MAX)).toEqual(most);
  const more = Buffer.concat([most, encodePayload({ metrics: [batch] })]);
  expect(outcome(() => message.open(more))).toMatchObject({ error: { code: "WIRE_TOO_LARGE" } });
  message.open(encodePayload({ metrics: [batch] }));
  expect(message.payload().metrics).toEqual([batch]);
});
