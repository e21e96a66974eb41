import { expect, test } from "vitest";
import type { ModelLookup } from "../../config/files/agentRules.ts";
import { collectorSpec } from "../../config/files/collector.ts";
import { type SimConfig, simSpec } from "../../config/files/sim.ts";
import {
  SIM_ELECTRIC_SHAPES,
  SIM_FLOW_SHAPES,
  SIM_PROFILE_COLUMNS,
  SIM_PROFILES,
  SIM_SERIES_UNITS,
} from "../../config/files/simLoads.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { parseConfig } from "../../config/parse.ts";
import {
  ELECTRIC_SHAPES,
  FLOW_SHAPES,
  PROFILE_COLUMNS,
  PROFILE_NAMES,
  SERIES_UNITS,
  type SimConfig as SimulatorConfig,
} from "../../hw-sim/simConfig.ts";
import { changed, example, problemsOf, thrown } from "./problems.ts";

const library = loadModelLibrary();
const models: ModelLookup = { ids: [...library.keys()], find: (id) => library.get(id) };
const collector = (text: string) => parseConfig(text, collectorSpec, "collector.yaml");
const sim = (text: string): SimConfig => parseConfig(text, simSpec(models), "sim.yaml");

const COLLECTOR = example("collector");
const SITE = "sites:\n";
const SECOND_SITE = "sites:\n  - {id: other, name: {vi: Khác, en: Other}, gateways: [gw-01]}\n";

test("the collector's broker and store are told apart by their kind", () => {
  expect(collector(COLLECTOR)).toMatchObject({
    broker: { kind: "embedded", listen: { port: 1883 } },
    store: { kind: "sqlite" },
  });
  const outside = collector(
    changed(
      COLLECTOR,
      ["{embedded: 127.0.0.1:1883}", "{url: mqtts://broker, username: z, password_file: p, ca_file: ca}"],
      ["{kind: sqlite}", "{kind: influx, url: http://127.0.0.1:8086/, database: khuxanh}"],
    ),
  );
  expect(outside.broker).toMatchObject({ kind: "external", url: { url: "mqtts://broker:8883" }, ca_file: "ca" });
  expect(outside.store).toEqual({ kind: "influx", url: "http://127.0.0.1:8086", database: "khuxanh" });
});

test.each(["users_file: u", "ca_file: ca", "users_file: u, ca_file: ca"])(
  "the embedded broker opens to the network with TLS and %s",
  (guard) => {
    const open = changed(COLLECTOR, [
      "{embedded: 127.0.0.1:1883}",
      `{embedded: "0.0.0.0:8883", cert_file: c, key_file: k, ${guard}}`,
    ]);
    expect(collector(open).broker).toMatchObject({ kind: "embedded", listen: { host: "0.0.0.0", port: 8883 } });
  },
);

test.each<[string, readonly [string, string], readonly string[]]>([
  [
    "a gateway of two sites would be counted twice",
    [SITE, SECOND_SITE],
    ['sites[1].gateways[0]: gateway "gw-01" is already used at sites[0].gateways[0]'],
  ],
  [
    "a site id stands once",
    [SITE, SECOND_SITE.replace("other", "thep-gia-minh").replace("gw-01", "gw-02")],
    ['sites[1].id: site id "thep-gia-minh" is already used at sites[0].id'],
  ],
  [
    "the embedded broker is closed to the network without TLS and accounts",
    ["{embedded: 127.0.0.1:1883}", "{embedded: 0.0.0.0:1883}"],
    [
      "broker.embedded: 0.0.0.0 is open to the network and needs cert_file and key_file (TLS) and users_file (accounts) or ca_file (client certificates) (or listen on 127.0.0.1)",
    ],
  ],
  [
    "TLS alone does not open the embedded broker to the network",
    ["{embedded: 127.0.0.1:1883}", "{embedded: 0.0.0.0:8883, cert_file: c, key_file: k}"],
    [
      "broker.embedded: 0.0.0.0 is open to the network and needs users_file (accounts) or ca_file (client certificates) (or listen on 127.0.0.1)",
    ],
  ],
  [
    "authorities for gateways' certificates mean nothing without TLS",
    ["{embedded: 127.0.0.1:1883}", "{embedded: 127.0.0.1:1883, ca_file: ca}"],
    ["broker.ca_file: has no effect without cert_file and key_file"],
  ],
  [
    "a broker key with a slip",
    ["{embedded: ", "{embeded: "],
    [
      "broker.embedded: is missing (text)",
      "broker.embeded: unknown key (allowed: embedded, users_file, cert_file, key_file, ca_file; did you mean embedded?)",
    ],
  ],
  [
    "an unknown kind of store",
    ["kind: sqlite", "kind: sqlit"],
    ['store.kind: "sqlit" is not known (allowed: sqlite, influx; did you mean sqlite?)'],
  ],
  ["a store without its address", ["kind: sqlite", "kind: influx, database: d"], ["store.url: is missing (text)"]],
  [
    "a name in one language only",
    ["name: {vi: KCN Demo, en: Demo zone}", "name: {vi: KCN Demo}"],
    ["zone.name.en: is missing (text)"],
  ],
  [
    "two servers on one port",
    ["listen: 127.0.0.1:8080", "listen: 127.0.0.1:1883"],
    ["listen: 127.0.0.1:1883 is already the embedded broker's address (broker.embedded)"],
  ],
  ["a site without gateways", ["gateways: [gw-01]", "gateways: []"], ["sites[0].gateways: must not be empty"]],
])("collector: %s", (_name, edit, expected) => {
  expect(problemsOf(() => collector(changed(COLLECTOR, edit)))).toEqual(expected);
});

