import { KhuXanhError } from "../errors.ts";

/**
 * A Sparkplug metric as it stands on the wire, flat, and what its value means.
 *
 * A field that is absent on the wire is absent here: alias 0, `false` and 0 are values, a missing field is none. So the
 * value fields hold what the wire holds (unsigned); `valueOf` gives what was meant. Datasets, templates, metadata and
 * nested property sets are passed over (reference sparkplug §12).
 */

/** Datatype codes (Sparkplug 3.0 §6.4.16); 0 is "unknown": a placeholder, or a code this version does not know. */
export const DataType = {
  Unknown: 0,
  Int8: 1,
  Int16: 2,
  Int32: 3,
  Int64: 4,
  UInt8: 5,
  UInt16: 6,
  UInt32: 7,
  UInt64: 8,
  Float: 9,
  Double: 10,
  Boolean: 11,
  String: 12,
  DateTime: 13,
  Text: 14,
  UUID: 15,
  DataSet: 16,
  Bytes: 17,
  File: 18,
  Template: 19,
  PropertySet: 20,
  PropertySetList: 21,
  Int8Array: 22,
  Int16Array: 23,
  Int32Array: 24,
  Int64Array: 25,
  UInt8Array: 26,
  UInt16Array: 27,
  UInt32Array: 28,
  UInt64Array: 29,
  FloatArray: 30,
  DoubleArray: 31,
  BooleanArray: 32,
  StringArray: 33,
  DateTimeArray: 34,
} as const;

export type DataTypeCode = (typeof DataType)[keyof typeof DataType];

/** The value of a metric or property; at most one of the fields, and none with `isNull`. */
export interface WireValue {
  readonly isNull?: boolean;
  /** uint32 as on the wire; a negative number is encoded as its two's complement. */
  readonly intValue?: number;
  /** uint64 as on the wire; a negative number is encoded as its two's complement. */
  readonly longValue?: bigint;
  readonly floatValue?: number;
  readonly doubleValue?: number;
  readonly booleanValue?: boolean;
  readonly stringValue?: string;
  readonly bytesValue?: Uint8Array;
}

/** A property has no bytes on the wire. */
export interface PropertyValue extends Omit<WireValue, "bytesValue"> {
  readonly type?: DataTypeCode;
}

/** Properties in the order of the wire. */
export type PropertySet = ReadonlyMap<string, PropertyValue>;

/** Which metric, when, and how it is to be taken. */
export interface MetricHead {
  readonly name?: string;
  /** Node-wide number that stands for the name after the birth; 0 is one like any other. */
  readonly alias?: number;
  /** Acquisition time. */
  readonly timestamp_ms?: number;
  /** Late: must not move the live value. */
  readonly isHistorical?: boolean;
  /** Interesting now, not to be archived. */
  readonly isTransient?: boolean;
  readonly properties?: PropertySet;
}

export interface Metric extends MetricHead, WireValue {
  /** In births; data leave it out. */
  readonly datatype?: DataTypeCode;
}

/** Takes the metrics of one message, in their order. */
export interface MetricWriter {
  /** @throws {KhuXanhError} WIRE_TOO_LARGE, INTERNAL for a mistake of the caller */
  metric(metric: Metric): void;
  /**
   * A metric that is an alias, a time and a number and nothing else, as nearly all are: the bytes of {@link metric} without an
   * object for each. A bigint is an Int64, a number a Double.
   */
  number(alias: number, timestamp_ms: number, isHistorical: boolean, value: number | bigint): void;
  /** The same, as a metric that is transient. */
  transient(alias: number, timestamp_ms: number, value: number | bigint): void;
}

export type Value = number | bigint | boolean | string | Uint8Array;

/**
 * What the metric or property says, read as `datatype` (its own, or the one its birth announced). Null if it is null,
 * carries no value in the field of that type, or the type is one we do not read.
 *
 * Int8..Int32 and UInt8..UInt32 give numbers, Int64 and UInt64 bigints, DateTime a number of ms, arrays their bytes.
 */
// biome-ignore lint/suspicious/noShadowRestrictedNames: it is what it says; nobody calls the global of that name.
export function valueOf(wire: WireValue, datatype: DataTypeCode): Value | null {
  if (wire.isNull === true) return null;
  switch (datatype) {
    case DataType.Int8:
      return wire.intValue === undefined ? null : (wire.intValue << 24) >> 24;
    case DataType.Int16:
      return wire.intValue === undefined ? null : (wire.intValue << 16) >> 16;
    case DataType.Int32:
      return wire.intValue === undefined ? null : wire.intValue | 0;
    case DataType.UInt8:
      return wire.intValue === undefined ? null : wire.intValue & 0xff;
    case DataType.UInt16:
      return wire.intValue === undefined ? null : wire.intValue & 0xffff;
    case DataType.UInt32:
      return uint32Value(wire);
    case DataType.Int64:
      return wire.longValue === undefined ? null : BigInt.asIntN(64, wire.longValue);
    case DataType.UInt64:
      return wire.longValue === undefined ? null : BigInt.asUintN(64, wire.longValue);
    case DataType.DateTime:
      return dateTimeValue(wire);
    case DataType.Float:
      return wire.floatValue ?? null;
    case DataType.Double:
      return wire.doubleValue ?? null;
    case DataType.Boolean:
      return wire.booleanValue ?? null;
    case DataType.String:
    case DataType.Text:
    case DataType.UUID:
      return wire.stringValue ?? null;
    case DataType.Unknown:
    case DataType.DataSet:
    case DataType.Template:
    case DataType.PropertySet:
    case DataType.PropertySetList:
      return null;
    default:
      return wire.bytesValue ?? null;
  }
}

