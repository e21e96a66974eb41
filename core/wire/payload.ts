import { KhuXanhError } from "../errors.ts";
import {
  DataType,
  type DataTypeCode,
  type Metric,
  type MetricWriter,
  type PropertySet,
  type PropertyValue,
} from "./metric.ts";
import { ProtobufReader } from "./protobuf.ts";
import { type NumberTags, ProtobufWriter } from "./protobufWriter.ts";

/**
 * The Sparkplug B payload: what one MQTT message carries.
 *
 * Source   reference sparkplug §4: proto2, every scalar with presence. Absent and 0 are different, both ways.
 * Writing  fields in ascending order of their numbers, byte for byte the fixtures of §18.
 * Reading  any order; unknown fields, metadata, datasets and templates are passed over; a known field in a wrong form, a
 *          string that is not UTF-8 and a number above 2^53−1 where a count is meant are malformed.
 * Limits   PAYLOAD_BYTES_MAX bytes, METRICS_MAX metrics, PROPERTIES_MAX properties; above: WIRE_TOO_LARGE.
 */
export interface Payload {
  /** Send time. */
  readonly timestamp_ms?: number;
  readonly metrics: readonly Metric[];
  /** 0 to 255, by one more with every message of the session; absent in NDEATH and commands. */
  readonly seq?: number;
  readonly uuid?: string;
  readonly body?: Uint8Array;
}

/** All of it but the metrics. */
export type PayloadHead = Omit<Payload, "metrics">;

export * from "./metric.ts";
export { PAYLOAD_BYTES_MAX } from "./protobuf.ts";

/** A gateway with 500 meters of 100 quantities has 50,000; more in one message is an attack or a mistake. */
export const METRICS_MAX = 100_000;
/** Properties of all metrics of one message together. */
export const PROPERTIES_MAX = 200_000;

/** Field number << 3 | wire type: 0 varint, 1 64 bits, 2 length-delimited, 5 32 bits. */
export const PAYLOAD = { timestamp: 0x08, metrics: 0x12, seq: 0x18, uuid: 0x22, body: 0x2a } as const;
export const METRIC = {
  name: 0x0a,
  alias: 0x10,
  timestamp: 0x18,
  datatype: 0x20,
  isHistorical: 0x28,
  isTransient: 0x30,
  isNull: 0x38,
  metadata: 0x42,
  properties: 0x4a,
  int: 0x50,
  long: 0x58,
  float: 0x65,
  double: 0x69,
  boolean: 0x70,
  string: 0x7a,
  bytes: 0x82,
  dataset: 0x8a,
  template: 0x92,
  extension: 0x9a,
} as const;
const PROPERTY_SET = { keys: 0x0a, values: 0x12 } as const;
const PROPERTY = {
  type: 0x08,
  isNull: 0x10,
  int: 0x18,
  long: 0x20,
  float: 0x2d,
  double: 0x31,
  boolean: 0x38,
  string: 0x42,
  propertySet: 0x4a,
  propertySets: 0x52,
  extension: 0x5a,
} as const;

/** Metrics that are an alias, a time and a number, with one flag or none. */
const HISTORICAL_NUMBER: NumberTags = {
  message: PAYLOAD.metrics,
  name: METRIC.alias,
  time: METRIC.timestamp,
  flag: METRIC.isHistorical,
  long: METRIC.long,
  double: METRIC.double,
};
const TRANSIENT_NUMBER: NumberTags = { ...HISTORICAL_NUMBER, flag: METRIC.isTransient };

