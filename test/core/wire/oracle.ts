import { create, createFileRegistry, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  type FieldDescriptorProto,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import type { Metric, Payload, PropertyValue } from "../../../core/wire/payload.ts";

/**
 * An independent reader and writer of Sparkplug payloads: @bufbuild/protobuf with a descriptor made from the table of
 * the reference, §4. It shares no line with our codec but the shape of the results.
 */
const PACKAGE = "oracle";

type FieldRow = readonly [name: string, number: number, type: Type | string, how?: "repeated" | "oneof"];

const MESSAGES: Record<string, readonly FieldRow[]> = {
  Payload: [
    ["timestamp", 1, Type.UINT64],
    ["metrics", 2, "Metric", "repeated"],
    ["seq", 3, Type.UINT64],
    ["uuid", 4, Type.STRING],
    ["body", 5, Type.BYTES],
  ],
  Metric: [
    ["name", 1, Type.STRING],
    ["alias", 2, Type.UINT64],
    ["timestamp", 3, Type.UINT64],
    ["datatype", 4, Type.UINT32],
    ["is_historical", 5, Type.BOOL],
    ["is_transient", 6, Type.BOOL],
    ["is_null", 7, Type.BOOL],
    ["metadata", 8, "MetaData"],
    ["properties", 9, "PropertySet"],
    ["int_value", 10, Type.UINT32, "oneof"],
    ["long_value", 11, Type.UINT64, "oneof"],
    ["float_value", 12, Type.FLOAT, "oneof"],
    ["double_value", 13, Type.DOUBLE, "oneof"],
    ["boolean_value", 14, Type.BOOL, "oneof"],
    ["string_value", 15, Type.STRING, "oneof"],
    ["bytes_value", 16, Type.BYTES, "oneof"],
    ["dataset_value", 17, "DataSet", "oneof"],
    ["template_value", 18, "Template", "oneof"],
    ["extension_value", 19, "Extension", "oneof"],
  ],
  MetaData: [
    ["is_multi_part", 1, Type.BOOL],
    ["content_type", 2, Type.STRING],
    ["size", 3, Type.UINT64],
    ["seq", 4, Type.UINT64],
    ["file_name", 5, Type.STRING],
    ["file_type", 6, Type.STRING],
    ["md5", 7, Type.STRING],
    ["description", 8, Type.STRING],
  ],
  PropertySet: [
    ["keys", 1, Type.STRING, "repeated"],
    ["values", 2, "PropertyValue", "repeated"],
  ],
  PropertyValue: [
    ["type", 1, Type.UINT32],
    ["is_null", 2, Type.BOOL],
    ["int_value", 3, Type.UINT32, "oneof"],
    ["long_value", 4, Type.UINT64, "oneof"],
    ["float_value", 5, Type.FLOAT, "oneof"],
    ["double_value", 6, Type.DOUBLE, "oneof"],
    ["boolean_value", 7, Type.BOOL, "oneof"],
    ["string_value", 8, Type.STRING, "oneof"],
    ["propertyset_value", 9, "PropertySet", "oneof"],
    ["propertysets_value", 10, "PropertySetList", "oneof"],
    ["extension_value", 11, "Extension", "oneof"],
  ],
  PropertySetList: [["propertyset", 1, "PropertySet", "repeated"]],
  DataSet: [
    ["num_of_columns", 1, Type.UINT64],
    ["columns", 2, Type.STRING, "repeated"],
    ["types", 3, Type.UINT32, "repeated"],
  ],
  Template: [
    ["version", 1, Type.STRING],
    ["metrics", 2, "Metric", "repeated"],
    ["template_ref", 4, Type.STRING],
    ["is_definition", 5, Type.BOOL],
  ],
  Extension: [],
};

const registry = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: "oracle.proto",
    package: PACKAGE,
    syntax: "proto2",
    messageType: Object.entries(MESSAGES).map(([name, fields]) => ({
      name,
      field: fields.map(fieldOf),
      oneofDecl: fields.some((row) => row[3] === "oneof") ? [{ name: "value" }] : [],
    })),
  }),
  () => undefined,
);

const PayloadSchema: DescMessage = registry.getMessage(`${PACKAGE}.Payload`)!;

