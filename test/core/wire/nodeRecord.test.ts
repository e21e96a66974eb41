import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KhuXanhError } from "../../../core/errors.ts";
import {
  formatNodeRecord,
  LOSS_WHATS,
  LOSS_WHYS,
  type LossRecord,
  NODE_RECORD_BYTES_MAX,
  NODE_RECORD_METRICS,
  type NodeRecord,
  nodeRecordKindOf,
  nodeRecordMetric,
  POLLED_METERS_MAX,
  parseNodeRecord,
  RANGES_IN_RECORD_MAX,
} from "../../../core/wire/nodeRecord.ts";
import { decodePayload, encodePayload } from "../../../core/wire/payload.ts";

const T = 1_760_000_000_000;
const EPOCH = "9f3c2a7e51d0b846";

const loss: LossRecord = {
  kind: "loss",
  at_ms: T,
  epoch: EPOCH,
  device: "furnace",
  from_ms: T - 1000,
  to_ms: T,
  count: 3,
  what: "samples",
  why: "size-bound",
  batches: [
    { first: 4, last: 5 },
    { first: 9, last: 9 },
  ],
};

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const id = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => text.isWellFormed());
const epoch = fc.stringMatching(/^[0-9a-f]{16}$/);
const ranges = fc
  .uniqueArray(fc.integer({ min: 1, max: 1e9 }), { maxLength: 40 })
  .map((numbers) => numbers.sort((a, b) => a - b).map((n) => ({ first: n, last: n })));
const ticks = fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const records: fc.Arbitrary<NodeRecord> = fc.oneof(
  fc.record({
    kind: fc.constant("loss" as const),
    at_ms: count,
    epoch,
    device: fc.option(id),
    from_ms: fc.constant(T - 5),
    to_ms: fc.constant(T),
    count,
    what: fc.constantFrom(...LOSS_WHATS),
    why: fc.constantFrom(...LOSS_WHYS),
    batches: fc.option(ranges),
  }),
  fc.record({
    kind: fc.constant("clock" as const),
    at_ms: count,
    epoch,
    boot: count,
    batches: ranges,
    offset_ms: fc.maxSafeInteger(),
  }),
  fc.record({
    kind: fc.constant("meter-swap" as const),
    at_ms: count,
    device: id,
    serialBefore: fc.option(id),
    serialAfter: fc.option(id),
    counters: fc.array(
      fc.record({ quantity: fc.constant("active_energy_import_total" as const), last: ticks, first: ticks }),
      { maxLength: 3 },
    ),
  }),
  fc.record({
    kind: fc.constant("polls" as const),
    at_ms: count,
    boot: count,
    from_ms: fc.constant(T),
    to_ms: fc.constant(T + 900_000),
    meters: fc.array(
      fc.record({
        device: id,
        expected: count,
        answered: count,
        timeouts: count,
        exceptions: count,
        garbled: count,
        unreachable: count,
        overruns: count,
        journaled: count,
      }),
      { maxLength: 5 },
    ),
  }),
);

test("law: a record written is the record read", () => {
  fc.assert(
    fc.property(records, (record) => {
      expect(parseNodeRecord(formatNodeRecord(record))).toEqual(record);
    }),
  );
});

test("law: a record survives the wire as a String metric of the node, named by its alias", () => {
  fc.assert(
    fc.property(records, fc.boolean(), (record, isHistorical) => {
      const metric = nodeRecordMetric(record, { isHistorical, aliasOf: () => 7 });
      const [read] = decodePayload(encodePayload({ metrics: [metric] })).metrics;
      expect(read).toMatchObject({ alias: 7, timestamp_ms: record.at_ms });
      expect(read?.isHistorical).toBe(isHistorical ? true : undefined);
      expect(parseNodeRecord(read?.stringValue ?? "")).toEqual(record);
    }),
  );
});

test("law: whatever the text, reading gives a record or says why not, and never throws", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(["malformed", ...Object.keys(NODE_RECORD_METRICS)]).toContain(parseNodeRecord(text).kind);
    }),
  );
});

test("law: a field that is dropped, or of another type, makes no record", () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.constantFrom(undefined, true, "x", -1, 1.5, {}), (record, at, instead) => {
      const keys = Object.keys(record);
      const key = keys[at % keys.length]!;
      fc.pre(!(typeof (record as unknown as Record<string, unknown>)[key] === "string" && instead === "x"));
      fc.pre(!(key === "device" && instead === "x") && !(key.startsWith("serial") && instead === "x"));
      fc.pre(!(key === "offset_ms" && instead === -1));
      const text = JSON.stringify({ v: 1, ...record, [key]: instead }, (_k, v) => (typeof v === "bigint" ? `${v}` : v));
      expect(parseNodeRecord(text).kind).toBe("malformed");
    }),
  );
});

describe("a record is refused", () => {
  const withFields = (fields: object) => parseNodeRecord(JSON.stringify({ v: 1, ...loss, ...fields }));

  test.each([
    ["of another version", { v: 2 }, "version 2"],
    ["of a kind of the future", { kind: "weather" }, "kind weather"],
    [
      "with ranges that do not ascend",
      {
        batches: [
          { first: 5, last: 6 },
          { first: 6, last: 7 },
        ],
      },
      "loss",
    ],
    ["with a range that ends before it begins", { batches: [{ first: 6, last: 5 }] }, "loss"],
    ["with a time that ends before it begins", { from_ms: T + 1 }, "loss"],
    ["with a reason we do not know", { why: "aliens" }, "loss"],
    ["with an epoch that is none", { epoch: "9F3C2A7E51D0B846" }, "loss"],
  ])("%s", (_name, fields, why) => {
    const read = withFields(fields);
    expect(read.kind === "malformed" ? read.why : read.kind).toContain(why);
  });

  test("beyond its length, whatever stands in it", () => {
    const text = JSON.stringify({ v: 1, ...loss, note: "x".repeat(NODE_RECORD_BYTES_MAX) });
    expect(parseNodeRecord(text).kind).toBe("malformed");
  });
});

describe("writing", () => {
  test("at the limits works, and what is written stays within its length", () => {
    const batches = Array.from({ length: RANGES_IN_RECORD_MAX }, (_, i) => ({
      first: 1e10 + 2 * i,
      last: 1e10 + 2 * i,
    }));
    expect(formatNodeRecord({ ...loss, batches }).length).toBeLessThanOrEqual(NODE_RECORD_BYTES_MAX);
    const meter = {
      device: "m".repeat(255),
      expected: 900,
      answered: 900,
      timeouts: 0,
      exceptions: 0,
      garbled: 0,
      unreachable: 0,
      overruns: 0,
      journaled: 900,
    };
    const meters = Array.from({ length: POLLED_METERS_MAX }, () => meter);
    const polls = { kind: "polls", at_ms: T, boot: 1, from_ms: T, to_ms: T + 900_000, meters } as const;
    expect(formatNodeRecord(polls).length).toBeLessThanOrEqual(NODE_RECORD_BYTES_MAX);
    expect(() => formatNodeRecord({ ...polls, meters: [...meters, meter] })).toThrow(KhuXanhError);
  });

  test("what could not be read back is our own mistake", () => {
    expect(() => formatNodeRecord({ ...loss, count: -1 })).toThrow("INTERNAL");
  });
});

test("every kind has a metric of its own, and no other metric is one", () => {
  for (const [kind, name] of Object.entries(NODE_RECORD_METRICS)) expect(nodeRecordKindOf(name)).toBe(kind);
  expect(nodeRecordKindOf("Delivery/Batch")).toBeUndefined();
});