const PAYLOAD_FIELD_LAST = 5;
const METRIC_FIELD_LAST = 19;
const PROPERTY_SET_FIELD_LAST = 2;
const PROPERTY_FIELD_LAST = 11;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class PayloadWriter implements MetricWriter {
  readonly #to = new ProtobufWriter();
  readonly #budget: Budget = { properties: 0 };
  #metrics = 0;
  #withHistorical = true;

  start({ withHistorical = true } = {}): void {
    this.#to.start();
    this.#budget.properties = PROPERTIES_MAX;
    this.#metrics = 0;
    this.#withHistorical = withHistorical;
  }

  sentAt(timestamp_ms: number): void {
    this.#to.uint(PAYLOAD.timestamp, timestamp_ms);
  }

  metric(metric: Metric): void {
    const start = this.#open();
    writeMetric(this.#to, metric, this.#budget, this.#withHistorical);
    this.#close(start);
  }

  number(alias: number, timestamp_ms: number, isHistorical: boolean, value: number | bigint): void {
    const isMarked = isHistorical && this.#withHistorical;
    this.#number(HISTORICAL_NUMBER, alias, timestamp_ms, isMarked, value);
  }

  transient(alias: number, timestamp_ms: number, value: number | bigint): void {
    this.#number(TRANSIENT_NUMBER, alias, timestamp_ms, true, value);
  }

  finish({ seq, uuid, body }: Pick<Payload, "seq" | "uuid" | "body">): Uint8Array {
    if (seq !== undefined) this.#to.uint(PAYLOAD.seq, seq);
    if (uuid !== undefined) this.#to.string(PAYLOAD.uuid, uuid);
    if (body !== undefined) this.#to.bytes(PAYLOAD.body, body);
    return this.#to.finish();
  }

  #number(tags: NumberTags, alias: number, timestamp_ms: number, isMarked: boolean, value: number | bigint): void {
    this.#count();
    this.#to.number(tags, alias, timestamp_ms, isMarked, value);
    this.#to.assertSize();
  }

  #open(): number {
    this.#count();
    return this.#to.open(PAYLOAD.metrics);
  }

  #count(): void {
    this.#metrics += 1;
    if (this.#metrics > METRICS_MAX) throw tooManyMetrics();
  }

  #close(start: number): void {
    this.#to.close(start);
    this.#to.assertSize();
  }
}

// One writer for all: encoding is synchronous and starts it afresh, so that no two payloads can meet in it.
const shared = new PayloadWriter();

/**
 * @throws {KhuXanhError} WIRE_TOO_LARGE above the limits; INTERNAL for a mistake of the caller: a timestamp, alias or
 * seq that is no whole number, or two values in one metric.
 */
export function encodePayload({ timestamp_ms, metrics, ...rest }: Payload): Uint8Array {
  shared.start();
  if (timestamp_ms !== undefined) shared.sentAt(timestamp_ms);
  for (const metric of metrics) shared.metric(metric);
  return shared.finish(rest);
}

/**
 * A payload whose metrics are written as they are made.
 * @param write encodes nothing else meanwhile
 * @throws {KhuXanhError} as {@link encodePayload}
 */
export function encodeMessage(timestamp_ms: number, seq: number, write: (to: MetricWriter) => void): Uint8Array {
  shared.start();
  shared.sentAt(timestamp_ms);
  write(shared);
  return shared.finish({ seq });
}

/**
 * Metrics by themselves and without is_historical, the one flag that a second sending of a batch changes: what tells
 * whether two deliveries hold the same.
 */
export function encodeCanonical(metrics: readonly Metric[]): Uint8Array {
  shared.start({ withHistorical: false });
  for (const metric of metrics) shared.metric(metric);
  return shared.finish({});
}

/**
 * @param isWanted metrics that begin with another alias are passed over unread: for who needs a few of many
 * @throws {KhuXanhError} WIRE_MALFORMED or WIRE_TOO_LARGE, and nothing else, whatever the bytes are.
 */
