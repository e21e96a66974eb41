import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  data,
  decodePayload,
  encodeCanonical,
  encodeMessage,
  encodePayload,
  METRICS_MAX,
  metric,
  PAYLOAD_BYTES_MAX,
  type Payload,
  PROPERTIES_MAX,
  type PropertyValue,
  property,
} from "../../../core/wire/payload.ts";
import { ProtobufWriter } from "../../../core/wire/protobufWriter.ts";
import { alias, anyPayload, instant, mutation, outcome, uint64 } from "./arbitraries.ts";
import { FIXTURES, fromHex, T, toHex } from "./fixtures.ts";
import { oracleDecode, oracleEncode, oracleEncodeRaw } from "./oracle.ts";

const PAYLOADS: Record<keyof typeof FIXTURES, Payload> = {
  ndeath: { metrics: [metric.int64({ name: "bdSeq", timestamp_ms: T }, 7n)] },
  nbirth: {
    timestamp_ms: T,
    seq: 0,
    metrics: [
      metric.int64({ name: "bdSeq", timestamp_ms: T }, 7n),
      metric.boolean({ name: "Node Control/Rebirth", timestamp_ms: T }, false),
    ],
  },
  dbirth: {
    timestamp_ms: T,
    seq: 1,
    metrics: [
      metric.double({ name: "L1/Voltage", alias: 200, timestamp_ms: T }, 230.5),
      metric.string({ name: "Serial", timestamp_ms: T }, null),
    ],
  },
  ddataLive: {
    timestamp_ms: T + 1000,
    seq: 2,
    metrics: [{ alias: 200, timestamp_ms: T + 1000, doubleValue: 231.25 }],
  },
  ddataLate: {
    timestamp_ms: T + 5000,
    seq: 3,
    metrics: [{ alias: 200, timestamp_ms: T + 2000, isHistorical: true, doubleValue: -1.5 }],
  },
  ddeath: { timestamp_ms: T + 6000, seq: 4, metrics: [] },
  ncmdRebirth: {
    timestamp_ms: T,
    metrics: [metric.boolean({ name: "Node Control/Rebirth", timestamp_ms: T }, true)],
  },
  ncmdAck: {
    timestamp_ms: T,
    metrics: [metric.string({ name: "Delivery/Ack", timestamp_ms: T }, "1 9f3c2a7e51d0b846 1-3,5")],
  },
  negatives: {
    metrics: [metric.int32({ name: "a", timestamp_ms: 1 }, -5), metric.int64({ name: "b", timestamp_ms: 1 }, -5n)],
  },
};

describe("the fixtures of the reference", () => {
  for (const [name, payload] of Object.entries(PAYLOADS) as [keyof typeof FIXTURES, Payload][]) {
    test(`${name} is written byte for byte`, () => {
      expect(toHex(encodePayload(payload))).toBe(FIXTURES[name]);
    });
    test(`${name} is read back`, () => {
      expect(decodePayload(fromHex(FIXTURES[name]))).toStrictEqual(payload);
    });
  }
});

describe("against an independent protobuf runtime", () => {
  test("both write the same bytes", () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        expect(toHex(encodePayload(payload))).toBe(toHex(oracleEncode(payload)));
      }),
      { numRuns: 500 },
    );
  });

  test("both write the same bytes where a length grows by a byte", () => {
    for (const length of [0x80, 0x4000, 0x8000, 0x20_0000, 0x20_0040]) {
      for (let less = 0; less < 12; less++) {
        const payload: Payload = { metrics: [{ alias: 1, stringValue: "x".repeat(length - less) }] };
        expect(Buffer.compare(encodePayload(payload), oracleEncode(payload))).toBe(0);
      }
    }
  });

  test("what one writes the other reads, with every absent field absent", () => {
    fc.assert(
      fc.property(anyPayload, (payload) => {
        expect(oracleDecode(encodePayload(payload))).toStrictEqual(payload);
        expect(decodePayload(oracleEncode(payload))).toStrictEqual(payload);
      }),
      { numRuns: 500 },
    );
  });

  test("bytes that both accept mean the same to both", () => {
    let bothRead = 0;
    fc.assert(
      fc.property(anyPayload, mutation(), (payload, mutate) => {
        const bytes = mutate(encodePayload(payload));
        const ours = outcome(() => decodePayload(bytes));
        const theirs = oracleOutcome(bytes);
        if (ours.kind === "refused" || theirs === null) return;
        bothRead++;
        expect(ours.value).toStrictEqual(theirs);
      }),
      { numRuns: 3000 },
    );
    expect(bothRead).toBeGreaterThan(100);
  });

  test("metadata, datasets, templates and nested property sets are passed over, and their neighbours read", () => {
    const inner = { keys: ["deep"], values: [{ type: 3, value: { case: "intValue", value: 1 } }] };
    const bytes = oracleEncodeRaw({
      seq: 9n,
      metrics: [
        { name: "file", metadata: { fileName: "a.bin", size: 3n } },
        { name: "table", datatype: 16, value: { case: "datasetValue", value: { columns: ["a"], types: [3, 4] } } },
        { name: "template", datatype: 19, value: { case: "templateValue", value: { metrics: [{ name: "x" }] } } },
        {
          name: "nested",
          properties: {
            keys: ["set", "sets", "engUnit"],
            values: [
              { type: 20, value: { case: "propertysetValue", value: inner } },
              { type: 21, value: { case: "propertysetsValue", value: { propertyset: [inner] } } },
              { type: 12, value: { case: "stringValue", value: "V" } },
            ],
          },
        },
      ],
    });
    expect(decodePayload(bytes)).toStrictEqual({
      seq: 9,
      metrics: [
        { name: "file" },
        { name: "table", datatype: 16 },
        { name: "template", datatype: 19 },
        {
          name: "nested",
          properties: new Map<string, PropertyValue>([
            ["set", { type: 20 }],
            ["sets", { type: 21 }],
            ["engUnit", property.string("V")],
          ]),
        },
      ],
    });
  });
});

