import fc from "fast-check";
import { expect, test } from "vitest";
import { SLOT_MINUTES } from "../../../hw-sim/course/course.ts";
import { holidaysOf } from "../../../hw-sim/profiles/calendar.ts";
import { dayTypeCourse } from "../../../hw-sim/profiles/dayTypes.ts";
import type { DayTypeLoad } from "../../../hw-sim/simConfig.ts";
import { local, meterOf, ORIGIN_ms, simOf } from "../fixture.ts";

const HOLIDAYS = holidaysOf(["01-01", "2026-02-14..2026-02-22"]);
const course = (spec: DayTypeLoad) => dayTypeCourse(spec, { seed: 5, isHoliday: HOLIDAYS, place: "load" }).active;
const rateAt = (spec: DayTypeLoad) => {
  const { upTo } = course(spec);
  return (at: string): number => {
    const past_min = (local(at) - ORIGIN_ms) / 60_000;
    const slot = Math.floor(past_min / SLOT_MINUTES);
    const minute = past_min - slot * SLOT_MINUTES;
    return upTo(slot, minute + 1) - upTo(slot, minute);
  };
};

const ALL: readonly DayTypeLoad[] = [
  { shape: "shifts", peak_W: 300_000, shifts: ["06:00-14:00", "22:00-06:00"], breaks: ["11:30-12:00"] },
  { shape: "furnace", peak_W: 500_000, hours: "20:00-08:00" },
  { shape: "compressors", peak_W: 150_000, count: 3 },
  { shape: "base-load", peak_W: 20_000 },
];

test("every day type draws between nothing and its peak, in whole watts, its slots the sums of their minutes", () => {
  fc.assert(
    fc.property(fc.constantFrom(...ALL), fc.integer({ min: 0, max: 96 * 365 * 12 }), (spec, slot) => {
      const { upTo } = course(spec);
      let sum = 0;
      for (let minute = 0; minute < SLOT_MINUTES; minute++) {
        const rate = upTo(slot, minute + 1) - upTo(slot, minute);
        expect(Number.isInteger(rate) && rate >= 0 && rate <= spec.peak_W).toBe(true);
        sum += rate;
      }
      expect(upTo(slot, SLOT_MINUTES)).toBe(sum);
    }),
    { numRuns: 300 },
  );
});

test("shifts: idle outside, a ramp at both ends, half in breaks; the night shift belongs to the day it began on", () => {
  const rate = rateAt(ALL[0]!);
  const full = rate("2026-03-02T08:00");
  expect(full).toBeGreaterThan(250_000);
  expect(rate("2026-03-02T16:00")).toBeLessThan(31_000);
  expect(rate("2026-03-02T06:01")).toBeLessThan(rate("2026-03-02T06:10"));
  expect(rate("2026-03-02T13:58")).toBeLessThan(0.5 * full);
  expect(rate("2026-03-02T11:45") / full).toBeCloseTo(0.55, 1);
  // Saturday's night shift ends on Sunday morning; on Sunday night nobody comes.
  expect(rate("2026-03-08T03:00")).toBeGreaterThan(200_000);
  expect(rate("2026-03-08T23:00")).toBeLessThan(31_000);
  expect(rate("2026-03-09T03:00")).toBeLessThan(31_000);
});

test("holidays are like Sundays, also for the shapes without settings", () => {
  const rate = rateAt(ALL[0]!);
  expect(rate("2026-02-17T08:00")).toBeLessThan(31_000);
  expect(rate("2027-01-01T08:00")).toBeLessThan(31_000);
  expect(rate("2026-02-23T08:00")).toBeGreaterThan(200_000);
  const spec = { model: "schneider-pm5000", load: { shape: "two-shift", peak_W: 100_000 } } as const;
  const power = (holidays: readonly string[]) =>
    simOf([{ unit: 1, ...spec }], {}, 1, { holidays })[0]!.gauges(local("2026-09-02T10:00")).active_power_total;
  expect(power([])).toBeGreaterThan(70_000);
  expect(power(["09-02"])).toBeLessThan(15_000);
});