export function decodePayload(bytes: Uint8Array, isWanted?: (alias: number) => boolean): Payload {
  const reader = new ProtobufReader(bytes);
  const budget: Budget = { properties: PROPERTIES_MAX };
  const metrics: Metric[] = [];
  const payload: Payload = { metrics };
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if (tag !== PAYLOAD.metrics) {
      readHead(reader, tag, payload);
      continue;
    }
    if (isWanted !== undefined && passesOver(reader, isWanted)) continue;
    if (metrics.length >= METRICS_MAX) throw tooManyMetrics();
    const outerEnd = reader.enter();
    metrics.push(readMetric(reader, budget));
    reader.leave(outerEnd);
  }
  return payload;
}

/** Reads a field of a payload that is no metric. */
export function readHead(reader: ProtobufReader, tag: number, payload: Mutable<PayloadHead>): void {
  switch (tag) {
    case PAYLOAD.timestamp:
      payload.timestamp_ms = reader.uint();
      break;
    case PAYLOAD.seq:
      payload.seq = reader.uint();
      break;
    case PAYLOAD.uuid:
      payload.uuid = reader.string();
      break;
    case PAYLOAD.body:
      payload.body = reader.bytes();
      break;
    default:
      skipUnknown(reader, tag, PAYLOAD_FIELD_LAST);
  }
}

/** What is left of PROPERTIES_MAX in this message. */
export interface Budget {
  properties: number;
}

function writeMetric(writer: ProtobufWriter, metric: Metric, budget: Budget, withHistorical: boolean): void {
  if (metric.name !== undefined) writer.string(METRIC.name, metric.name);
  if (metric.alias !== undefined) writer.uint(METRIC.alias, metric.alias);
  if (metric.timestamp_ms !== undefined) writer.uint(METRIC.timestamp, metric.timestamp_ms);
  if (metric.datatype !== undefined) writer.uint(METRIC.datatype, metric.datatype);
  if (withHistorical && metric.isHistorical !== undefined) writer.bool(METRIC.isHistorical, metric.isHistorical);
  if (metric.isTransient !== undefined) writer.bool(METRIC.isTransient, metric.isTransient);
  if (metric.isNull !== undefined) writer.bool(METRIC.isNull, metric.isNull);
  if (metric.properties !== undefined) {
    const start = writer.open(METRIC.properties);
    writeProperties(writer, metric.properties, budget);
    writer.close(start);
  }
  let values = 0;
  if (metric.intValue !== undefined) {
    writer.uint32(METRIC.int, metric.intValue);
    values++;
  }
  if (metric.longValue !== undefined) {
    writer.uint64(METRIC.long, metric.longValue);
    values++;
  }
  if (metric.floatValue !== undefined) {
    writer.float(METRIC.float, metric.floatValue);
    values++;
  }
  if (metric.doubleValue !== undefined) {
    writer.double(METRIC.double, metric.doubleValue);
    values++;
  }
  if (metric.booleanValue !== undefined) {
    writer.bool(METRIC.boolean, metric.booleanValue);
    values++;
  }
  if (metric.stringValue !== undefined) {
    writer.string(METRIC.string, metric.stringValue);
    values++;
  }
  if (metric.bytesValue !== undefined) {
    writer.bytes(METRIC.bytes, metric.bytesValue);
    values++;
  }
  if (values > 1) throw severalValues(metric.name ?? `alias ${metric.alias}`);
}

function writeProperties(writer: ProtobufWriter, properties: PropertySet, budget: Budget): void {
  spend(budget, properties.size);
  // All keys, then all values: two parallel arrays on the wire.
  for (const key of properties.keys()) writer.string(PROPERTY_SET.keys, key);
  for (const [key, value] of properties) {
    const start = writer.open(PROPERTY_SET.values);
    writeProperty(writer, key, value);
    writer.close(start);
  }
}