describe("reading what others may send", () => {
  test("zero is a value and absence is none", () => {
    expect(decodePayload(fromHex("0800180012021000"))).toStrictEqual({
      timestamp_ms: 0,
      seq: 0,
      metrics: [{ alias: 0 }],
    });
    expect(decodePayload(new Uint8Array())).toStrictEqual({ metrics: [] });
  });

  test("fields may come in any order, and unknown ones of every wire type between them", () => {
    const unknown = "3001" + "390102030405060708" + "3a020102" + "3b08014b08014c3c" + "3d01020304";
    expect(decodePayload(fromHex(`1805${unknown}0801`))).toStrictEqual({ seq: 5, timestamp_ms: 1, metrics: [] });
  });

  test("of several values in one metric the last one counts", () => {
    expect(decodePayload(fromHex("120850057a0268695807")).metrics).toStrictEqual([{ longValue: 7n }]);
    expect(decodePayload(fromHex("120550058a0100")).metrics).toStrictEqual([{}]);
    const [withProperty] = decodePayload(fromHex("120b4a090a0161120418053801")).metrics;
    expect(withProperty!.properties).toStrictEqual(new Map([["a", { booleanValue: true }]]));
  });

  test("a property set that comes in two pieces is one", () => {
    const one = "4a090a0161120408031801";
    const two = "4a090a0162120408031802";
    expect(decodePayload(fromHex(`1216${one}${two}`)).metrics[0]!.properties).toStrictEqual(
      new Map([
        ["a", property.int32(1)],
        ["b", property.int32(2)],
      ]),
    );
  });

  test("a 32-bit field sent as a 64-bit negative keeps its low 32 bits", () => {
    expect(decodePayload(fromHex("120b50fbffffffffffffffff01")).metrics).toStrictEqual([{ intValue: 0xffff_fffb }]);
  });

  test("the largest count a number holds exactly is read, and any bit makes a flag true", () => {
    expect(decodePayload(fromHex("08ffffffffffffff0f")).timestamp_ms).toBe(Number.MAX_SAFE_INTEGER);
    expect(decodePayload(fromHex("120728808080808001")).metrics).toStrictEqual([{ isHistorical: true }]);
  });

  test("who needs a few metrics of many reads those, and those that do not begin with their alias", () => {
    const metrics = [
      data.double({ alias: 1, timestamp_ms: 5 }, 1.5),
      data.int64({ alias: 300, timestamp_ms: 5 }, 7),
      data.string({ name: "named" }, "x"),
    ];
    const bytes = encodePayload({ timestamp_ms: 9, metrics, seq: 3 });
    const read = (...wanted: number[]) => decodePayload(bytes, (alias) => wanted.includes(alias));
    expect(read(300)).toStrictEqual({ timestamp_ms: 9, metrics: metrics.slice(1), seq: 3 });
    expect(read(1, 300)).toStrictEqual(decodePayload(bytes));
    expect(read().metrics).toStrictEqual(metrics.slice(2));
  });

  test("a datatype of a later standard reads as unknown", () => {
    expect(decodePayload(fromHex("12022063")).metrics).toStrictEqual([{ datatype: 0 }]);
  });

  test("bytes read stay as they are when the buffer they came in is reused", () => {
    const packet = Buffer.from(encodePayload({ metrics: [{ bytesValue: new Uint8Array([1, 2, 3]) }] }));
    const { metrics } = decodePayload(packet);
    packet.fill(0xff);
    expect(metrics).toStrictEqual([{ bytesValue: new Uint8Array([1, 2, 3]) }]);
  });

  test("bytes in the middle of a larger buffer are read from where they begin", () => {
    const packet = Buffer.concat([Buffer.alloc(5, 0xff), fromHex(FIXTURES.ddataLive), Buffer.alloc(5, 0xff)]);
    expect(decodePayload(packet.subarray(5, -5))).toStrictEqual(PAYLOADS.ddataLive);
  });
});

