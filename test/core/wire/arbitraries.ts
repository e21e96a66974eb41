import fc from "fast-check";
import { KhuXanhError } from "../../../core/errors.ts";
import type { DataTypeCode, Metric, Payload, PropertyValue } from "../../../core/wire/payload.ts";
import { T } from "./fixtures.ts";

export const instant = fc.oneof(fc.integer({ min: T, max: T + 1e9 }), fc.maxSafeNat());
export const alias = fc.oneof(fc.constant(0), fc.nat(20_000), fc.maxSafeNat());
const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ minLength: 100, maxLength: 300 }),
  fc.constantFrom("", "\uFEFFbom", "Nhà máy thép Gia Minh/Điện áp"),
);
const typeCode = fc.integer({ min: 0, max: 34 }) as fc.Arbitrary<DataTypeCode>;
export const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const scalar = fc.oneof(
  fc.constant({}),
  fc.constant({ isNull: true }),
  fc.record({ intValue: fc.nat(0xffff_ffff) }),
  fc.record({ longValue: uint64 }),
  fc.record({ floatValue: fc.float() }),
  fc.record({ doubleValue: fc.double() }),
  fc.record({ booleanValue: fc.boolean() }),
  fc.record({ stringValue: text }),
);
const propertyValue: fc.Arbitrary<PropertyValue> = fc
  .tuple(fc.record({ type: typeCode }, { requiredKeys: [] }), scalar)
  .map(([head, value]) => ({ ...head, ...value }));
const properties = fc
  .uniqueArray(fc.tuple(text, propertyValue), { selector: ([key]) => key, maxLength: 4 })
  .map((entries) => new Map(entries));
const anyMetric: fc.Arbitrary<Metric> = fc
  .tuple(
    fc.record(
      {
        name: text,
        alias,
        timestamp_ms: instant,
        datatype: typeCode,
        isHistorical: fc.boolean(),
        isTransient: fc.boolean(),
        isNull: fc.boolean(),
        properties,
      },
      { requiredKeys: [] },
    ),
    fc.oneof(scalar, fc.record({ bytesValue: fc.uint8Array({ maxLength: 300 }) })),
  )
  .map(([head, value]) => ({ ...head, ...value }));
export const anyPayload: fc.Arbitrary<Payload> = fc
  .record(
    {
      timestamp_ms: instant,
      seq: fc.nat(255),
      uuid: text,
      body: fc.uint8Array({ maxLength: 300 }),
      metrics: fc.array(anyMetric, { maxLength: 6 }),
    },
    { requiredKeys: ["metrics"] },
  )
  .map((payload) => ({ ...payload })); // fast-check's records have no prototype, ours have

/** Flips, cuts, repeats or overwrites some bytes. */
export function mutation(): fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> {
  const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  const at = (bytes: Uint8Array, share: number) => Math.floor(share * bytes.length);
  const step = fc.oneof(
    fc.tuple(place, fc.nat(255)).map(([where, byte]) => (bytes: Uint8Array) => {
      const copy = bytes.slice();
      if (copy.length > 0) copy[at(copy, where)] = byte;
      return copy;
    }),
    fc.tuple(place, fc.nat(7)).map(([where, bit]) => (bytes: Uint8Array) => {
      const copy = bytes.slice();
      if (copy.length > 0) copy[at(copy, where)]! ^= 1 << bit;
      return copy;
    }),
    place.map((where) => (bytes: Uint8Array) => bytes.slice(0, at(bytes, where))),
    fc.tuple(place, fc.uint8Array({ maxLength: 8 })).map(([where, more]) => (bytes: Uint8Array) => {
      const cut = at(bytes, where);
      return new Uint8Array([...bytes.subarray(0, cut), ...more, ...bytes.subarray(cut)]);
    }),
  );
  return fc
    .array(step, { minLength: 1, maxLength: 4 })
    .map((steps) => (bytes) => steps.reduce((b, run) => run(b), bytes));
}

export type Outcome<T> = { kind: "read"; value: T } | { kind: "refused"; error: KhuXanhError };

/** Only errors of the product are outcomes; anything else fails the test, as it would fail the caller. */
export function outcome<T>(run: () => T): Outcome<T> {
  try {
    return { kind: "read", value: run() };
  } catch (error) {
    if (error instanceof KhuXanhError) return { kind: "refused", error };
    throw error;
  }
}