function writeProperty(writer: ProtobufWriter, key: string, property: PropertyValue): void {
  if (property.type !== undefined) writer.uint(PROPERTY.type, property.type);
  if (property.isNull !== undefined) writer.bool(PROPERTY.isNull, property.isNull);
  let values = 0;
  if (property.intValue !== undefined) {
    writer.uint32(PROPERTY.int, property.intValue);
    values++;
  }
  if (property.longValue !== undefined) {
    writer.uint64(PROPERTY.long, property.longValue);
    values++;
  }
  if (property.floatValue !== undefined) {
    writer.float(PROPERTY.float, property.floatValue);
    values++;
  }
  if (property.doubleValue !== undefined) {
    writer.double(PROPERTY.double, property.doubleValue);
    values++;
  }
  if (property.booleanValue !== undefined) {
    writer.bool(PROPERTY.boolean, property.booleanValue);
    values++;
  }
  if (property.stringValue !== undefined) {
    writer.string(PROPERTY.string, property.stringValue);
    values++;
  }
  if (values > 1) throw severalValues(`property ${key}`);
}

/** Goes behind the next metric if it begins with an alias that is not wanted; else stays before it. */
function passesOver(reader: ProtobufReader, isWanted: (alias: number) => boolean): boolean {
  const start = reader.at;
  const outerEnd = reader.enter();
  const isOther = reader.at < reader.end && reader.tag() === METRIC.alias && !isWanted(reader.uint());
  reader.at = isOther ? reader.end : start;
  reader.leave(outerEnd);
  return isOther;
}

/** The metric that the reader was let into, to its end. */
export function readMetric(reader: ProtobufReader, budget: Budget): Metric {
  const metric: Mutable<Metric> = {};
  let properties: Map<string, PropertyValue> | undefined;
  let hasValue = false;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case METRIC.name:
        metric.name = reader.string();
        break;
      case METRIC.alias:
        metric.alias = reader.uint();
        break;
      case METRIC.timestamp:
        metric.timestamp_ms = reader.uint();
        break;
      case METRIC.datatype:
        metric.datatype = knownDataType(reader.uint32());
        break;
      case METRIC.isHistorical:
        metric.isHistorical = reader.bool();
        break;
      case METRIC.isTransient:
        metric.isTransient = reader.bool();
        break;
      case METRIC.isNull:
        metric.isNull = reader.bool();
        break;
      case METRIC.metadata:
        reader.skip(tag);
        break;
      case METRIC.properties:
        // Protobuf joins a submessage that comes twice.
        metric.properties = properties ??= new Map();
        readProperties(reader, properties, budget);
        break;
      default:
        if (tag >>> 3 < METRIC.int >>> 3 || tag >>> 3 > METRIC_FIELD_LAST) {
          skipUnknown(reader, tag, METRIC_FIELD_LAST);
          break;
        }
        // A oneof: of several values the last one counts.
        if (hasValue) dropValue(metric);
        hasValue = true;
        readMetricValue(reader, tag, metric);
    }
  }
  return metric;
}

function readMetricValue(reader: ProtobufReader, tag: number, metric: Mutable<Metric>): void {
  switch (tag) {
    case METRIC.int:
      metric.intValue = reader.uint32();
      break;
    case METRIC.long:
      metric.longValue = reader.uint64();
      break;
    case METRIC.float:
      metric.floatValue = reader.float();
      break;
    case METRIC.double:
      metric.doubleValue = reader.double();
      break;
    case METRIC.boolean:
      metric.booleanValue = reader.bool();
      break;
    case METRIC.string:
      metric.stringValue = reader.string();
      break;
    case METRIC.bytes:
      metric.bytesValue = reader.bytes();
      break;
    case METRIC.dataset:
    case METRIC.template:
    case METRIC.extension:
      reader.skip(tag);
      break;
    default:
      skipUnknown(reader, tag, METRIC_FIELD_LAST);
  }
}