const REORDER = "# reorder_timeout: 5s";

test("a gap in a gateway's messages is left alone unless a time is set, within limits", () => {
  expect(collector(COLLECTOR)).not.toHaveProperty("reorder_timeout_ms");
  expect(collector(changed(COLLECTOR, [REORDER, "reorder_timeout: 5s"])).reorder_timeout_ms).toBe(5000);
  expect(problemsOf(() => collector(changed(COLLECTOR, [REORDER, "reorder_timeout: 5min"])))).toEqual([
    'reorder_timeout: "5min" is out of range (allowed: 500ms to 1min)',
  ]);
});

const SIM = example("sim");

test("what the file says is what the simulator takes", () => {
  const config: SimulatorConfig = sim(SIM);
  expect(config.lines[0]).toMatchObject({ listen: { kind: "tcp", host: "127.0.0.1", port: 5020 } });
  const serial: SimulatorConfig = sim(changed(SIM, ["tcp://127.0.0.1:5020", "rtu:///dev/pts/3?baud=19200"]));
  expect(serial.lines[0]?.listen).toMatchObject({ kind: "rtu", path: "/dev/pts/3", baud: 19_200 });
});

test("the shapes and profiles of the file are those of the simulator", () => {
  expect(SIM_ELECTRIC_SHAPES).toEqual(ELECTRIC_SHAPES);
  expect(SIM_FLOW_SHAPES).toEqual(FLOW_SHAPES);
  expect(SIM_PROFILES).toEqual(PROFILE_NAMES);
  expect(SIM_PROFILE_COLUMNS).toEqual(PROFILE_COLUMNS);
  expect(SIM_SERIES_UNITS).toEqual(SERIES_UNITS);
});

test("loads nest: sums less solar, shares of references", () => {
  const load =
    "{sum: [{ref: plant}, {shape: office, peak_W: 50000}], minus: [{shape: solar, peak_W: 300000, seed: 7}]}";
  expect(sim(changed(SIM, ["load: {ref: plant}", `load: ${load}`])).lines[0]?.meters[0]?.load).toEqual({
    sum: [{ ref: "plant" }, { shape: "office", peak_W: 50_000 }],
    minus: [{ shape: "solar", peak_W: 300_000, seed: 7 }],
  });
});

test.each<[string, string, string]>([
  ["a line that is not there", "{line: 7}", "faults[0].on.line: there is no line 7 (allowed: 0 to 1)"],
  ["a unit that is not there", "{line: 0, unit: 3}", "faults[0].on.unit: line 0 has no unit 3 (allowed: 1, 2, 9)"],
  ["no line at all", "{unit: 3}", "faults[0].on.line: is missing"],
])("a fault on %s is refused with its place", (_name, on, expected) => {
  const edit = ["on: {line: 0, unit: 9}, requests", `on: ${on}, requests`] as const;
  expect(problemsOf(() => sim(changed(SIM, edit))).join("\n")).toContain(expected);
});

test("a formula that is a number may be written as one", () => {
  const loadOf = (formula: string) =>
    sim(changed(SIM, ["load: {ref: plant}", `load: {formula: ${formula}}`])).lines[0]?.meters[0]?.load;
  expect(loadOf("15000")).toEqual({ formula: "15000" });
  expect(loadOf("-0.5")).toEqual({ formula: "-0.5" });
  expect(problemsOf(() => loadOf("true"))).toEqual(["lines[0].meters[0].load.formula: expected text, found true"]);
});

test("a serial line has no connections that a fault could hit", () => {
  const written = (fault: string) =>
    `lines: [{listen: "rtu:///tmp/x", meters: [{unit: 1, model: eastron-sdm630, load: {shape: office, peak_W: 1}}]}]\nfaults: [${fault}]`;
  const message = "a serial line has no connections (allowed: on lines of tcp:// and rtu+tcp://)";
  expect(problemsOf(() => sim(written("{kind: half-open, on: {line: 0}}")))).toEqual([`faults[0].kind: ${message}`]);
  expect(problemsOf(() => sim(written("{kind: silent, on: {line: 0, connection: 1}}")))).toEqual([
    `faults[0].on.connection: ${message}`,
  ]);
});

