import fc from "fast-check";
import { expect, test } from "vitest";
import { SLOTS_PER_DAY } from "../../../hw-sim/course/course.ts";
import { steelProfile } from "../../../hw-sim/profiles/import/steelProfile.ts";
import { steelLoad } from "../../../hw-sim/profiles/steel.ts";
import { local, meterOf, rawOf, STEEL, STEEL_CSV } from "../fixture.ts";

/** Figures of the data set's `expected.yaml`: kWh and kvarh by month of the label date. */
const MONTHS = [
  ["2018-01-01", "2018-02-01", 126238.29, 54461.19, 11675.81],
  ["2018-02-01", "2018-03-01", 91497.34, 35893.3, 11723.7],
  ["2018-03-01", "2018-04-01", 80230.41, 32018.48, 12761.92],
  ["2018-04-01", "2018-05-01", 78769.8, 34738.33, 12091.03],
  ["2018-05-01", "2018-06-01", 79059.28, 38430.85, 12764.51],
  ["2018-06-01", "2018-07-01", 65404.64, 32893.9, 12388.1],
  ["2018-07-01", "2018-08-01", 81674.41, 39676, 9867.89],
  ["2018-08-01", "2018-09-01", 68559.43, 38203.68, 11109.77],
  ["2018-09-01", "2018-10-01", 57883.07, 33196.7, 9617.35],
] as const;

/** kWh to whole Wh, as the registers count. */
const wh = (kWh: number) => BigInt(Math.round(kWh * 1000));

test.each(MONTHS)(
  "the PM5000 registers of %s to %s differ by what the plant used",
  (from, to, active, lagging, leading) => {
    const meter = meterOf({ model: "schneider-pm5000", load: STEEL, start: 1234.567 });
    const counted = (name: string) => BigInt(rawOf(meter, name, local(to))) - BigInt(rawOf(meter, name, local(from)));
    expect(counted("active_energy_import_total")).toBe(wh(active));
    expect(counted("reactive_energy_import_total")).toBe(wh(lagging));
    expect(counted("reactive_energy_export_total")).toBe(wh(leading));
    expect(counted("active_energy_export_total")).toBe(0n);
  },
);

test("the busiest quarter of an hour is where the data says", () => {
  const meter = meterOf({ model: "schneider-pm5000", load: STEEL });
  const at = local("2018-01-15T13:45");
  const energy =
    BigInt(rawOf(meter, "active_energy_import_total", at)) -
    BigInt(rawOf(meter, "active_energy_import_total", at - 900_000));
  expect(energy).toBe(153_140n);
  expect(meter.gauges(at - 1).active_power_total).toBe(612_560);
  expect(meter.gauges(at - 900_000).active_power_total).toBe(612_560);
  expect(meter.gauges(at).active_power_total).not.toBe(612_560);
});

test("after 39 weeks the same quarter hours come again on the same weekdays", () => {
  const { active, lagging } = steelLoad(STEEL_CSV);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 273 * SLOTS_PER_DAY - 1 }),
      fc.integer({ min: 1, max: 20 }),
      (slot, turns) => {
        const later = slot + turns * 273 * SLOTS_PER_DAY;
        expect(active.upTo(later, 15)).toBe(active.upTo(slot, 15));
        expect(lagging.upTo(later, 7)).toBe(lagging.upTo(slot, 7));
      },
    ),
  );
  const monday = new Date(local("2018-01-01") + 7 * 3_600_000).getUTCDay();
  const again = new Date(local("2018-01-01") + 273 * 86_400_000 + 7 * 3_600_000).getUTCDay();
  expect(again).toBe(monday);
});

/** The published file around our three columns: byte order mark, CRLF, labels of interval ends, the row of 24:00 last. */
function published(profile: string): string[] {
  const rows = profile.split("\n").filter((line) => /^\d/.test(line));
  return [
    "\uFEFFdate,Usage_kWh,Lagging_Current_Reactive.Power_kVarh,Leading_Current_Reactive_Power_kVarh,CO2(tCO2)",
    ...rows.map((row, i) => {
      const day = new Date(Date.UTC(2018, 0, 1 + Math.floor(i / 96))).toISOString();
      const minutes = (((i % 96) + 1) * 15) % 1440;
      const clock = `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
      return `${day.slice(8, 10)}/${day.slice(5, 7)}/2018 ${clock},${row},0.01`;
    }),
  ];
}

test("the import keeps the file's order and three of its columns", () => {
  expect(steelProfile(published(STEEL_CSV).join("\r\n"))).toBe(STEEL_CSV);
});

test("the import refuses rows sorted by their label", () => {
  const lines = published(STEEL_CSV);
  lines.splice(1, 0, ...lines.splice(96, 1));
  expect(() => steelProfile(lines.join("\r\n"))).toThrow(
    /row 2 is labelled 01\/01\/2018 00:00, expected 01\/01\/2018 00:15/,
  );
});

test("the import refuses a file with a row too few", () => {
  expect(() => steelProfile(published(STEEL_CSV).slice(0, -1).join("\r\n"))).toThrow("26207 rows instead of 26208");
});

test("a profile with a cell that is no number of two decimals is refused", () => {
  expect(() => steelLoad(STEEL_CSV.replace("\n3.17,", "\n3.175,"))).toThrow(/3\.175/);
});