function readProperties(reader: ProtobufReader, properties: Map<string, PropertyValue>, budget: Budget): void {
  const outerEnd = reader.enter();
  const keys: string[] = [];
  const values: PropertyValue[] = [];
  while (reader.at < reader.end) {
    const tag = reader.tag();
    switch (tag) {
      case PROPERTY_SET.keys:
        spend(budget, 1);
        keys.push(reader.string());
        break;
      case PROPERTY_SET.values:
        if (values.length >= PROPERTIES_MAX) throw tooMany("properties", PROPERTIES_MAX);
        values.push(readProperty(reader));
        break;
      default:
        skipUnknown(reader, tag, PROPERTY_SET_FIELD_LAST);
    }
  }
  if (keys.length !== values.length) throw reader.malformed(`${keys.length} property keys and ${values.length} values`);
  keys.forEach((key, at) => {
    properties.set(key, values[at]!);
  });
  reader.leave(outerEnd);
}

function readProperty(reader: ProtobufReader): PropertyValue {
  const outerEnd = reader.enter();
  const property: Mutable<PropertyValue> = {};
  let hasValue = false;
  while (reader.at < reader.end) {
    const tag = reader.tag();
    if (tag === PROPERTY.type) property.type = knownDataType(reader.uint32());
    else if (tag === PROPERTY.isNull) property.isNull = reader.bool();
    else if (tag >>> 3 < PROPERTY.int >>> 3 || tag >>> 3 > PROPERTY_FIELD_LAST) {
      skipUnknown(reader, tag, PROPERTY_FIELD_LAST);
    } else {
      if (hasValue) dropValue(property);
      hasValue = true;
      readPropertyValue(reader, tag, property);
    }
  }
  reader.leave(outerEnd);
  return property;
}

function readPropertyValue(reader: ProtobufReader, tag: number, property: Mutable<PropertyValue>): void {
  switch (tag) {
    case PROPERTY.int:
      property.intValue = reader.uint32();
      break;
    case PROPERTY.long:
      property.longValue = reader.uint64();
      break;
    case PROPERTY.float:
      property.floatValue = reader.float();
      break;
    case PROPERTY.double:
      property.doubleValue = reader.double();
      break;
    case PROPERTY.boolean:
      property.booleanValue = reader.bool();
      break;
    case PROPERTY.string:
      property.stringValue = reader.string();
      break;
    case PROPERTY.propertySet:
    case PROPERTY.propertySets:
    case PROPERTY.extension:
      reader.skip(tag);
      break;
    default:
      skipUnknown(reader, tag, PROPERTY_FIELD_LAST);
  }
}

/** A field of ours in a wire type that is not its own is no unknown field: skipping it would lose a value unseen. */
function skipUnknown(reader: ProtobufReader, tag: number, fieldLast: number): void {
  if (tag >>> 3 <= fieldLast) throw reader.malformed(`field ${tag >>> 3} as wire type ${tag & 7}`);
  reader.skip(tag);
}

function dropValue(wire: Mutable<Metric>): void {
  delete wire.intValue;
  delete wire.longValue;
  delete wire.floatValue;
  delete wire.doubleValue;
  delete wire.booleanValue;
  delete wire.stringValue;
  delete wire.bytesValue;
}

/** Codes of a later standard come as Unknown: their values stay unread instead of misread. */
function knownDataType(code: number): DataTypeCode {
  return code <= DataType.DateTimeArray ? (code as DataTypeCode) : DataType.Unknown;
}

function spend(budget: Budget, properties: number): void {
  budget.properties -= properties;
  if (budget.properties < 0) throw tooMany("properties", PROPERTIES_MAX);
}

export function tooManyMetrics(): KhuXanhError {
  return tooMany("metrics", METRICS_MAX);
}

function tooMany(what: string, max: number): KhuXanhError {
  return new KhuXanhError("WIRE_TOO_LARGE", `payload with more than ${max} ${what}`, {
    hint: "Send fewer metrics in one message.",
    context: { what, max },
  });
}

function severalValues(of: string): KhuXanhError {
  return new KhuXanhError("INTERNAL", `metric has more than one value: ${of}`, {
    hint: "Report this as a bug: a metric carries one value.",
    context: { of },
  });
}