test("units above 247 are for TCP only", () => {
  const written = (listen: string) =>
    `lines: [{listen: "${listen}", meters: [{unit: 250, model: eastron-sdm630, load: {shape: office, peak_W: 1}}]}]`;
  expect(problemsOf(() => sim(written("rtu:///dev/ttyUSB0")))).toEqual([
    "lines[0].meters[0].unit: 250 cannot be on a serial line (allowed: 1 to 247)",
  ]);
  expect(sim(written("tcp://127.0.0.1:5020")).lines).toHaveLength(1);
});

test("the control port listens on this machine only", () => {
  const edit = ["# control: 127.0.0.1:5080", "control: 0.0.0.0:5080"] as const;
  expect(problemsOf(() => sim(changed(SIM, edit))).join("\n")).toContain("control: 0.0.0.0 is open to the network");
});

test.each<[string, readonly [string, string], readonly string[]]>([
  [
    "an unknown shape lists all of them",
    ["shape: gas-boiler", "shape: gas-boyler"],
    [
      'lines[0].meters[2].load.shape: "gas-boyler" is not known (allowed: gas-boiler, process-water; did you mean gas-boiler?)',
    ],
  ],
  [
    "an unknown profile",
    ["csv: steel", "csv: stele"],
    ['loads.plant.csv: "stele" is not known (allowed: steel; did you mean steel?)'],
  ],
  [
    "an unknown reference",
    ["load: {ref: plant}", "load: {ref: plnat}"],
    ['lines[0].meters[0].load.ref: no load "plnat" in loads (allowed: plant, press; did you mean plant?)'],
  ],
  [
    "a unit twice on a line",
    ["unit: 2", "unit: 1"],
    ["lines[0].meters[1].unit: unit 1 of this line is already used at lines[0].meters[0].unit"],
  ],
  [
    "an unknown model",
    ["model: eastron-sdm630", "model: eastron-sdm360"],
    ['lines[0].meters[1].model: no model "eastron-sdm360" in the device library (did you mean eastron-sdm630?)'],
  ],
  [
    "a line open to the network",
    ["tcp://127.0.0.1:5020", "tcp://0.0.0.0:5020"],
    [
      "lines[0].listen: 0.0.0.0 is open to the network, and there is no login or encryption yet to protect it (allowed: 127.0.0.1, ::1, localhost)",
    ],
  ],
  [
    "a share above the whole",
    ["percent: 60", "percent: 160"],
    ["lines[0].meters[1].load.percent: 160 is too big (allowed: at most 100)"],
  ],
  [
    "a parent with a slip",
    ["parent: incomer, model: eastron", "parent: incommer, model: eastron"],
    [
      'lines[1].meters[1].parent: no meter named "incommer" (allowed: incomer, press, furnace, air, roof; did you mean incomer?)',
    ],
  ],
  [
    "a meter with nothing to measure",
    ["model: schneider-pm5000, load: {ref: plant}", "model: schneider-pm5000"],
    ["lines[0].meters[0].load: is missing, and no meter names this one as its parent"],
  ],
  [
    "an hour without its zero",
    ['"06:00-14:00"', '"6:00-14:00"'],
    ['loads.press.shifts[0]: "6:00-14:00" is no span of time (allowed: like 06:00-14:00)'],
  ],
  [
    "a key of a day type with a slip",
    ["clouds_percent", "cloud_percent"],
    [
      "lines[1].meters[4].load.cloud_percent: unknown key (allowed: shape, peak_W, power_factor, seed, clouds_percent; did you mean clouds_percent?)",
    ],
  ],
  [
    "a power factor above 1",
    ["power_factor: 0.82", "power_factor: 82"],
    ["loads.press.power_factor: 82 is too big (allowed: at most 1)"],
  ],
  [
    "a file in an unknown unit",
    [
      "{csv: steel, column: energy_kwh, repeat: weekly}",
      "{csv: a.csv, column: P, unit: kWatt, time: t, label: end, repeat: none}",
    ],
    ['loads.plant.unit: "kWatt" is not known (allowed: W, kW, MW, Wh, kWh, MWh, L/h, m3/h, L, m3)'],
  ],
])("sim: %s", (_name, edit, expected) => {
  expect(problemsOf(() => sim(changed(SIM, edit)))).toEqual(expected);
});

test("a simulated line open to the network has the code of its own", () => {
  expect(thrown(() => sim(changed(SIM, ["tcp://127.0.0.1:5020", "tcp://0.0.0.0:5020"]))).code).toBe(
    "LISTEN_NOT_LOOPBACK",
  );
});
