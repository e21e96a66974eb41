import fc from "fast-check";
import { expect, test } from "vitest";
import type { ElectricShape, LoadSpec } from "../../../hw-sim/simConfig.ts";
import { local, meterOf, rawOf, registerOf, STEEL, shown, simOf } from "../fixture.ts";

const instants = fc.integer({ min: local("2025-06-01"), max: local("2027-06-01") });
const FLOAT_METERS = ["schneider-pm5000", "eastron-sdm630"] as const;
const PHASES = ["l1", "l2", "l3"] as const;

/** Agreement of values that each went through a float32: 2^-24 a value, a few values. */
const float32Close = (a: number, b: number) =>
  expect(Math.abs(a - b)).toBeLessThanOrEqual(4e-7 * Math.max(Math.abs(a), Math.abs(b)) + 1e-30);

const loads: readonly LoadSpec[] = [
  STEEL,
  ...(["two-shift", "furnace-batch", "compressor", "office"] as const).map((shape: ElectricShape) => ({
    shape,
    peak_W: 480_000,
  })),
  { sum: [{ shape: "office", peak_W: 90_000 }], minus: [{ shape: "solar", peak_W: 200_000 }] },
];

test.each(FLOAT_METERS)(
  "%s registers agree with each other: P = V·I·cos φ a phase, S² = P² + Q², totals are sums",
  (model) => {
    const meters = loads.map((load) => meterOf({ model, load }));
    fc.assert(
      fc.property(fc.constantFrom(...meters), instants, (meter, at) => {
        const value = (name: string) => shown(meter, name, at);
        const powerFactor = meter.gauges(at).power_factor_total as number;
        for (const phase of PHASES) {
          const apparent = value(`voltage_${phase}`) * value(`current_${phase}`);
          float32Close(value(`apparent_power_${phase}`), apparent);
          float32Close(value(`active_power_${phase}`), apparent * powerFactor);
          float32Close(Math.hypot(value(`active_power_${phase}`), value(`reactive_power_${phase}`)), apparent);
        }
        for (const kind of ["active_power", "reactive_power", "apparent_power"]) {
          float32Close(
            value(`${kind}_total`),
            PHASES.reduce((sum, phase) => sum + value(`${kind}_${phase}`), 0),
          );
        }
        float32Close(powerFactor * value("apparent_power_total"), value("active_power_total"));
        expect(value("frequency")).toBeGreaterThanOrEqual(49.97);
        expect(value("frequency")).toBeLessThanOrEqual(50.03);
        for (const phase of PHASES) {
          expect(value(`voltage_${phase}`)).toBeGreaterThan(215);
          expect(value(`voltage_${phase}`)).toBeLessThan(245);
        }
        const [v1, v2] = [value("voltage_l1"), value("voltage_l2")];
        float32Close(value("voltage_l1_l2"), Math.sqrt(v1 * v1 + v2 * v2 + v1 * v2));
      }),
    );
  },
);

test("EM340 registers agree with each other within their steps of 0.1 V, 1 mA, 0.1 W", () => {
  const meter = meterOf({ model: "carlo-gavazzi-em340-et340", load: { shape: "office", peak_W: 300_000 } });
  fc.assert(
    fc.property(instants, (at) => {
      for (const phase of PHASES) {
        const volts = shown(meter, `voltage_${phase}`, at);
        const amps = shown(meter, `current_${phase}`, at);
        const tolerance_VA = 0.05 * amps + 0.0005 * volts + 0.1;
        expect(Math.abs(shown(meter, `apparent_power_${phase}`, at) - volts * amps)).toBeLessThanOrEqual(tolerance_VA);
      }
      const sum = PHASES.reduce((total, phase) => total + shown(meter, `active_power_${phase}`, at), 0);
      expect(Math.abs(shown(meter, "active_power_total", at) - sum)).toBeLessThanOrEqual(0.21);
      expect(shown(meter, "power_factor_total", at)).toBeCloseTo(meter.gauges(at).power_factor_total as number, 2);
    }),
  );
});

test("a leading power factor is four-quadrant coded on a Schneider meter and plain beside it", () => {
  const leading = [...Array(96 * 60).keys()]
    .map((slot) => local("2018-02-01") + slot * 900_000)
    .find((at) => (meterOfSteel.gauges(at).reactive_power_total as number) < 0);
  if (leading === undefined) throw new Error("the steel data has leading hours");
  const plain = shown(meterOfSteel, "power_factor_total_plain", leading);
  expect(plain).toBeLessThan(1);
  expect(shown(meterOfSteel, "power_factor_total", leading)).toBeCloseTo(2 - plain, 6);
});
const meterOfSteel = meterOf({ model: "schneider-pm5000", load: STEEL });