/** The text says int_value, most senders use long_value; we accept both and send neither (reference sparkplug §5). */
function uint32Value(wire: WireValue): number | null {
  if (wire.intValue !== undefined) return wire.intValue >>> 0;
  return wire.longValue === undefined ? null : Number(BigInt.asUintN(32, wire.longValue));
}

/** Null beyond ±2^53 ms: no instant, and a rounded one would be another. */
function dateTimeValue(wire: WireValue): number | null {
  if (wire.longValue === undefined) return null;
  const at_ms = Number(BigInt.asIntN(64, wire.longValue));
  return Number.isSafeInteger(at_ms) ? at_ms : null;
}

/**
 * Metrics of data messages: no datatype, because the birth has said it. A null value is sent as `isNull`.
 *
 * `data.double({ alias: 200, timestamp_ms }, 231.25)`
 */
export const data = {
  int32: (head: MetricHead, value: number | null): Metric => ({ ...head, ...wireValue.int32(value) }),
  int64: (head: MetricHead, value: bigint | number | null): Metric => ({ ...head, ...wireValue.int64(value) }),
  double: (head: MetricHead, value: number | null): Metric => ({ ...head, ...wireValue.double(value) }),
  boolean: (head: MetricHead, value: boolean | null): Metric => ({ ...head, ...wireValue.boolean(value) }),
  string: (head: MetricHead, value: string | null): Metric => ({ ...head, ...wireValue.string(value) }),
  dateTime: (head: MetricHead, value_ms: number | null): Metric => ({ ...head, ...wireValue.int64(value_ms) }),
} as const;

/**
 * Metrics of births and commands: with their datatype. A null value is sent as `isNull`.
 *
 * `metric.int64({ name: "bdSeq", timestamp_ms }, 7n)`
 */
export const metric = {
  int32: (head: MetricHead, value: number | null) => typed(DataType.Int32, data.int32(head, value)),
  int64: (head: MetricHead, value: bigint | number | null) => typed(DataType.Int64, data.int64(head, value)),
  double: (head: MetricHead, value: number | null) => typed(DataType.Double, data.double(head, value)),
  boolean: (head: MetricHead, value: boolean | null) => typed(DataType.Boolean, data.boolean(head, value)),
  string: (head: MetricHead, value: string | null) => typed(DataType.String, data.string(head, value)),
  dateTime: (head: MetricHead, value_ms: number | null) => typed(DataType.DateTime, data.dateTime(head, value_ms)),
} as const;

/** Property values with their type: `new Map([["engUnit", property.string("kW.h")]])`. */
export const property = {
  int32: (value: number | null): PropertyValue => ({ type: DataType.Int32, ...wireValue.int32(value) }),
  int64: (value: bigint | number | null): PropertyValue => ({ type: DataType.Int64, ...wireValue.int64(value) }),
  double: (value: number | null): PropertyValue => ({ type: DataType.Double, ...wireValue.double(value) }),
  boolean: (value: boolean | null): PropertyValue => ({ type: DataType.Boolean, ...wireValue.boolean(value) }),
  string: (value: string | null): PropertyValue => ({ type: DataType.String, ...wireValue.string(value) }),
} as const;

/** Name and codes of the standard quality property (Sparkplug 3.0 §6.4.20); it may be left out when good. */
export const QUALITY_PROPERTY = "Quality";
export const QualityCode = { Bad: 0, Good: 192, Stale: 500 } as const;

const NULL = { isNull: true } as const;

const wireValue = {
  int32: (value: number | null) => (value === null ? NULL : { intValue: checkedInt32(value) >>> 0 }),
  int64: (value: bigint | number | null) => (value === null ? NULL : { longValue: uint64Of(value) }),
  double: (value: number | null) => (value === null ? NULL : { doubleValue: value }),
  boolean: (value: boolean | null) => (value === null ? NULL : { booleanValue: value }),
  string: (value: string | null) => (value === null ? NULL : { stringValue: value }),
} as const;

function typed(datatype: DataTypeCode, untyped: Metric): Metric {
  return { ...untyped, datatype };
}

function checkedInt32(value: number): number {
  if ((value | 0) === value) return value;
  throw outOfRange(value, "Int32");
}

function uint64Of(value: bigint | number): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw outOfRange(value, "Int64");
  const signed = BigInt(value);
  if (BigInt.asIntN(64, signed) !== signed) throw outOfRange(value, "Int64");
  return BigInt.asUintN(64, signed);
}

function outOfRange(value: bigint | number, type: string): KhuXanhError {
  return new KhuXanhError("INTERNAL", `${value} is no ${type}`, {
    hint: "Report this as a bug: a value was given a datatype that cannot hold it.",
    context: { value: String(value), type },
  });
}
