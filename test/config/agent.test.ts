import { expect, test } from "vitest";
import { type AgentConfig, agentSpec, type MeterConfig } from "../../config/files/agent.ts";
import type { ModelLookup } from "../../config/files/agentRules.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { parseConfig, type Surroundings } from "../../config/parse.ts";
import type { MeterSetup } from "../../drivers/define.ts";
import { agentWithLogin, changed, problemsOf, thrown } from "./problems.ts";

const library = loadModelLibrary();
const models: ModelLookup = { ids: [...library.keys()], find: (id) => library.get(id) };
const GOOD = agentWithLogin();
const parse = (text: string, around?: Surroundings): AgentConfig =>
  parseConfig(text, agentSpec(models), "agent.yaml", around);
const problems = (...edits: readonly (readonly [string, string])[]) => problemsOf(() => parse(changed(GOOD, ...edits)));
/** How a file refers to an environment variable. */
const variable = (name: string) => `$\{${name}}`;
const meters = (config: AgentConfig): readonly MeterConfig[] => config.buses.flatMap((bus) => bus.meters);

test("the example becomes plain values: milliseconds, bytes, addresses", () => {
  const config = parse(GOOD);
  expect(config).toMatchObject({
    interval_ms: 900_000,
    journal: { max_bytes: 4 * 2 ** 30, max_age_ms: 60 * 86_400_000 },
    listen: { host: "127.0.0.1", port: 8081 },
    uplink: { host_id: "zone-collector", delivery: "required", url: { url: "mqtt://127.0.0.1:1883" } },
  });
  expect(config.buses[0]).toMatchObject({ timeout_ms: 500, url: { kind: "tcp", host: "127.0.0.1", port: 5020 } });
});

const CLOCK = "# clock: {set_by: /run/chrony/set, wait: 10min}";

test("who sets the clock is systemd, nobody, or whoever makes a file; how long it is waited for has limits", () => {
  const clock = (written: string) => parse(changed(GOOD, [CLOCK, `clock: ${written} #`])).clock;
  expect(clock("{set_by: nobody}")).toEqual({ set_by: { kind: "nobody" }, wait_ms: 600_000 });
  expect(clock("{set_by: /run/chrony/set, wait: 30s}")).toEqual({
    set_by: { kind: "file", file: "/run/chrony/set" },
    wait_ms: 30_000,
  });
  expect(problems([CLOCK, "clock: {set_by: chrony, wait: 2h} #"])).toEqual([
    'clock.set_by: "chrony" is not known (allowed: system, nobody, or the whole path of a file)',
    'clock.wait: "2h" is out of range (allowed: 1s to 1h)',
  ]);
});

test("how a returning meter is announced has two ways", () => {
  expect(parse(changed(GOOD, ["# meter_return", "meter_return"])).uplink.meter_return).toBe("with-node");
});

test("a meter of the configuration is what the drivers define a device from", () => {
  const setups: readonly MeterSetup[] = meters(parse(GOOD));
  expect(setups.map(({ id, role, parent }) => ({ id, role, parent }))).toEqual([
    { id: "incomer", role: "import", parent: null },
    { id: "furnace", role: "use", parent: "incomer" },
    { id: "gas", role: "import", parent: null },
  ]);
});

test("poll periods are one duration for all, or one for each sort of value", () => {
  expect(meters(parse(GOOD)).map((meter) => meter.every)).toEqual([
    { power_ms: 1000, energy_ms: 1000, settings_ms: 86_400_000 },
    { power_ms: 1000, energy_ms: 10_000, settings_ms: 3_600_000 },
    { power_ms: 10_000, energy_ms: 10_000, settings_ms: 86_400_000 },
  ]);
  const slow = parse(changed(GOOD, ["every: {power: 1s, energy: 10s, settings: 1h}", "every: {power: 5s}"]));
  expect(meters(slow)[1]?.every).toEqual({ power_ms: 5000, energy_ms: 10_000, settings_ms: 86_400_000 });
});

test("solar without a role is generation, with or without a parent", () => {
  const config = parse(
    changed(GOOD, [
      "model: eastron-sdm630\n        carrier: electricity",
      "model: eastron-sdm630\n        carrier: solar",
    ]),
  );
  expect(meters(config)[1]?.role).toBe("generation");
});

