import fc from "fast-check";
import { expect, test } from "vitest";
import { readModel } from "../../drivers/probe.ts";
import { snapshotOf } from "../../drivers/scan/snapshot.ts";
import { feedsInEverywhere, type WiringReading, wiring } from "../../drivers/wiring.ts";
import { simBus } from "../../hw-sim/bus/simBus.ts";
import type { LoadSpec } from "../../hw-sim/simConfig.ts";
import { clockAt, local, MODELS, STEEL, simOf } from "../hw-sim/fixture.ts";

const PHASES = ["l1", "l2", "l3"] as const;
const degrees = (angle: number) => (angle * Math.PI) / 180;

interface Plant {
  readonly volts?: readonly number[];
  readonly amps?: readonly number[];
  /** Of current behind voltage. */
  readonly angles?: readonly number[];
  /** How the meter shows reactive power: with its sign, without one, or not at all. */
  readonly q?: "signed" | "unsigned" | "none";
}

/** What a meter shows for phasors. */
function reading({
  volts = [230, 231, 229],
  amps = [100, 95, 104],
  angles = [25, 27, 24],
  q = "signed",
}: Plant): WiringReading {
  const values = new Map<string, number>([["frequency", 50]]);
  let total = 0;
  for (const [i, phase] of PHASES.entries()) {
    const size = volts[i]! * amps[i]!;
    const power = size * Math.cos(degrees(angles[i]!));
    const reactive = size * Math.sin(degrees(angles[i]!));
    total += power;
    values.set(`voltage_${phase}`, volts[i]!).set(`current_${phase}`, amps[i]!).set(`active_power_${phase}`, power);
    if (q !== "none") values.set(`reactive_power_${phase}`, q === "signed" ? reactive : Math.abs(reactive));
  }
  return values.set("active_power_total", total);
}

const often = (plant: Plant) => [0, 1, 2].map(() => reading(plant));
const faults = (plant: Plant) => wiring(often(plant)).map(({ fault, certainty, phases }) => [fault, certainty, phases]);

test("a sound plant gives no finding", () => {
  expect(wiring(often({}))).toEqual([]);
  expect(wiring([])).toEqual([]);
});

test("a reversed current transformer is certain when reactive power turned round with it", () => {
  expect(faults({ angles: [25, 207, 24] })).toEqual([["reversed-ct", "certain", ["l2"]]]);
  expect(faults({ angles: [205, 27, 204] })).toEqual([["reversed-ct", "certain", ["l1", "l3"]]]);
});

test("a reversed current transformer is possible when reactive power has no sign or is not told", () => {
  expect(faults({ angles: [25, 207, 24], q: "unsigned" })).toEqual([["reversed-ct", "possible", ["l2"]]]);
  expect(faults({ angles: [25, 207, 24], q: "none" })).toEqual([["reversed-ct", "possible", ["l2"]]]);
});

test("three reversed current transformers are possible where P and Q are negative on every phase", () => {
  expect(faults({ angles: [205, 207, 204] })).toEqual([["reversed-cts", "possible", ["l1", "l2", "l3"]]]);
  expect(wiring(often({ angles: [205, 207, 204] }))[0]!.why.en).toMatch(/On the meter of a generator or an inverter/);
  // Feed-in turns P alone; of Q without a sign nobody can tell; one that moved on by a phase has a low power factor.
  expect(faults({ angles: [155, 153, 156] })).toEqual([]);
  expect(faults({ angles: [205, 207, 204], q: "unsigned" })).toEqual([]);
  expect(faults({ angles: [-95, -93, -96] }).map(([fault]) => fault)).toEqual(["rotated-cts"]);
  expect(feedsInEverywhere(often({ angles: [155, 153, 156] }))).toBe(true);
  expect(feedsInEverywhere(often({ angles: [155, 27, 156] }))).toBe(false);
});

test("a phase that turned negative for one reading only is no finding", () => {
  expect(wiring([reading({ angles: [25, 207, 24] }), reading({}), reading({ angles: [25, 207, 24] })])).toEqual([]);
});

test("a real house with solar feed-in is no finding", () => {
  // Raw frames of an SDM630, Tasmota issue 18446.
  const values = new Map([
    ...([235.44, 237.92, 235.84] as const).map((v, i): [string, number] => [`voltage_l${i + 1}`, v]),
    ...([2.073, 2.415, 1.667] as const).map((v, i): [string, number] => [`current_l${i + 1}`, v]),
    ...([118.3, -506.0, -247.7] as const).map((v, i): [string, number] => [`active_power_l${i + 1}`, v]),
    ...([-435.6, -223.7, -253.1] as const).map((v, i): [string, number] => [`reactive_power_l${i + 1}`, v]),
  ]);
  expect(wiring([values, values, values])).toEqual([]);
});

