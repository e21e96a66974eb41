import { afterEach, expect, test } from "vitest";
import { simSchema } from "../../config/files/sim.ts";
import { SIM_ELECTRIC_SHAPES, SIM_FLOW_SHAPES } from "../../config/files/simLoads.ts";
import type { KhuXanhError } from "../../core/errors.ts";
import { simBus } from "../../hw-sim/bus/simBus.ts";
import { DEMO_FACTORIES, demoSim } from "../../hw-sim/demo.ts";
import { readProfile } from "../../hw-sim/profiles/io.ts";
import { buildSim, type RunningSim, startSim } from "../../hw-sim/sim.ts";
import {
  ELECTRIC_SHAPES,
  FLOW_SHAPES,
  type LoadSpec,
  type SimConfig,
  type SimMeterSpec,
} from "../../hw-sim/simConfig.ts";
import { nextTruthBoundary, truthLines } from "../../hw-sim/truthFile.ts";
import { rawClient } from "./bus/rawClient.ts";
import { clockAt, local, MODELS, PROFILES, STEEL } from "./fixture.ts";

const running: RunningSim[] = [];
afterEach(async () => {
  for (const sim of running.splice(0)) await sim.close();
});

async function started(config: SimConfig, clock = clockAt(local("2026-03-02T10:00"))): Promise<RunningSim> {
  const sim = await startSim(config, { models: MODELS, clock, readProfile });
  running.push(sim);
  return sim;
}

function configOf(meters: readonly SimMeterSpec[], more: Partial<SimConfig> = {}): SimConfig {
  return {
    seed: 1,
    time_zone: "Asia/Ho_Chi_Minh",
    lines: [{ listen: { kind: "tcp", host: "127.0.0.1", port: 0 }, meters }],
    ...more,
  };
}

const pm5000 = (load: LoadSpec, unit = 1): SimMeterSpec => ({ unit, model: "schneider-pm5000", load });

