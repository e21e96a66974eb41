import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  DataType,
  type DataTypeCode,
  data,
  decodePayload,
  encodePayload,
  metric,
  property,
  valueOf as valueAs,
} from "../../../core/wire/payload.ts";

describe("a value read as its datatype", () => {
  const CASES: readonly [string, object, DataTypeCode, unknown][] = [
    ["Int8 −1", { intValue: 0xff }, DataType.Int8, -1],
    ["Int8 −1 sign-extended to 32 bits", { intValue: 0xffff_ffff }, DataType.Int8, -1],
    ["Int16 −2", { intValue: 0xfffe }, DataType.Int16, -2],
    ["Int32 −5", { intValue: 0xffff_fffb }, DataType.Int32, -5],
    ["Int32 minimum", { intValue: 0x8000_0000 }, DataType.Int32, -(2 ** 31)],
    ["Int64 −5", { longValue: 2n ** 64n - 5n }, DataType.Int64, -5n],
    ["UInt8", { intValue: 200 }, DataType.UInt8, 200],
    ["UInt16", { intValue: 60_000 }, DataType.UInt16, 60_000],
    ["UInt32 in the int field", { intValue: 4_000_000_000 }, DataType.UInt32, 4_000_000_000],
    ["UInt32 in the long field", { longValue: 4_000_000_000n }, DataType.UInt32, 4_000_000_000],
    ["UInt64", { longValue: 2n ** 64n - 1n }, DataType.UInt64, 2n ** 64n - 1n],
    ["Float", { floatValue: 1.5 }, DataType.Float, 1.5],
    ["Double 0", { doubleValue: 0 }, DataType.Double, 0],
    ["Boolean false", { booleanValue: false }, DataType.Boolean, false],
    ["an empty String", { stringValue: "" }, DataType.String, ""],
    ["Text", { stringValue: "a" }, DataType.Text, "a"],
    ["DateTime", { longValue: 1_760_000_000_000n }, DataType.DateTime, 1_760_000_000_000],
    ["a DateTime beyond 2^53 ms", { longValue: 2n ** 60n }, DataType.DateTime, null],
    ["Bytes", { bytesValue: new Uint8Array([1]) }, DataType.Bytes, new Uint8Array([1])],
    ["an array", { bytesValue: new Uint8Array([1, 0]) }, DataType.Int16Array, new Uint8Array([1, 0])],
    ["null", { isNull: true }, DataType.Double, null],
    ["null that carries a value all the same", { isNull: true, doubleValue: 1 }, DataType.Double, null],
    ["no value", {}, DataType.Int32, null],
    ["a value in the field of another type", { floatValue: 1.5 }, DataType.Double, null],
    ["an unknown type", { intValue: 1 }, DataType.Unknown, null],
    ["a dataset", {}, DataType.DataSet, null],
  ];
  for (const [name, wire, datatype, expected] of CASES) {
    test(`${name} gives ${expected}`, () => {
      expect(valueAs(wire, datatype)).toStrictEqual(expected);
    });
  }

  test("no value is carried in no type", () => {
    for (const datatype of Object.values(DataType)) expect(valueAs({}, datatype)).toBeNull();
  });
});

describe("constructors", () => {
  const head = { name: "a", timestamp_ms: 5 };
  const travelled = (sent: ReturnType<typeof data.int32>) =>
    decodePayload(encodePayload({ metrics: [sent] })).metrics[0]!;

  test("what a constructor is given comes out at the other end", () => {
    const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(int32, int64, fc.double(), fc.boolean(), fc.string({ unit: "binary" }), (i, l, d, b, s) => {
        expect(valueAs(travelled(metric.int32(head, i)), DataType.Int32)).toBe(i);
        expect(valueAs(travelled(metric.int64(head, l)), DataType.Int64)).toBe(l);
        expect(valueAs(travelled(metric.double(head, d)), DataType.Double)).toBe(d);
        expect(valueAs(travelled(metric.boolean(head, b)), DataType.Boolean)).toBe(b);
        expect(valueAs(travelled(metric.string(head, s)), DataType.String)).toBe(s);
      }),
    );
  });

  test("births name the datatype, data leave it out", () => {
    expect(metric.double(head, 1.5)).toStrictEqual({ ...head, datatype: DataType.Double, doubleValue: 1.5 });
    expect(data.double(head, 1.5)).toStrictEqual({ ...head, doubleValue: 1.5 });
    expect(metric.dateTime(head, 7)).toStrictEqual({ ...head, datatype: DataType.DateTime, longValue: 7n });
  });

  test("a null value is a null metric without a value field", () => {
    expect(metric.string(head, null)).toStrictEqual({ ...head, datatype: DataType.String, isNull: true });
    expect(data.int64(head, null)).toStrictEqual({ ...head, isNull: true });
    expect(property.string(null)).toStrictEqual({ type: DataType.String, isNull: true });
  });

  test("counter ticks may be numbers as long as they are exact", () => {
    expect(data.int64(head, 12).longValue).toBe(12n);
    expect(() => data.int64(head, 2 ** 53)).toThrow(/INTERNAL/);
    expect(() => data.int64(head, 0.5)).toThrow(/INTERNAL/);
  });

  test("a value its datatype cannot hold is a mistake", () => {
    for (const value of [2 ** 31, -(2 ** 31) - 1, 1.5, Number.NaN]) {
      expect(() => data.int32(head, value)).toThrow(/is no Int32.*INTERNAL/);
    }
    expect(() => data.int64(head, 2n ** 63n)).toThrow(/is no Int64.*INTERNAL/);
  });

  test("properties carry their type", () => {
    expect(property.int32(192)).toStrictEqual({ type: DataType.Int32, intValue: 192 });
    expect(property.int64(-1n)).toStrictEqual({ type: DataType.Int64, longValue: 2n ** 64n - 1n });
    expect(property.double(0.5)).toStrictEqual({ type: DataType.Double, doubleValue: 0.5 });
    expect(property.boolean(false)).toStrictEqual({ type: DataType.Boolean, booleanValue: false });
  });
});