test("two exchanged current transformers show by their power factors", () => {
  // L1 and L2 exchanged: the current of the other phase runs 120° behind and ahead.
  expect(faults({ angles: [25 + 120, 25 - 120, 25] })).toEqual([["swapped-cts", "certain", ["l1", "l2"]]]);
  expect(faults({ angles: [0, 120, -120], q: "none" })).toEqual([["swapped-cts", "certain", ["l2", "l3"]]]);
});

test("three transformers one phase on may be told where feed-in would look different", () => {
  const angles = [25 - 120, 27 - 120, 24 - 120];
  expect(faults({ angles })).toEqual([["rotated-cts", "possible", ["l1", "l2", "l3"]]]);
  // The other way round it looks like solar feed-in over a lagging load, unless the plant has never drawn anything.
  const other = often({ angles: [25 + 120, 27 + 120, 24 + 120] });
  expect(wiring(other)).toEqual([]);
  const counted = (imported: number) =>
    other.map((values) =>
      new Map(values).set("active_energy_import_total", imported).set("active_energy_export_total", 500),
    );
  expect(wiring(counted(0)).map(({ fault }) => fault)).toEqual(["rotated-cts"]);
  expect(wiring(counted(40_000))).toEqual([]);
});

test("three transformers one phase on show either way round where the load is near unity power factor, and the words say so", () => {
  for (const q of ["signed", "none"] as const) {
    const found = wiring(often({ angles: [5 + 120, 2 + 120, -3 + 120], q }));
    expect(found.map(({ fault, certainty }) => [fault, certainty])).toEqual([["rotated-cts", "possible"]]);
    expect(found[0]!.why.en).toMatch(/power factor to be near 1.*Solar power/);
    expect(found[0]!.why.vi).toMatch(/gần 1/);
  }
  // Inverters feed in at a good power factor, and phases of their own; a plant that drew energy was connected right.
  expect(faults({ angles: [170, 172, 171] })).toEqual([]);
  expect(faults({ angles: [110, 133, 121] })).toEqual([]);
  const drew = often({ angles: [121, 122, 120] }).map((values) =>
    new Map(values).set("active_energy_import_total", 900).set("active_energy_export_total", 500),
  );
  expect(wiring(drew)).toEqual([]);
});

test("a meter that reports reverse phase order is believed", () => {
  const turned = often({}).map((values) => new Map(values).set("phase_sequence", -1));
  expect(wiring(turned).map(({ fault }) => fault)).toEqual(["phase-sequence"]);
  const right = often({}).map((values) => new Map(values).set("phase_sequence", 0));
  expect(wiring(right)).toEqual([]);
});

test("a missing phase and an exchanged neutral are told apart", () => {
  expect(faults({ volts: [230, 4, 229], amps: [100, 0, 104] })).toEqual([["phase-missing", "certain", ["l2"]]]);
  expect(faults({ volts: [230, 398, 399] })).toEqual([["neutral-swapped", "certain", ["l1"]]]);
  expect(faults({ volts: [400, 399, 0] })).toEqual([["neutral-swapped", "certain", ["l3"]]]);
});

test("a 690 V plant that lost a phase is not taken for an exchanged neutral", () => {
  const plant = often({ volts: [0, 399, 398], amps: [0, 100, 104] }).map((values) =>
    new Map(values).set("voltage_l2_l3", 690),
  );
  expect(wiring(plant).map(({ fault }) => fault)).toEqual(["phase-missing"]);
});

test("a phase without current among loaded ones may be an open current transformer", () => {
  expect(faults({ amps: [100, 0, 104] })).toEqual([["ct-open", "possible", ["l2"]]]);
});

test("a gateway that fills with zeros is found, and a plant at rest is not taken for one", () => {
  const zeros = new Map([...reading({})].map(([name]) => [name, 0]));
  expect(wiring([zeros, zeros]).map(({ fault }) => fault)).toEqual(["zero-filled"]);
  expect(wiring(often({ amps: [0, 0, 0] }))).toEqual([]);
});

test("a CT ratio a decade off shows against the rating", () => {
  // 66 kW are drawn.
  const kinds = (rated_power_W: number) =>
    wiring(often({}), { rated_power_W }).map(({ fault, certainty }) => [fault, certainty]);
  expect(kinds(8_000)).toEqual([["ct-decade", "certain"]]);
  expect(kinds(80_000)).toEqual([]);
  expect(kinds(800_000)).toEqual([["ct-decade", "possible"]]);
  expect(wiring(often({}), { rated_current_A: 16 }).map(({ fault }) => fault)).toEqual(["ct-decade"]);
});

