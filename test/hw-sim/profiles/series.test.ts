import fc from "fast-check";
import { expect, test } from "vitest";
import { SLOT_MINUTES } from "../../../hw-sim/course/course.ts";
import { seriesOf } from "../../../hw-sim/profiles/series.ts";
import type { CsvLoad } from "../../../hw-sim/simConfig.ts";
import { local, ORIGIN_ms } from "../fixture.ts";

const SPEC: CsvLoad = { csv: "line3.csv", column: "P", unit: "kW", time: "when", label: "start", repeat: "none" };
const PLACE = { origin_ms: ORIGIN_ms, offset_ms: 7 * 3_600_000, place: "line.load" };
const read = (text: string, more: Partial<CsvLoad> = {}) => seriesOf(text, { ...SPEC, ...more }, PLACE);

const slotAt = (at_ms: number) => (at_ms - ORIGIN_ms) / 900_000;
const stamp = (at_ms: number) => new Date(at_ms + 7 * 3_600_000).toISOString().slice(0, 16);

/** A file of values from an instant on. */
function file(from: number, step_min: number, values: readonly number[], write = (value: number) => String(value)) {
  return ["when,P", ...values.map((value, i) => `${stamp(from + i * step_min * 60_000)},${write(value)}`)].join("\n");
}

test("the same load, written in every way a file may be written", () => {
  const from = local("2025-03-03");
  const values = [1.5, 2.25, 4, 0];
  const { course } = read(file(from, 15, values));
  const slots = values.map((_, i) => course.upTo(slotAt(from) + i, SLOT_MINUTES));
  expect(slots).toEqual([22_500, 33_750, 60_000, 0]);
  const rows = (write: (at: number, value: number) => string, header = "when,P") =>
    [header, ...values.map((value, i) => write(from + i * 900_000, value))].join("\n");
  const same = [
    read(`\uFEFF# old system\r\n\r\n${file(from, 15, values).replaceAll("\n", "\r\n")}\r\n`),
    read(
      rows((at, value) => `${stamp(at + 900_000)},${value}`),
      { label: "end" },
    ),
    read(rows((at, value) => `${new Date(at).toISOString()},${value}`)),
    read(
      rows((at, value) => `${new Date(at).toISOString().slice(0, 19)},${value}`),
      { clock: "utc" },
    ),
    read(
      rows((at, value) => `${stamp(at)}:00+07:00,${value}`),
      { clock: "utc" },
    ),
    read(rows((at, value) => `${at / 1000},${value}`)),
    read(rows((at, value) => `${at},${value}`)),
    read(rows((at, value) => `"${stamp(at).replace("T", " ")}";"${String(value).replace(".", ",")}"`, '"when";P')),
    read(rows((at, value) => `${value}\tx\t${stamp(at).replace(/(\d+)-(\d+)-(\d+)T/, "$3/$2/$1 ")}`, "P\tnote\twhen")),
    read(
      rows((at, value) => `${stamp(at)},${value * 1000}`),
      { unit: "W" },
    ),
    read(
      rows((at, value) => `${stamp(at)},${value / 4}`),
      { unit: "kWh" },
    ),
    read(
      rows((at, value) => `${stamp(at)},${value * 250}`),
      { unit: "Wh" },
    ),
  ];
  for (const { course: other } of same) {
    expect(values.map((_, i) => other.upTo(slotAt(from) + i, SLOT_MINUTES))).toEqual(slots);
  }
});

test("an interval's amount is kept to the watt-minute, however its minutes divide", () => {
  const steps = fc.constantFrom(1, 3, 5, 10, 15, 20, 30, 60, 120);
  const sums = fc.array(fc.integer({ min: -5_000_000, max: 50_000_000 }), { minLength: 30, maxLength: 60 });
  fc.assert(
    fc.property(steps, sums, (step, watt_minutes) => {
      const from = local("2025-03-03");
      // Wh with as many digits as needed: 1 W·min is 1/60 Wh.
      const { course } = read(
        file(from, step, watt_minutes, (sum) => (sum / 60).toFixed(6)),
        { unit: "Wh" },
      );
      const minute = (at: number) => {
        const slot = Math.floor(at / 15);
        return course.upTo(slotAt(from) + slot, at - slot * 15 + 1) - course.upTo(slotAt(from) + slot, at - slot * 15);
      };
      watt_minutes.forEach((sum, row) => {
        let counted = 0;
        for (let i = 0; i < step; i++) counted += minute(row * step + i);
        expect(counted).toBe(sum);
      });
      const slots = Math.ceil((watt_minutes.length * step) / 15);
      let all = 0;
      for (let slot = -1; slot <= slots; slot++) all += course.upTo(slotAt(from) + slot, 15);
      expect(all).toBe(watt_minutes.reduce((a, b) => a + b));
    }),
    { numRuns: 60 },
  );
});