test("what may be left out has its written default", () => {
  const short = parse(
    "{zone: z, site: s, gateway: g, data_dir: d, uplink: {url: mqtt://b}, buses: [{id: b, url: tcp://h, meters: [{id: m, unit: 1, model: eastron-sdm630, carrier: electricity}]}]}",
  );
  expect(short).toMatchObject({
    interval_ms: 900_000,
    time_zone: "Asia/Ho_Chi_Minh",
    journal: { max_bytes: 4 * 2 ** 30, max_age_ms: 60 * 86_400_000 },
    clock: { set_by: { kind: "system" }, wait_ms: 600_000 },
    listen: { host: "127.0.0.1", port: 8081 },
    uplink: { host_id: null, delivery: "auto", meter_return: "alone" },
  });
  expect(short.buses[0]?.timeout_ms).toBe(1000);
  expect(short.buses[0]?.meters[0]).toEqual({
    id: "m",
    unit: 1,
    model: "eastron-sdm630",
    carrier: "electricity",
    role: "import",
    parent: null,
    every: { power_ms: 1000, energy_ms: 10_000, settings_ms: 86_400_000 },
  });
});

test.each<[string, readonly (readonly [string, string])[], readonly string[]]>([
  [
    "an unknown key names the nearest known one",
    [["rated_power_W: 2000000", "rated_power_w: 2000000"]],
    ["buses[0].meters[0].rated_power_w: unknown key (did you mean rated_power_W?)"],
  ],
  [
    "an unknown key at the top is named too",
    [["time_zone:", "timezone:"]],
    [
      "timezone: unknown key (allowed: zone, site, gateway, data_dir, interval, time_zone, buses, uplink, journal, clock, factors_dir, listen; did you mean time_zone?)",
    ],
  ],
  [
    "a wrong unit of size is asked back",
    [["max_bytes: 4GiB", "max_bytes: 4 GB?"]],
    ['journal.max_bytes: "4 GB?" is not a size (allowed: a number and B, KiB, MiB, GiB or TiB; did you mean 4GiB?)'],
  ],
  [
    "a wrong unit of time is asked back",
    [["timeout: 500ms", "timeout: 500millis"]],
    ['buses[0].timeout: "500millis" is not a duration (allowed: a number and ms, s, min, h or d)'],
  ],
  [
    "a number where a duration belongs says what is expected",
    [["every: 1s", "every: 1"]],
    ["buses[0].meters[0].every: expected a duration such as 500ms or 15min, found 1"],
  ],
  [
    "a period inside every is checked as well",
    [["energy: 10s, settings", "enrgy: 10s, settings"]],
    ["buses[0].meters[1].every.enrgy: unknown key (allowed: power, energy, settings; did you mean energy?)"],
  ],
  [
    "a duplicate meter id says where the first one is",
    [
      ["- id: furnace", "- id: incomer"],
      ["parent: incomer", "role: use"],
    ],
    ['buses[0].meters[1].id: meter id "incomer" is already used at buses[0].meters[0].id'],
  ],
  [
    "a duplicate unit on a bus says where the first one is",
    [["unit: 2", "unit: 1"]],
    [
      "buses[0].meters[1].unit: unit 1 of this bus is already used at buses[0].meters[0].unit (two devices behind one unit: give the second a bus of its own with the same url)",
    ],
  ],
  [
    "an unknown parent names the nearest meter",
    [["parent: incomer", "parent: incommer"]],
    [
      'buses[0].meters[1].parent: no meter "incommer" in this file (allowed: incomer, furnace, gas; did you mean incomer?)',
    ],
  ],
  [
    "a loop of parents is told once, all the way round",
    [["rated_power_W: 2000000", "parent: furnace"]],
    ["buses[0].meters[0].parent: meters feed each other in a loop: incomer → furnace → incomer"],
  ],
  [
    "a meter cannot feed itself",
    [["parent: incomer", "parent: furnace"]],
    ["buses[0].meters[1].parent: meters feed each other in a loop: furnace → furnace"],
  ],
  [
    "an unknown carrier lists all of them",
    [["carrier: natural_gas", "carrier: natural-gas"]],
    [
      'buses[0].meters[2].carrier: "natural-gas" is not known (allowed: electricity, solar, genset_electricity, natural_gas, lpg, diesel, fuel_oil, gasoline, kerosene, biogas, purchased_steam, purchased_heat, purchased_chilled_water, water; did you mean natural_gas?)',
    ],
  ],
  [
    "a missing key is said to be missing",
    [["        unit: 2\n", ""]],
    ["buses[0].meters[1].unit: is missing (a number)"],
  ],
  [
    "a unit that no device can have is refused",
    [["unit: 2", "unit: 256"]],
    ["buses[0].meters[1].unit: 256 is too big (allowed: at most 255)"],
  ],
  [
    "a negative ratio is refused",
    [["ct_ratio: 80", "ct_ratio: -80"]],
    ["buses[0].meters[1].ct_ratio: -80 is too small (allowed: more than 0)"],
  ],
  [
    "an interval must divide a day",
    [["interval: 15min", "interval: 7min"]],
    ['interval: "7min" does not divide a day (allowed: e.g. 1min, 5min, 15min, 30min, 1h)'],
  ],
  [
    "an interval is at least a second",
    [["interval: 15min", "interval: 500ms"]],
    [
      'interval: "500ms" is too short (allowed: at least 1s)',
      'buses[0].meters[0].every: "1s" is longer than the accounting interval (allowed: at most 500ms)',
      'buses[0].meters[1].every.energy: "10s" is longer than the accounting interval (allowed: at most 500ms)',
      'buses[0].meters[2].every: "10s" is longer than the accounting interval (allowed: at most 500ms)',
    ],
  ],
  [
    "a time zone must exist",
    [["time_zone: Asia/Ho_Chi_Minh", "time_zone: Asia/Hochiminh"]],
    ['time_zone: time zone "Asia/Hochiminh" is not known (did you mean Asia/Ho_Chi_Minh?)'],
  ],
  [
    "a gateway id must be legal in a topic",
    [["gateway: gw-01", "gateway: gw#01"]],
    ['gateway: "gw#01" cannot be part of an MQTT topic: it contains #'],
  ],
  [
    "a zone cannot be called STATE",
    [["zone: kcn-demo", "zone: STATE"]],
    ['zone: "STATE" is reserved by Sparkplug and cannot name a zone'],
  ],
  [
    "two ways to a password are one too many",
    [["password_file: ./secret", "password_file: ./secret\n  password: hunter2"]],
    ["uplink.password: stands beside password_file; keep one of them"],
  ],
  [
    "a certificate without its key, on a connection without encryption",
    [["password_file: ./secret", "password_file: ./secret\n  cert_file: ./gw.pem"]],
    [
      "uplink.key_file: is missing: cert_file needs its key",
      "uplink.cert_file: has no effect on mqtt:// (did you mean url: mqtts://…?)",
    ],
  ],
  [
    "a unit in the address of a bus is in the wrong place",
    [["tcp://127.0.0.1:5020", "tcp://127.0.0.1:5020?unit=1"]],
    ["buses[0].url: unit= belongs to the meters of this bus, not to its address"],
  ],
  [
    "a calorific value with a comma is refused",
    [["{value: 37.68,", '{value: "37,68",']],
    ['buses[0].meters[2].ncv.value: "37,68" is not a decimal number (allowed: e.g. 37.68)'],
  ],
  [
    "a class of which the transformers' part is missing is refused",
    [["ct_class: 0.5", ""]],
    ["buses[0].meters[1].ct_class: is missing: with ct_ratio the meter's own class is not the whole error"],
  ],
  [
    "a class without the meter's, or that is none, is refused",
    [
      ["meter_class: 1 ", ""],
      ["ct_class: 0.5", "ct_class: fine"],
    ],
    [
      'buses[0].meters[1].ct_class: "fine" is no accuracy class (allowed: the number on the plate, e.g. 0.2S, 0.5S, 0.5, 1, 2)',
      "buses[0].meters[1].ct_class: has no effect without meter_class",
    ],
  ],
  [
    "a seller of what is not bought at the fence, or of the site to itself, is refused",
    [
      ["ct_ratio: 80", "ct_ratio: 80\n        supplier: boiler-house"],
      ["rated_power_W: 2000000", "rated_power_W: 2000000\n        supplier: thep-gia-minh"],
    ],
    [
      'buses[0].meters[0].supplier: "thep-gia-minh" is this site itself: what one makes oneself is not bought',
      "buses[0].meters[1].supplier: belongs to a meter of bought power, steam, heat or cold at the site's boundary",
    ],
  ],
  [
    "a calorific value at a meter that counts no gas is refused",
    [["carrier: natural_gas", "carrier: water"]],
    ["buses[0].meters[2].ncv: belongs to gas metered in Nm3, not to water"],
  ],
  [
    "a calorific value in another unit is refused",
    [["unit: MJ/Nm3", "unit: kWh/Nm3"]],
    ['buses[0].meters[2].ncv.unit: "kWh/Nm3" is not known (allowed: MJ/Nm3)'],
  ],
])("%s", (_name, edits, expected) => {
  expect(problems(...edits)).toEqual(expected);
});