test("every finding says why in Vietnamese and English", () => {
  const [finding] = wiring(often({ angles: [25, 207, 24] }));
  expect(finding!.why.en).toMatch(/Active power of L2 is negative.*S1 and S2.*L2 -19550 W/);
  expect(finding!.why.vi).toMatch(/Công suất tác dụng pha L2 âm.*biến dòng/);
});

const load = fc.record({
  volts: fc.array(fc.double({ min: 215, max: 245, noNaN: true }), { minLength: 3, maxLength: 3 }),
  amps_A: fc.double({ min: 1, max: 2000, noNaN: true }),
  unbalance: fc.array(fc.double({ min: 0.8, max: 1.25, noNaN: true }), { minLength: 3, maxLength: 3 }),
  angle: fc.double({ min: 18, max: 40, noNaN: true }),
  /** Three-phase generation as a multiple of the load's active power. */
  solar: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5, noNaN: true })),
  q: fc.constantFrom("signed", "unsigned", "none") as fc.Arbitrary<"signed" | "unsigned" | "none">,
});

/** Load and balanced generation in one connection: P of each phase is load less generation, Q is the load's. */
function healthy({
  volts,
  amps_A,
  unbalance,
  angle,
  solar,
  q,
}: typeof load extends fc.Arbitrary<infer T> ? T : never): WiringReading {
  const parts = unbalance.map((share, i) => {
    const size = volts[i]! * amps_A * share;
    return {
      p: size * Math.cos(degrees(angle)) - solar * 230 * amps_A * Math.cos(degrees(angle)),
      q: size * Math.sin(degrees(angle)),
    };
  });
  return reading({
    volts,
    amps: parts.map(({ p, q: reactive }, i) => Math.hypot(p, reactive) / volts[i]!),
    angles: parts.map(({ p, q: reactive }) => (Math.atan2(reactive, p) * 180) / Math.PI),
    q,
  });
}

test("law: no healthy plant gives a finding, whatever it draws or feeds in", () => {
  fc.assert(
    fc.property(load, (plant) => {
      expect(wiring([healthy(plant), healthy(plant)])).toEqual([]);
    }),
  );
});

test("law: a reversed transformer in a plant without generation is always found", () => {
  fc.assert(
    fc.property(load, fc.nat(2), (plant, phase) => {
      const sound = healthy({ ...plant, solar: 0 });
      const turned = new Map(sound);
      for (const what of ["active_power", "reactive_power"]) {
        const name = `${what}_${PHASES[phase]}`;
        const value = sound.get(name);
        if (value !== undefined && (what === "active_power" || plant.q === "signed")) turned.set(name, -value);
      }
      expect(wiring([turned, turned]).map(({ fault, phases }) => [fault, phases])).toEqual([
        ["reversed-ct", [PHASES[phase]]],
      ]);
    }),
  );
});

test("law: three reversed transformers in a plant without generation are always found where Q has a sign", () => {
  fc.assert(
    fc.property(load, (plant) => {
      const sound = healthy({ ...plant, solar: 0, q: "signed" });
      const turned = new Map([...sound].map(([name, value]) => [name, /_power_/.test(name) ? -value : value]));
      expect(wiring([turned, turned]).map(({ fault }) => fault)).toEqual(["reversed-cts"]);
    }),
  );
});

const SOLAR: LoadSpec = {
  sum: [{ shape: "two-shift", peak_W: 100_000 }],
  minus: [{ shape: "solar", peak_W: 250_000 }],
};

test.each([
  ["drawing", STEEL],
  ["feeding in", SOLAR],
])("simulated meters of every three-phase model, %s, give no finding at any hour", async (_, spec) => {
  const models = [...MODELS.values()].filter(
    ({ measures, phases }) => phases === 3 && measures.length === 1 && measures[0] === "electricity",
  );
  expect(models.length).toBeGreaterThan(10);
  for (const model of models) {
    const [meter] = simOf([{ unit: 1, model: model.id, load: spec }]);
    for (const hour of ["04:00", "09:30", "12:00", "19:10"]) {
      const bus = simBus(new Map([[1, meter!]]), clockAt(local(`2018-03-01T${hour}`)));
      const { readings } = await readModel(bus, 1, model);
      const { values } = snapshotOf(model, readings);
      expect([model.id, hour, wiring([values, values])]).toEqual([model.id, hour, []]);
    }
  }
});