test("the sign of a power factor of an SDM630 tells the kind of load: inductive negative, capacitive positive", () => {
  for (const [power_factor, sign] of [
    [0.8, -1],
    [{ leading: 0.8 }, 1],
  ] as const) {
    const meter = meterOf({ model: "eastron-sdm630", load: { formula: "20000", power_factor } });
    const at = local("2026-05-04T12:00");
    expect(shown(meter, "active_power_l1", at)).toBeGreaterThan(0);
    expect(Math.sign(shown(meter, "reactive_power_l1", at))).toBe(-sign);
    for (const phase of ["l1", "l2", "l3", "total"]) {
      expect(shown(meter, `power_factor_${phase}`, at)).toBeCloseTo(sign * 0.8, 1);
    }
  }
});

test("the energy register grows by the integral of the power that was shown", () => {
  fc.assert(
    fc.property(instants, fc.integer({ min: 1, max: 400 }), fc.nat(), (from, minutes, seed) => {
      const meter = meterOf(
        { model: "schneider-pm5000", load: { shape: "compressor", peak_W: 300_000 }, since: "2025-06-01" },
        seed,
      );
      const start = Math.ceil(from / 60_000) * 60_000;
      let energy_mJ = 0n;
      for (let minute = 0; minute < minutes; minute++) {
        energy_mJ += BigInt(meter.gauges(start + minute * 60_000).active_power_total as number) * 60_000n;
      }
      const end = start + minutes * 60_000;
      expect(meter.ticks("active_energy_import_total", end) - meter.ticks("active_energy_import_total", start)).toBe(
        energy_mJ,
      );
      const shownWh =
        BigInt(rawOf(meter, "active_energy_import_total", end)) -
        BigInt(rawOf(meter, "active_energy_import_total", start));
      const errorWh = Number(shownWh) - Number(energy_mJ) / 3_600_000;
      expect(Math.abs(errorWh)).toBeLessThan(1);
    }),
    { numRuns: 12 },
  );
});

test("the phases add up to the total to the tick, and to two steps in the registers", () => {
  const meter = meterOf({ model: "schneider-iem3155-iem3255", load: STEEL, start: 4711.5 });
  fc.assert(
    fc.property(instants, (at) => {
      const ticks = PHASES.map((phase) => meter.ticks(`active_energy_import_${phase}`, at));
      expect(ticks.reduce((a, b) => a + b)).toBe(meter.ticks("active_energy_import_total", at));
      const steps = PHASES.map((phase) => BigInt(rawOf(meter, `active_energy_import_${phase}`, at)));
      const missing = BigInt(rawOf(meter, "active_energy_import_total", at)) - steps.reduce((a, b) => a + b);
      expect(missing >= 0n && missing <= 2n).toBe(true);
    }),
  );
});

test("counters never fall", () => {
  const meters = FLOAT_METERS.map((model) => meterOf({ model, load: loads.at(-1)! }));
  fc.assert(
    fc.property(fc.constantFrom(...meters), instants, fc.nat({ max: 90 * 86_400_000 }), (meter, at, later) => {
      for (const register of meter.model.registers.filter(({ kind }) => kind === "counter")) {
        expect(Number(rawOf(meter, register.name, at + later))).toBeGreaterThanOrEqual(
          Number(rawOf(meter, register.name, at)),
        );
      }
    }),
    { numRuns: 50 },
  );
});

test("at a boundary with solar, import less export is load less solar, tick by tick, and subs and rest are the whole", () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(instants, { minLength: 2, maxLength: 5 }), (seed, times) => {
      const since = "2025-06-01";
      const model = "schneider-pm5000";
      const roof: LoadSpec = { ref: "roof" };
      const [incomer, line, hall, rest, sun] = simOf(
        [
          { unit: 1, model, since, load: { sum: [{ ref: "line" }, { ref: "hall" }, { ref: "rest" }], minus: [roof] } },
          { unit: 2, model, since, load: { ref: "line" } },
          { unit: 3, model, since, load: { ref: "hall" } },
          { unit: 4, model, since, load: { ref: "rest" } },
          { unit: 5, model: "sunspec-inverter-101-103", since, load: roof },
        ],
        {
          line: { shape: "furnace-batch", peak_W: 90_000 },
          hall: { shape: "office", peak_W: 60_000 },
          rest: { shape: "continuous", peak_W: 9_000 },
          roof: { shape: "solar", peak_W: 180_000 },
        },
        seed,
      );
      for (const at of times) {
        const used = [line!, hall!, rest!].reduce(
          (sum, meter) => sum + meter.ticks("active_energy_import_total", at),
          0n,
        );
        const net = incomer!.ticks("active_energy_import_total", at) - incomer!.ticks("active_energy_export_total", at);
        expect(net).toBe(used - sun!.ticks("active_energy_export_total", at));
      }
      expect(incomer!.ticks("active_energy_export_total", local("2027-06-01"))).toBeGreaterThan(0n);
    }),
    { numRuns: 6 },
  );
});