test("an unknown model names the nearest one, and the error has its own code", () => {
  const error = thrown(() => parse(changed(GOOD, ["model: schneider-pm5000", "model: schneider-pm500"])));
  expect(error.code).toBe("MODEL_UNKNOWN");
  expect(error.message).toBe(
    'agent.yaml: 1 problem\n  buses[0].meters[0].model: no model "schneider-pm500" in the device library (did you mean schneider-pm5000?)\n [MODEL_UNKNOWN]',
  );
});

test("a gas meter that does not say what a count is worth is refused for accounting", () => {
  const error = thrown(() => parse(changed(GOOD, ["m3_per_count: 0.1", "rated_power_W: 5000000"])));
  expect(error.code).toBe("COUNTER_RESOLUTION_UNKNOWN");
  expect(error.problems).toEqual([
    {
      path: "buses[0].meters[2].m3_per_count",
      message:
        "is missing: sick-flowsic500 counts volume_base_total in units that no register tells, so the meter is refused for accounting (read the m³ per count off its display or certificate)",
    },
  ]);
});

test("a listener that the network can reach is refused with its own code", () => {
  const error = thrown(() => parse(changed(GOOD, ["listen: 127.0.0.1:8081", "listen: 0.0.0.0:8081"])));
  expect(error.code).toBe("LISTEN_NOT_LOOPBACK");
  expect(error.problems).toEqual([
    {
      path: "listen",
      message:
        "0.0.0.0 is open to the network, and there is no login or encryption yet to protect it (allowed: 127.0.0.1, ::1, localhost)",
    },
  ]);
});

