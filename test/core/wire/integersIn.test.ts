import fc from "fast-check";
import { expect, test } from "vitest";
import { integersIn } from "../../../core/wire/integersIn.ts";
import { data, decodePayload, encodeCanonical, type Metric } from "../../../core/wire/payload.ts";

const WANTED = new Map([
  [3, "three"],
  [200, "two hundred"],
  [2 ** 40, "far"],
]);

function taken(payload: Uint8Array) {
  const found: (readonly [string, number, bigint])[] = [];
  return { isPlain: integersIn(payload, WANTED, (of, at_ms, value) => found.push([of, at_ms, value])), found };
}

/** By the code that reads whatever comes. */
function decoded(payload: Uint8Array): readonly Metric[] {
  return decodePayload(payload).metrics.filter(({ alias }) => alias !== undefined && WANTED.has(alias));
}

const head = fc.record({
  alias: fc.oneof(fc.constantFrom(...WANTED.keys()), fc.integer({ min: 1, max: 300 })),
  timestamp_ms: fc.oneof(fc.integer({ min: 1.7e12, max: 1.9e12 }), fc.maxSafeNat()),
});
const count = fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 9n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
const plain = fc.oneof(
  fc.tuple(head, count).map(([of, value]) => data.int64(of, value)),
  fc.tuple(head, fc.double({ noNaN: true })).map(([of, value]) => data.double(of, value)),
);
const odd = fc.oneof(
  fc.tuple(head, fc.string()).map(([of, value]) => data.string(of, value)),
  head.map((of) => data.int64(of, null)),
  head.map((of) => ({ ...data.int64(of, 7), datatype: 4 as const })),
  head.map(({ alias }) => ({ alias, longValue: 7n })),
  fc.string().map((name) => data.int64({ name, timestamp_ms: 5 }, 7)),
  head.map((of) => ({ ...data.int64(of, 7), properties: new Map([["Quality", { type: 3 as const, intValue: 0 }]]) })),
);

test("what is taken is what decoding says, and anything but an alias, a time and an integer is left to be decoded", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 20, arbitrary: plain }, { weight: 1, arbitrary: odd })), (metrics) => {
      const payload = encodeCanonical(metrics);
      const { isPlain, found } = taken(payload);
      const all = decoded(payload);
      if (isPlain) {
        expect(all).toEqual(
          found.map(([of, timestamp_ms, longValue]) => ({
            alias: [...WANTED].find(([, name]) => name === of)![0],
            timestamp_ms,
            longValue,
          })),
        );
      } else {
        const isShort = (one: Metric) =>
          (one.timestamp_ms ?? 2 ** 53) < 2 ** 53 && (one.longValue ?? 2n ** 63n) < 2n ** 53n;
        const isBare = (one: Metric) => Object.keys(one).sort().join() === "alias,longValue,timestamp_ms";
        expect(all.every((one) => isShort(one) && isBare(one)) && metrics.every((one) => !("name" in one))).toBe(false);
      }
    }),
  );
});

test("a payload that is cut off, or none at all, is left to be decoded", () => {
  const metrics = [1, 3, 200].map((alias) => data.int64({ alias, timestamp_ms: 1_760_000_000_000 }, 123_456_789));
  const payload = encodeCanonical(metrics);
  expect(taken(payload)).toEqual({
    isPlain: true,
    found: [
      ["three", 1_760_000_000_000, 123_456_789n],
      ["two hundred", 1_760_000_000_000, 123_456_789n],
    ],
  });
  const starts = metrics.map((_, of) => encodeCanonical(metrics.slice(0, of)).length);
  for (let length = 0; length < payload.length; length++) {
    expect(taken(payload.subarray(0, length)).isPlain).toBe(starts.includes(length));
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(() => taken(bytes)).not.toThrow();
    }),
  );
});