describe("bytes that are no payload", () => {
  const MALFORMED = {
    "a cut varint": "0880",
    "a varint of eleven bytes": "08ffffffffffffffffffff01",
    "a timestamp of 2^53": "088080808080808010",
    "a flag of eleven bytes": `120c28${"80".repeat(10)}01`,
    "a negative timestamp": "08ffffffffffffffffff01",
    "a metric longer than the payload": "12050a01",
    "a name longer than its metric": "12030a056162636465",
    "a double cut short": "12056900000000",
    "field number 0": "0001",
    "a field number above 2^29": "808080808080800101",
    "a group that never ends": "3b0801",
    "a group that ends as another": "3b08014c",
    "an end of a group that never began": "3c",
    "wire type 7": "3f",
    "a timestamp of wire type 2": "0a0101",
    "a value of a wrong wire type": "1203520101",
    "a name that is not UTF-8": "12040a02c328",
    "a long name that is not UTF-8": `12340a32${"61".repeat(49)}ff`,
    "more property keys than values": "12054a030a0161",
  } as const;
  for (const [name, hex] of Object.entries(MALFORMED)) {
    test(`${name} is malformed`, () => {
      const result = outcome(() => decodePayload(fromHex(hex)));
      expect(result).toMatchObject({ kind: "refused", error: { code: "WIRE_MALFORMED" } });
    });
  }

  test("groups within groups end at a depth, not at the end of the stack", () => {
    const deep = new Uint8Array(1_000_000).fill(0x3b);
    expect(outcome(() => decodePayload(deep))).toMatchObject({ error: { code: "WIRE_MALFORMED" } });
  });

  test("random bytes are read or refused, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assertReadOrRefused(bytes);
      }),
      { numRuns: 5000 },
    );
  });

  test("damaged payloads are read or refused, never anything else", () => {
    fc.assert(
      fc.property(anyPayload, mutation(), (payload, mutate) => {
        assertReadOrRefused(mutate(encodePayload(payload)));
      }),
      { numRuns: 3000 },
    );
  });

  test("every beginning of a payload but the whole is read or refused", () => {
    const whole = encodePayload(PAYLOADS.nbirth);
    for (let length = 0; length < whole.length; length++) assertReadOrRefused(whole.subarray(0, length));
  });
});

describe("limits", () => {
  test("more bytes than allowed are refused before they are read", () => {
    expect(outcome(() => decodePayload(new Uint8Array(PAYLOAD_BYTES_MAX + 1)))).toMatchObject({
      error: { code: "WIRE_TOO_LARGE" },
    });
  });

  test("more metrics than allowed are refused both ways", () => {
    const flood = new Uint8Array(2 * (METRICS_MAX + 1));
    for (let at = 0; at < flood.length; at += 2) flood[at] = 0x12;
    expect(outcome(() => decodePayload(flood))).toMatchObject({ error: { code: "WIRE_TOO_LARGE" } });
    expect(decodePayload(flood.subarray(2)).metrics).toHaveLength(METRICS_MAX);
    const metrics = Array.from({ length: METRICS_MAX + 1 }, () => ({}));
    expect(outcome(() => encodePayload({ metrics }))).toMatchObject({ error: { code: "WIRE_TOO_LARGE" } });
  });

  test("more properties than allowed are refused both ways, also when many metrics share them", () => {
    const half = new Map(Array.from({ length: PROPERTIES_MAX / 2 }, (_, at) => [`${at}`, {}]));
    const allowed = { metrics: [{ properties: half }, { properties: half }] };
    const more = { metrics: [...allowed.metrics, { properties: new Map([["one more", {}]]) }] };
    expect(outcome(() => encodePayload(more))).toMatchObject({ error: { code: "WIRE_TOO_LARGE" } });
    expect(outcome(() => decodePayload(oracleEncode(more)))).toMatchObject({ error: { code: "WIRE_TOO_LARGE" } });
    expect(decodePayload(encodePayload(allowed)).metrics[1]!.properties!.size).toBe(PROPERTIES_MAX / 2);
  });

  test("a flood of property values without keys ends at the limit", () => {
    const writer = new ProtobufWriter();
    writer.start();
    const metricStart = writer.open(0x12);
    const setStart = writer.open(0x4a);
    for (let at = 0; at <= PROPERTIES_MAX; at++) writer.close(writer.open(0x12));
    writer.close(setStart);
    writer.close(metricStart);
    expect(outcome(() => decodePayload(writer.finish()))).toMatchObject({ error: { code: "WIRE_TOO_LARGE" } });
  });

  test("a payload over the limit is not written, and the next one is as if nothing had been", () => {
    const half = new Uint8Array(PAYLOAD_BYTES_MAX / 2);
    const tooLarge = { metrics: [{ bytesValue: half }, { bytesValue: half }] };
    expect(outcome(() => encodePayload(tooLarge))).toMatchObject({ error: { code: "WIRE_TOO_LARGE" } });
    expect(toHex(encodePayload(PAYLOADS.ddeath))).toBe(FIXTURES.ddeath);
  });
});