test("all problems come at once: keys, values and rules between entries", () => {
  const error = thrown(() =>
    parse(
      changed(
        GOOD,
        ["zone: kcn-demo", "zone: kcn/demo"],
        ["timeout: 500ms", "timeuot: 500ms"],
        ["unit: 2", "unit: 1"],
        ["parent: incomer", "parent: incommer"],
        ["model: schneider-pm5000", "model: schneider-pm5001"],
        ["delivery: required", "delivery: requird"],
        ["listen: 127.0.0.1:8081", "listen: 10.0.0.1:8081"],
      ),
    ),
  );
  expect(error.code).toBe("CONFIG_INVALID");
  expect(error.kind).toBe("ConfigError");
  expect(error.problems.map((problem) => problem.path)).toEqual([
    "zone",
    "buses[0].timeuot",
    "uplink.delivery",
    "listen",
    "buses[0].meters[1].unit",
    "buses[0].meters[1].parent",
    "buses[0].meters[0].model",
  ]);
  expect(error.message.split("\n")[0]).toBe("agent.yaml: 7 problems");
});

test("a password from the environment does not print itself", () => {
  const text = changed(GOOD, ["password_file: ./secret", `password: ${variable("GW_PASSWORD")}`]);
  const config = parse(text, { env: { GW_PASSWORD: "hunter2" } });
  expect(config.uplink.password?.reveal()).toBe("hunter2");
  expect(JSON.stringify(config)).not.toContain("hunter2");
  expect(`${config.uplink.password}`).toBe("(secret)");
  expect(problemsOf(() => parse(text))).toEqual([
    "uplink.password: environment variable GW_PASSWORD is not set",
    "uplink.password: must not be empty",
  ]);
});

test("a variable may stand for a number, and a doubled dollar for itself", () => {
  const text = changed(
    GOOD,
    ["rated_power_W: 2000000", `rated_power_W: ${variable("POWER")}`],
    ["username: gw-01", `username: $${variable("POWER")}`],
  );
  const config = parse(text, { env: { POWER: "1500000" } });
  expect(meters(config)[0]?.rated_power_W).toBe(1_500_000);
  expect(config.uplink.username).toBe(variable("POWER"));
  expect(problemsOf(() => parse(text, { env: { POWER: "much" } }))).toEqual([
    'buses[0].meters[0].rated_power_W: expected a number, found "much"',
  ]);
});

test("relative paths are resolved, names of models are not", () => {
  const config = parse(GOOD, { resolvePath: (path) => `/etc/khuxanh/${path}` });
  expect(config.data_dir).toBe("/etc/khuxanh/./data/gw-01");
  expect(config.uplink.password_file).toBe("/etc/khuxanh/./secret");
  expect(meters(config)[0]?.model).toBe("schneider-pm5000");
});

test("an inverter and a meter in one SunSpec chain share a unit; two of one model, or another meter beside them, do not", () => {
  const bus = (...ids: readonly string[]) =>
    changed(GOOD, [
      "uplink:",
      `  - id: pv\n    url: tcp://10.0.0.9:502\n    meters:\n${ids
        .map((model, i) => `      - {id: pv${i}, unit: 4, model: ${model}, carrier: ${CARRIER_OF[model]}}\n`)
        .join("")}\nuplink:`,
    ]);
  const CARRIER_OF: Readonly<Record<string, string>> = {
    "sunspec-inverter-101-103": "solar",
    "sunspec-meter-201-204": "electricity",
    "eastron-sdm630": "electricity",
  };
  expect(meters(parse(bus("sunspec-inverter-101-103", "sunspec-meter-201-204")))).toHaveLength(5);
  for (const second of ["sunspec-inverter-101-103", "eastron-sdm630"]) {
    expect(problemsOf(() => parse(bus("sunspec-inverter-101-103", second)))).toEqual([
      expect.stringMatching(
        /^buses\[1\]\.meters\[1\]\.unit: unit 4 of this bus is already used at .* second a bus of its own/,
      ),
    ]);
  }
});
