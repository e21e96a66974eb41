import fc from "fast-check";
import { expect, test } from "vitest";
import { expectedRange, judge } from "../../../agent/local/expected.ts";
import { GAUGES, reading } from "./fixture.ts";

const load = { role: "use", settings: { rated_power_W: 400_000 } } as const;

test.each([
  ["voltage_l1", 230.4, "ok"],
  ["voltage_l1", 190, "bad"],
  ["voltage_l1", 0, "bad"],
  ["voltage_l1_l2", 400, "ok"],
  ["voltage_ll_avg", 231, "bad"],
  ["frequency", 50.02, "ok"],
  ["frequency", 51, "watch"],
  ["power_factor_total", 0.95, "ok"],
  ["power_factor_total", 0.87, "ok"],
  ["power_factor_total", 0.3, "watch"],
  ["power_factor_total", -0.95, "watch"],
  ["active_power_total", 100_000, "ok"],
  ["active_power_total", -100, "bad"],
  ["active_power_total", 420_000, "watch"],
  ["active_power_l2", -100, "bad"],
  ["current_l1", 5000, "ok"],
] as const)("%s of %d at a load of 400 kW is %s", (quantity, value, level) => {
  expect(judge(reading(quantity, value), load).level).toBe(level);
});

test.each([
  [-0.8, "ok", null],
  [0.8, "ok", null],
  [-0.3, "watch", /^Unusually low/],
  [0.3, "watch", /^Unusually low/],
] as const)("where minus says inductive (SDM630), a power factor of %d is %s", (value, level, why) => {
  const verdict = judge(reading("power_factor_l1", value), { ...load, coding: "capacitive_positive" });
  expect(verdict.level).toBe(level);
  expect(verdict.expected).toEqual({ low: -1, high: -0.5 });
  if (why === null) expect(verdict.why).toBeNull();
  else expect(verdict.why?.en).toMatch(why);
});

test("negative power is nothing strange where the site feeds back", () => {
  const fence = { role: "import", settings: { rated_power_W: 400_000 } } as const;
  expect(judge(reading("active_power_total", -100), fence).level).toBe("ok");
  expect(judge(reading("active_power_l1", -100), fence).level).toBe("ok");
});

test("behind a voltage transformer nobody knows the nominal voltage, so nothing is expected", () => {
  const settings = { vt_ratio: 220 };
  expect(expectedRange("voltage_l1", { role: "import", settings })).toBeNull();
  expect(judge(reading("voltage_l1", 12_700), { role: "import", settings }).level).toBe("ok");
});

test("what the decoder did not believe is red, with a reason in both languages", () => {
  fc.assert(
    fc.property(fc.constantFrom(...GAUGES), fc.double({ noNaN: true }), (quantity, value) => {
      const verdict = judge(reading(quantity, value, { quality: "uncertain", why: "implausible" }), load);
      expect(verdict.level).toBe("bad");
      expect(verdict.why?.vi).toMatch(/\.$/);
      expect(verdict.why?.en).toMatch(/\.$/);
    }),
  );
});

test("whatever is not ok says why, and what is inside its range and good is ok", () => {
  fc.assert(
    fc.property(fc.constantFrom(...GAUGES), fc.double({ min: -1e6, max: 1e6, noNaN: true }), (quantity, value) => {
      const verdict = judge(reading(quantity, value), load);
      if (verdict.level !== "ok") expect(verdict.why).not.toBeNull();
      const range = verdict.expected;
      if (range !== null && value > range.low && value <= range.high) expect(verdict.level).toBe("ok");
    }),
  );
});

test("no value is a fault, but for a meter that says it has none", () => {
  expect(judge(reading("power_factor_total", null, { why: "sentinel" }), load).level).toBe("ok");
  expect(judge(reading("voltage_l1", null, { why: "not-a-number" }), load)).toMatchObject({
    level: "bad",
    why: { en: "The registers hold no number." },
  });
});