test("weekly repeats whole weeks and keeps weekdays, before and after the file", () => {
  const from = local("2025-03-05");
  const values = Array.from({ length: 24 * 10 }, (_, i) => i);
  const { course } = read(file(from, 60, values), { repeat: "weekly" });
  const hour = (at: number) => course.upTo(slotAt(at), 15) / 15 / 1000;
  expect(hour(from)).toBe(0);
  expect(hour(from + 7 * 86_400_000)).toBe(0);
  expect(hour(from - 7 * 86_400_000 + 5 * 3_600_000)).toBe(5);
  expect(hour(local("2026-03-04T02:00"))).toBe(2);
});

test("yearly repeats by date; the 29th of February is the 28th where the file has none", () => {
  const from = local("2025-01-01");
  const values = Array.from({ length: 365 }, (_, i) => i + 1);
  const { course } = read(file(from, 1440, values), { repeat: "yearly" });
  const day = (at: string) => course.upTo(slotAt(local(at)), 15) / 15 / 1000;
  expect(day("2025-03-01")).toBe(60);
  expect(day("2028-02-28")).toBe(59);
  expect(day("2028-02-29")).toBe(59);
  expect(day("2028-03-01")).toBe(60);
  expect(day("2019-12-31")).toBe(365);
});

test("without repeat there is nothing before and after", () => {
  const from = local("2025-03-03");
  const { course } = read(file(from, 15, [5, 5]));
  expect([-1, 0, 1, 2].map((i) => course.upTo(slotAt(from) + i, 15))).toEqual([0, 75_000, 75_000, 0]);
});

const good = file(local("2025-03-03"), 15, [1, 2, 3, 4]);
test.each<[string, string, Partial<CsvLoad>, RegExp]>([
  ["a column that is not there", good, { column: "Q" }, /line 1: has no column "Q" \(allowed: when, P\)/],
  ["a file of comments", "# nothing\n", {}, /line3\.csv: is empty/],
  ["an empty cell", good.replace(",3", ","), {}, /line 4: "P" is empty/],
  ["a word", good.replace(",3", ",n/a"), {}, /line 4: "n\/a" in "P" is no number/],
  ["a hole", good.split("\n").toSpliced(3, 1).join("\n"), {}, /line 4: is 30 minutes after the row before, not 15/],
  ["a row twice", good.replace("00:30", "00:15"), {}, /line 4: is 0 minutes after/],
  ["no order", good.replace("00:15", "23:15"), {}, /line 3: is 1395 minutes/],
  [
    "a time that is none",
    good.replace("2025-03-03T00:30", "2025-02-30T00:30"),
    {},
    /line 4: "2025-02-30T00:30" in "when" is no time/,
  ],
  ["seconds", good.replace("T00:30", "T00:30:07"), {}, /is not on a whole minute/],
  ["a cell too many", good.replace(",3", ",3,4"), {}, /line 4: has 3 cells, the columns are 2/],
  ["one row", good.split("\n").slice(0, 2).join("\n"), {}, /fewer than two rows/],
  ["a day as a week", good, { repeat: "weekly" }, /less than a week/],
  ["a day as a year", good, { repeat: "yearly" }, /holds 0 whole days of the 365/],
  ["gas that flows back", good.replace(",3", ",-3"), { unit: "m3/h" }, /line 4: a flow below 0/],
  ["the wrong unit", good.replace(",3", ",3000000"), { unit: "MW" }, /line 4: 3000000 MW is more than 1 GW/],
])("refused with its line: %s", (_name, text, more, why) => {
  expect(() => read(text, more)).toThrow(why);
  expect(() => read(text, more)).toThrow(/^line\.load: line3\.csv/);
});
