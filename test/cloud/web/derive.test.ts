import { describe, expect, test } from "vitest";
import type { Energy, Measure, Point } from "../../../cloud/api/schemas.ts";
import {
  barsOf,
  changeOf,
  type EmissionGroup,
  hasGenerationMeter,
  highestOf,
  powerPoints,
  ranked,
  renewableOf,
  worstState,
} from "../../../cloud/web/derive.ts";

const figure = (value: number | null, more: Partial<Measure> = {}): Measure => ({
  value,
  unit: "kg",
  coverage_pct: 100,
  estimated_pct: 0,
  provisional: false,
  lower_bound: false,
  ...more,
});

describe("comparison with the period before", () => {
  test("is a percentage when both are whole", () => {
    expect(changeOf(figure(90), figure(100), true)).toEqual({ kind: "change", pct: expect.closeTo(-10, 9) });
  });
  test("weighs kilograms against tonnes rightly", () => {
    expect(changeOf(figure(2000), figure(1, { unit: "t" }), true)).toEqual({ kind: "change", pct: 100 });
  });
  test("is refused, with the reason, when it would describe a hole", () => {
    const holed = figure(50, { lower_bound: true, coverage_pct: 60 });
    expect(changeOf(figure(90), holed, true)).toEqual({ kind: "none", why: "incomplete" });
    expect(changeOf(holed, figure(90), true)).toEqual({ kind: "none", why: "incomplete" });
    expect(changeOf(figure(90), figure(100), false)).toEqual({ kind: "none", why: "not-begun" });
    expect(changeOf(figure(90), figure(null), true)).toEqual({ kind: "none", why: "no-figure" });
    expect(changeOf(figure(90), figure(0), true)).toEqual({ kind: "none", why: "zero" });
  });
  test("stands a hole too small to matter", () => {
    expect(changeOf(figure(90), figure(100, { lower_bound: true, coverage_pct: 99 }), true).kind).toBe("change");
  });
});

const HOUR = 3_600_000;
const point = (index: number, value: number | null, more: Partial<Measure> = {}): Point => ({
  ...figure(value, more),
  from: new Date(index * HOUR).toISOString(),
  to: new Date((index + 1) * HOUR).toISOString(),
});
const group = (key: string, points: Point[]): EmissionGroup => ({
  key,
  id: key,
  name: { vi: key, en: key },
  colour: null,
  total: { ...figure(0), uncertainty_pct: null },
  points,
});

describe("bars of an emission chart", () => {
  const missing = { coverage_pct: 0, lower_bound: true };
  const notDue = { coverage_pct: null };
  test("tell missing, partly missing, not begun and still to come apart", () => {
    const bars = barsOf(
      [
        group("a", [
          point(0, null, notDue),
          point(1, null, missing),
          point(2, 10),
          point(3, 10),
          point(4, null, notDue),
        ]),
        group("b", [
          point(0, null, notDue),
          point(1, null, missing),
          point(2, null, missing),
          point(3, 5),
          point(4, null, notDue),
        ]),
      ],
      4 * HOUR,
    );
    expect(bars.map((bar) => bar.state)).toEqual(["not-begun", "missing", "part-missing", "whole", "to-come"]);
  });
  test("have no total where nothing is known, and never a zero in its place", () => {
    const [bar] = barsOf([group("a", [point(0, null, missing)])], 9 * HOUR);
    expect(bar?.total_t).toBeNull();
    expect(bar?.parts[0]?.t).toBeNull();
  });
  test("before the first data are missing, in a year as in a day: what was not measured is drawn so", () => {
    const bars = barsOf([group("a", [point(0, null, missing), point(1, 5)])], 9 * HOUR);
    expect(bars.map((bar) => bar.state)).toEqual(["missing", "whole"]);
  });
  test("add up what is known, in tonnes", () => {
    const [bar] = barsOf([group("a", [point(0, 1500)]), group("b", [point(0, 500)])], 9 * HOUR);
    expect(bar?.total_t).toBe(2);
  });
});

const energy = (groups: [string, string, number | null][]): Energy => ({
  zone: "z",
  site: null,
  from: "",
  to: "",
  step: "day",
  time_zone: "UTC",
  by: "carrier",
  groups: groups.map(([carrier, direction, kWh]) => ({
    key: carrier,
    name: { vi: "", en: "" },
    colour: null,
    carrier,
    direction: direction as Energy["groups"][number]["direction"],
    meter: null,
    total: { ...figure(kWh, { unit: "kW.h" }), uncertainty_pct: null },
    uncertainty: {
      pct: null,
      half_width: null,
      unit: "kW.h",
      method: "",
      sources: [],
      causes: [],
      unknown: [],
      assumptions: [],
    },
    points: [],
  })),
});

describe("renewable share", () => {
  test("counts what stayed on site against what was used there", () => {
    const answer = renewableOf(
      energy([
        ["electricity", "import", 90],
        ["solar", "generation", 20],
        ["electricity", "export", 10],
      ]),
    );
    expect(answer).toEqual({ made_Wh: 20_000, exported_Wh: 10_000, share_pct: 10 });
  });
  test("is unknown without a generation meter, or while it has counted nothing", () => {
    expect(renewableOf(energy([["electricity", "import", 90]]))).toBeNull();
    expect(renewableOf(energy([["solar", "generation", null]]))).toBeNull();
  });
  test("a generation meter that has booked nothing is told from none at all", () => {
    expect(hasGenerationMeter(energy([["solar", "generation", null]]))).toBe(true);
    expect(hasGenerationMeter(energy([["electricity", "import", 90]]))).toBe(false);
    expect(hasGenerationMeter(null)).toBe(false);
  });
});

test("mean power is energy over the time it took, and unknown energy is unknown power", () => {
  const points = powerPoints([point(0, 12, { unit: "kW.h" }), point(1, null, { unit: "kW.h" })]);
  expect(points.map((one) => one.power_W)).toEqual([12_000, null]);
  expect(highestOf(points)?.power_W).toBe(12_000);
  expect(highestOf([])).toBeNull();
});

test("factories without a figure come last, in the order given", () => {
  expect(ranked([1, null, 3, null, 2], (value) => value)).toEqual([3, 2, 1, null, null]);
});

test("a zone is as well as its worst factory, and unknown while one is unknown", () => {
  expect(worstState(["ok", "warn", "bad"])).toBe("bad");
  expect(worstState(["ok", "unknown"])).toBe("unknown");
  expect(worstState(["ok", "ok"])).toBe("ok");
  expect(worstState([])).toBe("unknown");
});
