import { expect, test } from "vitest";
import { loadTariffs, parseTariffs } from "../../config/tariffs.ts";
import { bandAt, costOf_VND, splitByBand } from "../../core/performance/tariff.ts";

const ZONE = "Asia/Ho_Chi_Minh";
const { tables, prices } = loadTariffs();
const table = (id: string) => tables.filter((entry) => entry.id === id);
const MONDAY_MS = Date.UTC(2026, 4, 4) - 7 * 3_600_000;

test("both sets of Vietnamese hours are there, each with its document", () => {
  expect(tables.map(({ id }) => id)).toEqual(["evn-legacy", "qd963"]);
  for (const { document } of tables) expect(document.length).toBeGreaterThan(10);
});

test("the shipped hours and prices give the bills of worked example W26", () => {
  const parts = Array.from({ length: 24 }, (_, hour) => ({
    from_ms: MONDAY_MS + hour * 3_600_000,
    to_ms: MONDAY_MS + (hour + 1) * 3_600_000,
    energy_Wh: hour >= 8 && hour < 20 ? 800_000 : 150_000,
  }));
  const medium = prices.find(({ id }) => id === "production-22-110kv")!.prices_VND_per_kWh;
  expect(costOf_VND(splitByBand(parts, table("evn-legacy"), ZONE), medium)).toBeCloseTo(26_577_500, 0);
  expect(costOf_VND(splitByBand(parts, table("qd963"), ZONE), medium)).toBeCloseTo(24_034_375, 0);
});

test("Decision 963 holds from its day on", () => {
  const [qd963] = table("qd963");
  expect(bandAt(qd963!, MONDAY_MS + 18 * 3_600_000, ZONE)).toBe("peak");
  expect(qd963!.valid_from_ms).toBe(Date.UTC(2026, 3, 22) - 7 * 3_600_000);
});

test("hours that are none, an id twice and a source that is not there are named with their place", () => {
  const wrong = `
publisher: x
gathered: 2026-01-01
sources: {}
windows:
  - {id: a, valid_from: null, valid_to: null, peak: {days: mon-sat, hours: ["25:00-26:00"]}, offpeak: {days: all, hours: []}, document: d, confidence: official, sources: [nowhere]}
  - {id: a, valid_from: null, valid_to: null, peak: {days: weekday, hours: []}, offpeak: {days: all, hours: ["04:00-04:00"]}, document: d, confidence: official, sources: []}
prices: []
`;
  expect(() => parseTariffs(wrong, "t.yaml")).toThrow("25:00-26:00");
  try {
    parseTariffs(wrong, "t.yaml");
  } catch (error) {
    const said = String(error);
    for (const part of ["no span of hours", "nowhere", "mon-sat", "ends where it begins", "already used"]) {
      expect(said).toContain(part);
    }
  }
});