/** Wh of register 3203 through the socket. */
async function countedWh(port: number): Promise<bigint> {
  const client = await rawClient(port);
  client.send(0, 1, 0, 0, 0, 6, 1, 3, 3203 >> 8, 3203 & 0xff, 0, 4);
  const bytes = (await client.take(17)).slice(9);
  await client.end();
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

test("March 2018 read over Modbus TCP is 80,230.41 kWh, whenever the simulator was started", async () => {
  const clock = clockAt(local("2018-03-01"));
  const first = await started(configOf([pm5000(STEEL)]), clock);
  const before = await countedWh(first.lines[0]!.port);
  await first.close();
  clock.set(local("2018-04-01"));
  const second = await started(configOf([pm5000(STEEL)]), clock);
  expect((await countedWh(second.lines[0]!.port)) - before).toBe(80_230_410n);
});

test("a bus without a socket gives what the socket gives", async () => {
  const clock = clockAt(local("2018-03-05T07:08"));
  const sim = await started(configOf([pm5000(STEEL)]), clock);
  const bus = simBus(new Map(sim.meters.map((meter) => [meter.unit, meter])), clock);
  const reply = await bus.read({ unit: 1, fc: 3, address: 3203, count: 4, timeout_ms: 100 });
  if (reply.kind !== "words") throw new Error(reply.kind);
  const wh = [...reply.words].reduce((sum, word) => (sum << 16n) | BigInt(word), 0n);
  expect(wh).toBe(await countedWh(sim.lines[0]!.port));
  expect(await bus.read({ unit: 2, fc: 3, address: 0, count: 1, timeout_ms: 100 })).toEqual({
    kind: "exception",
    code: 11,
  });
});

test("a line that cannot open leaves no other line open", async () => {
  const holder = await started(configOf([pm5000(STEEL)]));
  const taken = holder.lines[0]!.port;
  const probe = await started(configOf([pm5000(STEEL)]));
  const free = probe.lines[0]!.port;
  await probe.close();
  const line = (port: number) => ({
    listen: { kind: "tcp", host: "127.0.0.1", port } as const,
    meters: [pm5000(STEEL)],
  });
  const both = startSim(
    { ...configOf([]), lines: [line(free), line(taken)] },
    { models: MODELS, clock: clockAt(0), readProfile },
  );
  await expect(both).rejects.toMatchObject({ code: "PORT_TAKEN" });
  await started({ ...configOf([]), lines: [line(free)] });
});

test.each<[string, SimConfig, RegExp]>([
  [
    "a unit twice on a line",
    configOf([pm5000(STEEL), pm5000(STEEL)]),
    /^lines\[0\]\.meters\[1\]: unit 1 is on this line twice/,
  ],
  ["an unknown model", configOf([{ unit: 1, model: "nobody-x1", load: STEEL }]), /no model "nobody-x1".*MODEL_UNKNOWN/],
  [
    "an unknown load",
    configOf([pm5000({ ref: "lost" })], { loads: { found: STEEL } }),
    /no load "lost" \(allowed: found\)/,
  ],
  [
    "a load that refers to itself",
    configOf([pm5000({ ref: "a" })], { loads: { a: { sum: [{ ref: "b" }] }, b: { ref: "a" } } }),
    /refers to itself/,
  ],
  [
    "a share above the whole",
    configOf([pm5000({ share: STEEL, percent: 95, vary_percent: 10 })]),
    /95 ± 10 leaves 0 … 100/,
  ],
  [
    "water through an electricity meter",
    configOf([pm5000({ shape: "process-water", peak_m3_per_h: 3 })]),
    /measures electricity/,
  ],
  [
    "electricity through a water meter",
    configOf([{ unit: 1, model: "siemens-mag6000", load: STEEL }]),
    /does not measure electricity/,
  ],
  ["a zone with daylight saving", configOf([pm5000(STEEL)], { time_zone: "Europe/Berlin" }), /changes its offset/],
  ["no such zone", configOf([pm5000(STEEL)], { time_zone: "Asia/Nowhere" }), /is not known/],
  ["a day before the simulation's first", configOf([{ ...pm5000(STEEL), since: "2017-12-31" }]), /2017-12-31/],
])("%s is refused with its reason", (_name, config, message) => {
  expect(() => buildSim(config, MODELS, PROFILES)).toThrow(message);
});

test("all that is wrong with a simulation is told at once, each with its place in the file", () => {
  const config = configOf(
    [
      { ...pm5000({ formula: "200e3 + banana" }), name: "main" },
      { ...pm5000(STEEL), unit: 2, name: "a", parent: "b" },
      { ...pm5000(STEEL), unit: 3, name: "b", parent: "a" },
      { ...pm5000(STEEL), unit: 4, losses: { percent: 1.55 } },
      { ...pm5000(STEEL), unit: 5, phase_percent: [50, 50, 50] },
      { unit: 6, model: "siemens-mag6000", load: STEEL },
      { unit: 7, model: "nobody-x1", load: STEEL },
      { ...pm5000({ ref: "loop" }), unit: 8, since: "2017-12-31" },
      { ...pm5000({ ref: "loop" }), unit: 8 },
      { ...pm5000({ csv: "/none.csv", column: "P", unit: "kW", time: "t", label: "start", repeat: "none" }), unit: 9 },
    ],
    { loads: { loop: { sum: [{ ref: "loop" }] }, unused: { formula: "2 +" } } },
  );
  let told: readonly { readonly path: string; readonly message: string }[] = [];
  try {
    buildSim(config, MODELS, PROFILES);
  } catch (error) {
    told = (error as KhuXanhError).context.problems as typeof told;
  }
  const lines = told.map(({ path, message }) => `${path}: ${message}`).join("\n");
  for (const expected of [
    /^lines\[0\]\.meters\[0\]\.load\.formula: column 9 of the formula: "banana" is not known/m,
    /^lines\[0\]\.meters\[1\]: "a" is fed through itself/m,
    /^lines\[0\]\.meters\[3\]\.losses\.percent: 1\.55 is no percentage of whole tenths/m,
    /^lines\[0\]\.meters\[4\]: unit 5: phase_percent adds up to 150/m,
    /^lines\[0\]\.meters\[5\]: unit 6: siemens-mag6000 does not measure electricity/m,
    /^lines\[0\]\.meters\[6\]: there is no model "nobody-x1"/m,
    /^loads\.loop\.sum\[0\]: the load "loop" refers to itself/m,
    /^lines\[0\]\.meters\[8\]: unit 8 is on this line twice/m,
    /^lines\[0\]\.meters\[9\]\.load\.csv: \/none\.csv was not read/m,
    /^loads\.unused\.formula: column 4 of the formula: something is missing at the end/m,
  ]) {
    expect(lines).toMatch(expected);
  }
  expect(new Set(lines.split("\n")).size).toBe(told.length);
});

test("the truth file has a line for every meter and boundary", () => {
  const built = buildSim(
    configOf([pm5000(STEEL), { ...pm5000({ share: STEEL, percent: 30 }, 2), name: "furnace" }]),
    MODELS,
    PROFILES,
  );
  const [first, second] = truthLines(built, local("2018-01-02"));
  expect(first).toMatchObject({ at: "2018-01-01T17:00:00.000Z", line: 0, unit: 1, model: "schneider-pm5000" });
  expect(first?.counters.active_energy_import_total).toEqual({ value: "351860", unit: "Wh" });
  expect(second).toMatchObject({ unit: 2, name: "furnace" });
  expect(Number(second?.counters.active_energy_import_total?.value)).toBeCloseTo(0.3 * 351_860, -1);
});

test("truth boundaries are the quarter hours of the wall clock, the next one always later", () => {
  const zone = "Asia/Ho_Chi_Minh";
  expect(nextTruthBoundary(local("2026-03-02T10:00"), zone)).toBe(local("2026-03-02T10:15"));
  expect(nextTruthBoundary(local("2026-03-02T10:15") - 1, zone)).toBe(local("2026-03-02T10:15"));
});

test("the shapes of the configuration schema are the shapes of the simulator", () => {
  expect(SIM_ELECTRIC_SHAPES).toEqual(ELECTRIC_SHAPES);
  expect(SIM_FLOW_SHAPES).toEqual(FLOW_SHAPES);
  const written = simSchema.parse({
    seed: 1,
    time_zone: "Asia/Ho_Chi_Minh",
    lines: [
      {
        listen: "tcp://127.0.0.1:5020",
        meters: [{ unit: 2, model: "eastron-sdm630", load: { shape: "two-shift", peak_W: 400000 } }],
      },
    ],
  });
  const asConfig: SimConfig = written;
  expect(asConfig.lines[0]?.listen).toEqual({ kind: "tcp", host: "127.0.0.1", port: 5020 });
});

test("the demo zone: in no quarter hour do sub-meters pass their incomer, and 5 to 15 % of a month is unmetered", () => {
  const built = buildSim(demoSim(1), MODELS, PROFILES);
  const from = local("2026-10-01");
  for (const [index, factory] of DEMO_FACTORIES.entries()) {
    const meters = factory.meters.map(({ id, parent }, at) => ({ id, parent, meter: built[index]!.meters[at]! }));
    const unmetered_mJ = (at: number) => {
      let sum = 0n;
      let used = 0n;
      for (const { id, parent, meter } of meters) {
        const drawn = parent === "incomer" ? meter.ticks("active_energy_import_total", at) : 0n;
        sum += drawn;
        if (id === "incomer") {
          used += meter.ticks("active_energy_import_total", at) - meter.ticks("active_energy_export_total", at);
        }
        if (id === "solar") used += meter.ticks("active_energy_export_total", at);
      }
      return { rest: used - sum, used };
    };
    const start = unmetered_mJ(from);
    let before = start;
    for (let slot = 1; slot <= 31 * 96; slot++) {
      const after = unmetered_mJ(from + slot * 900_000);
      if (after.rest < before.rest) throw new Error(`${factory.site}: sub-meters pass the incomer in slot ${slot}`);
      before = after;
    }
    const part = Number(before.rest - start.rest) / Number(before.used - start.used);
    expect(part, factory.site).toBeGreaterThan(0.05);
    expect(part, factory.site).toBeLessThan(0.15);
  }
});

test("the demo zone listens with a line for every factory and every meter answers", async () => {
  const sim = await started(demoSim(1));
  expect(sim.lines.map(({ meters }) => meters.length)).toEqual(DEMO_FACTORIES.map(({ meters }) => meters.length));
  expect(new Set(sim.lines.map(({ port }) => port)).size).toBe(3);
  expect(sim.meters.flatMap(({ unserved }) => unserved)).toEqual([]);
  expect(sim.truthAt(local("2026-03-02T10:00")).every(({ counters }) => Object.keys(counters).length > 0)).toBe(true);
});

test("what a register has no room for is exception 4, and said once a meter, with the register and the value", async () => {
  const clock = clockAt(local("2026-03-02T10:00"));
  const said: unknown[] = [];
  const config = configOf([
    { unit: 1, model: "acrel-adl400", load: { formula: "600000" } },
    { unit: 2, model: "acrel-adl400", load: { formula: "300000" } },
  ]);
  const onUnfit = (...words: unknown[]) => void said.push(words);
  const sim = await startSim(config, { models: MODELS, clock, readProfile, onUnfit });
  running.push(sim);
  const current = MODELS.get("acrel-adl400")!.registers.find(({ name }) => name === "current_l1")!;
  const { fc, address, words } = current;
  const client = await rawClient(sim.lines[0]!.port);
  for (const unit of [1, 2, 1]) {
    client.send(0, 1, 0, 0, 0, 6, unit, fc, address >> 8, address & 0xff, 0, words);
    const head = await client.take(9);
    expect([...head.slice(7)]).toEqual(unit === 1 ? [fc | 0x80, 4] : [fc, 2 * words]);
    if (unit === 2) await client.take(2 * words);
  }
  await client.end();
  expect(said).toEqual([[0, 1, expect.stringMatching(/^current_l1: \d+ does not fit u16$/)]]);
});
