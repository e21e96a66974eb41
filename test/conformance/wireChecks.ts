import { expect } from "vitest";
import { agentSpec } from "../../config/files/agent.ts";
import { collectorSpec } from "../../config/files/collector.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { parseConfig } from "../../config/parse.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { readingMetric } from "../../core/wire/content.ts";
import { decodePayload, encodePayload, property } from "../../core/wire/payload.ts";
import { assertId, type IdRole, parseTopic, topicOf } from "../../core/wire/topics.ts";
import type { Checks } from "./ids.ts";

const T = 1_760_000_000_000;

/** What holds of topics, ids and payloads by themselves. */
export const WIRE_CHECKS: Checks<null> = [
  [
    ["intro-group-id-string", "intro-group-id-chars", "topic-structure-namespace-valid-group-id"],
    () => isGuarded("group"),
  ],
  [
    ["intro-edge-node-id-string", "intro-edge-node-id-chars", "topic-structure-namespace-valid-edge-node-id"],
    () => isGuarded("edge"),
  ],
  [
    ["intro-device-id-string", "intro-device-id-chars", "topic-structure-namespace-valid-device-id"],
    () => isGuarded("device"),
  ],
  [
    ["topic-structure", "topic-structure-namespace-a"],
    () => {
      expect(topicOf({ kind: "NBIRTH", group: "g", edge: "e" })).toBe("spBv1.0/g/NBIRTH/e");
      expect(parseTopic("spAv1.0/g/NBIRTH/e")).toBeNull();
      expect(parseTopic("spBv1.0/g/NBIRTH/e/d/x")).toBeNull();
    },
  ],
  [
    ["topic-structure-namespace-device-id-associated-message-types"],
    () => {
      for (const kind of ["DBIRTH", "DDEATH", "DDATA", "DCMD"] as const) {
        expect(topicOf({ kind, group: "g", edge: "e", device: "d" })).toBe(`spBv1.0/g/${kind}/e/d`);
        expect(parseTopic(`spBv1.0/g/${kind}/e`)).toBeNull();
      }
    },
  ],
  [
    ["topic-structure-namespace-device-id-non-associated-message-types"],
    () => {
      for (const kind of ["NBIRTH", "NDEATH", "NDATA", "NCMD"]) expect(parseTopic(`spBv1.0/g/${kind}/e/d`)).toBeNull();
      expect(parseTopic("spBv1.0/STATE/host/d")).toBeNull();
    },
  ],
  [
    ["topic-structure-namespace-unique-device-id"],
    () => {
      expect(() => agentOf("m", "m")).toThrow(/meter id "m"/);
      expect(() => agentOf("m", "n")).not.toThrow();
    },
  ],
  [
    [
      "intro-edge-node-id-uniqueness",
      "topic-structure-namespace-unique-edge-node-descriptor",
      "payloads-nbirth-edge-node-descriptor",
    ],
    () => {
      // One zone, one collector: no gateway id may stand twice in it.
      expect(() => parseConfig(collectorYaml("gw-01", "gw-01"), collectorSpec, "collector.yaml")).toThrow(/gw-01/);
      expect(() => parseConfig(collectorYaml("gw-01", "gw-02"), collectorSpec, "collector.yaml")).not.toThrow();
    },
  ],
  [
    ["case-sensitivity-metric-names"],
    () => {
      const names = Object.values(QUANTITIES).map(({ wire }) => wire.toLowerCase());
      expect(new Set(names).size).toBe(names.length);
    },
  ],
  [
    ["payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size"],
    () => {
      const properties = new Map([
        ["a", property.string("x")],
        ["b", property.int32(1)],
      ]);
      const [metric] = decodePayload(encodePayload({ metrics: [{ name: "m", properties }] })).metrics;
      expect([...(metric?.properties ?? [])]).toEqual([...properties]);
      // Two keys and one value: refused, not guessed.
      const uneven = new Uint8Array([0x12, 12, 0x0a, 1, 0x6d, 0x4a, 7, 0x0a, 1, 0x61, 0x0a, 1, 0x62, 0x12, 0]);
      expect(() => decodePayload(uneven.with(1, 13).with(6, 8))).toThrow("WIRE_MALFORMED");
    },
  ],
  [
    ["payloads-propertyset-quality-value-type", "payloads-propertyset-quality-value-value"],
    () => {
      const naming = { isHistorical: false, aliasOf: () => 1 };
      const qualityOf = (quality: "good" | "uncertain" | "bad" | "stale") =>
        readingMetric(
          { quantity: "voltage_l1", at_ms: T, value: quality === "bad" ? null : 1, quality, why: null },
          naming,
        ).properties?.get("Quality");
      expect(qualityOf("good")).toBeUndefined();
      expect(["uncertain", "bad", "stale"].map((quality) => qualityOf(quality as "bad"))).toEqual([
        { type: 3, intValue: 192 },
        { type: 3, intValue: 0 },
        { type: 3, intValue: 500 },
      ]);
    },
  ],
];

function isGuarded(role: IdRole): void {
  for (const id of ["gw-01", "Xưởng Một", "a.b"]) expect(() => assertId(id, role)).not.toThrow();
  for (const id of ["", "a/b", "a+b", "a#b", "a\u0000b", "\ud800"]) {
    expect(() => assertId(id, role)).toThrow("CONFIG_INVALID");
  }
}

function agentOf(first: string, second: string) {
  const library = loadModelLibrary();
  const spec = agentSpec({ ids: [...library.keys()], find: (id) => library.get(id) });
  return parseConfig(agentYaml(first, second), spec, "agent.yaml");
}

function agentYaml(first: string, second: string): string {
  return `
zone: kcn
site: steel
gateway: gw-01
data_dir: ./data
buses:
  - id: main
    url: tcp://127.0.0.1:5020
    meters:
      - {id: ${first}, unit: 1, model: schneider-pm5000, carrier: electricity, role: import, every: 1s}
      - {id: ${second}, unit: 2, model: schneider-pm5000, carrier: electricity, role: use, every: 1s}
uplink: {url: "mqtt://127.0.0.1:1883", host_id: zone-collector, delivery: required}
listen: 127.0.0.1:8081
`;
}

function collectorYaml(first: string, second: string): string {
  return `
zone: {id: kcn, name: {vi: KCN, en: Zone}, time_zone: Asia/Ho_Chi_Minh}
host_id: zone-collector
data_dir: ./data
sites:
  - {id: a, name: {vi: A, en: A}, sector: steel, gateways: [${first}]}
  - {id: b, name: {vi: B, en: B}, sector: steel, gateways: [${second}]}
broker: {embedded: 127.0.0.1:1883}
listen: 127.0.0.1:8080
`;
}