test("a furnace melts and is charged in turn, as long as configured, and holds at night", () => {
  const rate = rateAt({
    shape: "furnace",
    peak_W: 500_000,
    melt_min: 50,
    charge_min: 10,
    hold_percent: 5,
    hours: "06:00-18:00",
  });
  const day = Array.from({ length: 12 * 60 }, (_, i) =>
    rate(`2026-03-02T${String(6 + Math.floor(i / 60)).padStart(2, "0")}:${String(i % 60).padStart(2, "0")}`),
  );
  const melting = day.map((watt) => watt > 400_000);
  expect(melting.filter(Boolean)).toHaveLength(600);
  expect(melting.filter((is, i) => is && melting[i - 1] === false)).toHaveLength(12);
  expect(rate("2026-03-02T20:00")).toBeLessThan(26_000);
});

test("compressors: whole ones, and one that loads and unloads within its cycle", () => {
  const rate = rateAt({
    shape: "compressors",
    peak_W: 90_000,
    count: 3,
    cycle_min: 10,
    demand_percent: 50,
    unloaded_percent: 30,
  });
  const hour = Array.from({ length: 60 }, (_, i) => rate(`2026-03-02T10:${String(i).padStart(2, "0")}`));
  expect(new Set(hour)).toEqual(new Set([39_000, 60_000]));
  expect(hour.filter((watt, i) => i > 0 && watt !== hour[i - 1]).length).toBeGreaterThanOrEqual(10);
});

test("base load is full at night; solar follows the clouds asked for; a boiler follows the steam of another load", () => {
  const base = rateAt({ shape: "base-load", peak_W: 20_000, day_percent: 30 });
  expect(base("2026-03-02T02:00")).toBeGreaterThan(18_999);
  expect(base("2026-03-02T12:00")).toBeLessThanOrEqual(6000);
  const made = (clouds_percent: number) => {
    const meter = meterOf({
      model: "sunspec-inverter-101-103",
      load: { shape: "solar", peak_W: 100_000, clouds_percent },
      since: "2026-01-01",
    });
    return Number(meter.ticks("active_energy_export_total", local("2027-01-01")));
  };
  expect(made(90)).toBeLessThan(0.6 * made(10));
  const line = { shape: "shifts", peak_W: 200_000, shifts: ["06:00-14:00"] } as const;
  const boiler = meterOf({
    model: "sick-flowsic500",
    m3_per_count: 0.1,
    load: { shape: "steam-boiler", peak_m3_per_h: 100, follows: line, follows_peak: 200_000, lag_min: 30 },
  });
  const flow = (at: string) => boiler.gauges(local(at)).flow_base as number;
  expect(flow("2026-03-02T06:15")).toBeLessThan(26);
  expect(flow("2026-03-02T10:00")).toBeGreaterThan(80);
  expect(flow("2026-03-02T14:00")).toBeGreaterThan(80);
  expect(flow("2026-03-02T16:00")).toBeLessThan(26);
});

test.each<[string, DayTypeLoad, RegExp]>([
  [
    "hours that are none",
    { shape: "shifts", peak_W: 1000, shifts: ["6-14"] },
    /load\.shifts\.0: "6-14" is no span of time/,
  ],
  ["an empty span", { shape: "furnace", peak_W: 1000, hours: "06:00-06:00" }, /load\.hours/],
  [
    "a day that is none",
    { shape: "compressors", peak_W: 1000, weekdays: ["mo"] },
    /"mo" is no weekday \(allowed: mon, tue/,
  ],
  [
    "half a compressor",
    { shape: "compressors", peak_W: 1000, count: 1.5 },
    /count: 1\.5 is no whole number within 1 … 20/,
  ],
  ["more than all", { shape: "base-load", peak_W: 1000, day_percent: 120 }, /day_percent: 120 is not within 0 … 100/],
])("refused: %s", (_name, spec, why) => {
  expect(() => course(spec)).toThrow(why);
});

test.each(["13-45", "2026-02-30", "2026-03-02..2026-03-01", "Tet", "2026-01-01..2026-01-02..2026-01-03"])(
  "%s is no holiday",
  (day) => {
    expect(() => holidaysOf([day])).toThrow(/^holidays\.0: /);
  },
);