function fieldOf([name, number, type, how]: FieldRow): Omit<FieldDescriptorProto, keyof Message> {
  return {
    name,
    number,
    label: how === "repeated" ? Label.REPEATED : Label.OPTIONAL,
    ...(typeof type === "string" ? { type: Type.MESSAGE, typeName: `.${PACKAGE}.${type}` } : { type }),
    ...(how === "oneof" ? { oneofIndex: 0 } : {}),
  } as Omit<FieldDescriptorProto, keyof Message>;
}

export function oracleEncode(payload: Payload): Uint8Array {
  return toBinary(
    PayloadSchema,
    create(PayloadSchema, {
      ...(payload.timestamp_ms === undefined ? {} : { timestamp: BigInt(payload.timestamp_ms) }),
      metrics: payload.metrics.map(toOracleMetric),
      ...(payload.seq === undefined ? {} : { seq: BigInt(payload.seq) }),
      ...(payload.uuid === undefined ? {} : { uuid: payload.uuid }),
      ...(payload.body === undefined ? {} : { body: payload.body }),
    } as never),
  );
}

/** What the oracle reads, in our shape; throws whatever it throws on bytes it cannot read. */
export function oracleDecode(bytes: Uint8Array): Payload {
  const read = fieldsSet(fromBinary(PayloadSchema, bytes), "Payload");
  return renamed({ ...read, metrics: ((read.metrics ?? []) as Message[]).map(fromOracleMetric) }) as unknown as Payload;
}

const VALUE_FIELDS = [
  "intValue",
  "longValue",
  "floatValue",
  "doubleValue",
  "booleanValue",
  "stringValue",
  "bytesValue",
] as const;

function toOracleMetric(metric: Metric): object {
  const { alias, timestamp_ms, properties, ...rest } = metric;
  return {
    ...withoutValues(rest),
    ...(alias === undefined ? {} : { alias: BigInt(alias) }),
    ...(timestamp_ms === undefined ? {} : { timestamp: BigInt(timestamp_ms) }),
    ...(properties === undefined
      ? {}
      : { properties: { keys: [...properties.keys()], values: [...properties.values()].map(toOracleProperty) } }),
    ...oneof(metric),
  };
}

function toOracleProperty(property: PropertyValue): object {
  return { ...withoutValues(property), ...oneof(property) };
}

function withoutValues(wire: object): object {
  return Object.fromEntries(Object.entries(wire).filter(([key]) => !VALUE_FIELDS.includes(key as never)));
}

function oneof(wire: Metric): object {
  const field = VALUE_FIELDS.find((name) => wire[name] !== undefined);
  return field === undefined ? {} : { value: { case: field, value: wire[field] } };
}

function fromOracleMetric(message: Message): Metric {
  const { properties, ...read } = fieldsSet(message, "Metric");
  if (properties === undefined) return renamed(read) as Metric;
  const { keys = [], values = [] } = fieldsSet(properties as Message, "PropertySet");
  const set = new Map(
    (keys as string[]).map((key, at) => [key, renamed(fieldsSet((values as Message[])[at]!, "PropertyValue"))]),
  );
  return { ...renamed(read), properties: set } as Metric;
}

/** The fields that were on the wire; defaults of absent ones sit on the prototype and are left out. */
function fieldsSet(message: Message, type: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const own = message as unknown as Record<string, unknown>;
  for (const [name, , , how] of MESSAGES[type]!) {
    const local = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (how !== "oneof" && Object.hasOwn(own, local)) out[local] = own[local];
  }
  const value = own.value as { case?: string; value?: unknown } | undefined;
  if (value?.case !== undefined && VALUE_FIELDS.includes(value.case as never)) out[value.case] = value.value;
  return out;
}

/** uint64 counts as numbers, `timestamp` as `timestamp_ms`, datatype codes unknown to us as 0: our reader's conventions. */
function renamed(read: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(read)) {
    if (key === "timestamp") out.timestamp_ms = Number(value);
    else if (key === "alias" || key === "seq") out[key] = Number(value);
    else if (key === "datatype" || key === "type") out[key] = (value as number) > 34 ? 0 : value;
    else if (key !== "metadata") out[key] = value;
  }
  return out;
}

/** A payload as the oracle would write one with fields we pass over, for tests of exactly that. */
export function oracleEncodeRaw(payload: object): Uint8Array {
  return toBinary(PayloadSchema, create(PayloadSchema, payload as never));
}