test("two simulations of one seed answer alike in any order of questions, another seed differently", () => {
  const spec = { model: "eastron-sdm630", load: { shape: "furnace-batch", peak_W: 250_000 } } as const;
  fc.assert(
    fc.property(fc.nat({ max: 1e9 }), fc.array(instants, { minLength: 2, maxLength: 8 }), (seed, times) => {
      const first = meterOf(spec, seed);
      const second = meterOf(spec, seed);
      const forward = times.map((at) => first.read(4, 0, 36, at));
      const backward = [...times].reverse().map((at) => second.read(4, 0, 36, at));
      expect(backward.reverse()).toEqual(forward);
      expect(meterOf(spec, seed + 1).read(4, 0, 36, times[0]!)).not.toEqual(forward[0]);
    }),
    { numRuns: 15 },
  );
});

test("a counter stands at its start value until the day the meter was put in", () => {
  const meter = meterOf({ model: "schneider-pm5000", load: STEEL, start: 1000.5, since: "2020-05-01" });
  expect(rawOf(meter, "active_energy_import_total", local("2020-04-30"))).toBe(1_000_500n);
  expect(rawOf(meter, "active_energy_import_total", local("2020-05-01"))).toBe(1_000_500n);
  expect(Number(rawOf(meter, "active_energy_import_total", local("2020-05-02")))).toBeGreaterThan(1_000_500);
});

test("a 32-bit Wh counter starts again at 0 after its last count", () => {
  const meter = meterOf({
    model: "sunspec-inverter-101-103",
    load: { shape: "solar", peak_W: 100_000 },
    start: 4_294_967.295,
    since: "2025-06-01",
  });
  expect(rawOf(meter, "active_energy_export_total", local("2025-06-01"))).toBe(4_294_967_295);
  const noon = local("2025-06-01T13:00");
  const made = meter.ticks("active_energy_export_total", noon) / 3_600_000n - 4_294_967_296n;
  expect(rawOf(meter, "active_energy_export_total", noon)).toBe(Number(made));
});

test("registers of an SDM630 are where its model says, and between them is nothing but zeros, as far as it reads across", () => {
  const meter = meterOf({ model: "eastron-sdm630", load: STEEL });
  const at = local("2026-03-02T10:00");
  expect(meter.unserved).toEqual([]);
  expect(meter.read(4, 0, 36, at)).toBeInstanceOf(Uint16Array);
  expect(meter.read(4, 36, 2, at)).toEqual({ exception: 2 });
  expect((meter.read(4, 0, 44, at) as Uint16Array).slice(36, 42)).toEqual(new Uint16Array(6));
  expect(meter.read(4, 0, 42, at)).toEqual({ exception: 2 });
  expect(meter.read(4, 348, 54, at)).toEqual({ exception: 2 });
  expect(meter.read(4, 1, 2, at)).toEqual({ exception: 2 });
  expect(meter.read(4, 0, 3, at)).toEqual({ exception: 3 });
  expect(meter.read(4, 0, 82, at)).toEqual({ exception: 3 });
  expect(meter.read(3, 0, 2, at)).toEqual({ exception: 2 });
  expect(rawOf(meter, "register_order", at)).toBe(2141);
});

test("several values of one read are of one instant", () => {
  const meter = meterOf({ model: "eastron-sdm630", load: STEEL });
  const at = local("2026-03-02T10:00") + 377;
  const block = meter.read(4, 0, 36, at) as Uint16Array;
  for (const name of ["voltage_l1", "current_l2", "active_power_l3", "power_factor_l3"]) {
    const register = registerOf(meter, name);
    expect(block.slice(register.address, register.address + 2)).toEqual(meter.read(4, register.address, 2, at));
  }
});