describe("what is written in one go", () => {
  test("law: a number is the bytes of the metric that says the same", () => {
    const value = fc.oneof(uint64, fc.double());
    fc.assert(
      fc.property(alias, instant, value, fc.boolean(), (alias, timestamp_ms, value, isHistorical) => {
        const carried = typeof value === "bigint" ? { longValue: value } : { doubleValue: value };
        const head = { alias, timestamp_ms };
        const metrics = [
          { ...head, ...(isHistorical ? { isHistorical } : {}), ...carried },
          { ...head, isTransient: true, ...carried },
        ];
        const written = encodeMessage(1, 2, (to) => {
          to.number(alias, timestamp_ms, isHistorical, value);
          to.transient(alias, timestamp_ms, value);
        });
        expect(written).toEqual(encodePayload({ timestamp_ms: 1, metrics, seq: 2 }));
      }),
    );
  });

  test("what comes after a payload does not change it, however long they are", () => {
    const lengths = fc.array(fc.oneof(fc.nat(300), fc.nat(70_000)), { maxLength: 40 });
    fc.assert(
      fc.property(lengths, (lengths) => {
        const payloads = lengths.map((length, seq) => ({
          metrics: [],
          seq,
          body: new Uint8Array(length).fill(seq + 1),
        }));
        const written = payloads.map((payload) => encodePayload(payload));
        expect(written.map((bytes) => decodePayload(bytes))).toEqual(payloads);
      }),
      { numRuns: 30 },
    );
  });
});

describe("a caller's mistake", () => {
  test("a number of no whole alias or time is not written", () => {
    for (const [alias, time_ms] of [
      [-1, 1],
      [1.5, 1],
      [1, -1],
      [1, 1.5],
      [1, Number.NaN],
    ] as const) {
      const write = () => encodeMessage(1, 1, (to) => to.number(alias, time_ms, false, 1));
      expect(outcome(write)).toMatchObject({ error: { code: "INTERNAL" } });
    }
  });

  const MISTAKES: Record<string, Payload> = {
    "a timestamp that is not whole": { timestamp_ms: 1.5, metrics: [] },
    "a timestamp that is no number": { metrics: [{ timestamp_ms: Number.NaN }] },
    "a negative alias": { metrics: [{ alias: -1 }] },
    "a seq beyond 2^53−1": { seq: 2 ** 53, metrics: [] },
    "two values in one metric": { metrics: [{ intValue: 1, longValue: 1n }] },
    "two values in one property": {
      metrics: [{ properties: new Map([["a", { intValue: 1, stringValue: "1" }]]) }],
    },
  };
  for (const [name, payload] of Object.entries(MISTAKES)) {
    test(`${name} is not written`, () => {
      expect(outcome(() => encodePayload(payload))).toMatchObject({ error: { code: "INTERNAL" } });
    });
  }
});

function oracleOutcome(bytes: Uint8Array): Payload | null {
  try {
    return oracleDecode(bytes);
  } catch {
    return null;
  }
}

function assertReadOrRefused(bytes: Uint8Array): void {
  const result = outcome(() => decodePayload(bytes));
  if (result.kind === "refused") {
    expect(["WIRE_MALFORMED", "WIRE_TOO_LARGE"]).toContain(result.error.code);
    expect(result.error.hint).not.toBe("");
  } else {
    expect(decodePayload(encodePayload(result.value))).toStrictEqual(result.value);
  }
}

test("the canonical form of metrics is the same whether they were sent late or not, and differs by nothing else", () => {
  const live = [data.double({ alias: 200, timestamp_ms: T }, 231.25), data.int64({ alias: 7, timestamp_ms: T }, 5n)];
  const late = live.map((one) => ({ ...one, isHistorical: true }));
  expect(toHex(encodeCanonical(late))).toBe(toHex(encodePayload({ metrics: live })));
  expect(toHex(encodeCanonical(live))).toBe(toHex(encodeCanonical(late)));
  expect(toHex(encodePayload({ metrics: late }))).not.toBe(toHex(encodePayload({ metrics: live })));
});
