import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  assertId,
  type DeviceKind,
  deviceCommandFilter,
  ID_LENGTH_MAX,
  type NodeKind,
  parseTopic,
  type Topic,
  topicOf,
} from "../../../core/wire/topics.ts";

const id = fc.string({
  unit: fc.constantFrom("a", "Z", "9", "-", "_", " ", ".", "$", "é", "Ố", "📈"),
  minLength: 1,
  maxLength: 20,
});
const nodeKind = fc.constantFrom<NodeKind>("NBIRTH", "NDEATH", "NDATA", "NCMD");
const deviceKind = fc.constantFrom<DeviceKind>("DBIRTH", "DDEATH", "DDATA", "DCMD");
const topic: fc.Arbitrary<Topic> = fc.oneof(
  fc.tuple(nodeKind, id, id).map(([kind, group, edge]) => ({ kind, group, edge })),
  fc.tuple(deviceKind, id, id, id).map(([kind, group, edge, device]) => ({ kind, group, edge, device })),
  id.map((host) => ({ kind: "STATE" as const, host })),
);

describe("topics", () => {
  test("each verb has one form", () => {
    expect(topicOf({ kind: "NBIRTH", group: "kcn", edge: "gw-01" })).toBe("spBv1.0/kcn/NBIRTH/gw-01");
    expect(topicOf({ kind: "DDATA", group: "kcn", edge: "gw-01", device: "m1" })).toBe("spBv1.0/kcn/DDATA/gw-01/m1");
    expect(topicOf({ kind: "STATE", host: "collector" })).toBe("spBv1.0/STATE/collector");
    expect(deviceCommandFilter({ group: "kcn", edge: "gw-01" })).toBe("spBv1.0/kcn/DCMD/gw-01/+");
  });

  test("what is built is parsed back", () => {
    fc.assert(
      fc.property(topic, (built) => {
        expect(parseTopic(topicOf(built))).toStrictEqual(built);
      }),
    );
  });

  test("what is parsed builds the same text again", () => {
    const level = fc.oneof(id, fc.constantFrom("", "STATE", "NDATA", "DDATA", "NCMD", "+", "#", "a\u0000", "\uD800"));
    const text = fc.array(level, { maxLength: 6 }).map((levels) => ["spBv1.0", ...levels].join("/"));
    fc.assert(
      fc.property(text, (received) => {
        const parsed = parseTopic(received);
        if (parsed !== null) expect(topicOf(parsed)).toBe(received);
      }),
      { numRuns: 2000 },
    );
  });

  const FOREIGN = [
    "",
    "spBv1.0",
    "spBv1.0/",
    "spAv1.0/kcn/NDATA/gw",
    "spBv1.0/kcn/NDATA",
    "spBv1.0/kcn/NDATA/",
    "spBv1.0//NDATA/gw",
    "spBv1.0/kcn/ndata/gw",
    "spBv1.0/kcn/NDATA/gw/m1",
    "spBv1.0/kcn/DDATA/gw",
    "spBv1.0/kcn/DDATA/gw/",
    "spBv1.0/kcn/DDATA/gw/m1/more",
    "spBv1.0/STATE",
    "spBv1.0/STATE/",
    "spBv1.0/STATE/host/more",
    "spBv1.0/STATE/NDATA/gw",
    "STATE/host",
    `spBv1.0/${"/".repeat(60_000)}`,
  ];
  for (const text of FOREIGN) {
    test(`${JSON.stringify(text.slice(0, 40))} is no Sparkplug topic`, () => {
      expect(parseTopic(text)).toBeNull();
    });
  }
});

describe("ids", () => {
  for (const bad of ["", "a+b", "#", "a/b", "a\nb", "\u007f", "\u0085", "\uDC00", "x".repeat(ID_LENGTH_MAX + 1)]) {
    test(`${JSON.stringify(bad.slice(0, 20))} is refused with a hint`, () => {
      expect(() => assertId(bad, "device")).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", hint: expect.stringContaining("letters") }),
      );
    });
  }

  test("STATE is refused as a group and nowhere else", () => {
    expect(() => assertId("STATE", "group")).toThrow(/group id "STATE" is reserved/);
    for (const what of ["edge", "device", "host"] as const) expect(() => assertId("STATE", what)).not.toThrow();
  });

  test("a topic with a bad id is not built", () => {
    expect(() => topicOf({ kind: "DDATA", group: "kcn", edge: "gw", device: "+" })).toThrow(/device id "\+"/);
  });
});
