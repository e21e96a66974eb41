import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  agoText,
  amountShown,
  changeText,
  coverageText,
  dayText,
  durationText,
  energyShown,
  numberText,
  offsetText,
  percentText,
  powerShown,
  rangeText,
  readingShown,
  tonnesShown,
} from "../../../cloud/web/format.ts";
import { energy_Wh, mass_kg, unitText } from "../../../cloud/web/units.ts";

const HCM = "Asia/Ho_Chi_Minh";
const at = (text: string): number => Date.parse(`${text}+07:00`);

describe("numbers", () => {
  test("Vietnamese readers get 1.234,56 and English readers 1,234.56", () => {
    expect(numberText(1234.56, 2, "vi")).toBe("1.234,56");
    expect(numberText(1234.56, 2, "en")).toBe("1,234.56");
  });
  test("an unknown value is a dash, never zero", () => {
    expect(numberText(null, 1, "vi")).toBe("–");
    expect(tonnesShown(null, "kg", "vi").number).toBe("–");
    expect(powerShown(null, "en").number).toBe("–");
    expect(coverageText(null, "vi")).toBe("–");
  });
  test("what rounds to zero loses its minus", () => {
    expect(numberText(-0.04, 1, "en")).toBe("0.0");
    expect(changeText(-0.04, "en")).toBe("0.0%");
  });
  test("a change carries its sign as a minus, not a hyphen", () => {
    expect(changeText(-6.2, "vi")).toBe("−\u00a06,2\u00a0%");
    expect(changeText(4.6, "en")).toBe("+\u00a04.6%");
  });
  test("any number reads back from its Vietnamese text", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (value) => {
        const text = numberText(value, 2, "vi");
        const back = Number(
          text
            .replace(/[\u00a0.]/g, "")
            .replace("−", "-")
            .replace(",", "."),
        );
        expect(back).toBeCloseTo(value, 1);
      }),
    );
  });
  test("coverage short of everything never shows as a hundred", () => {
    expect(coverageText(99.97, "en")).toBe("99.9%");
    expect(coverageText(100, "en")).toBe("100%");
    expect(percentText(99.97, "en")).toBe("100.0%");
  });
});

describe("units", () => {
  test("tonnes come out of kilograms, grams and tonnes alike", () => {
    for (const [value, unit] of [
      [1_284_600, "kg"],
      [1284.6, "t"],
      [1_284_600, "kg{CO2e}"],
    ] as const) {
      expect(tonnesShown(value, unit, "vi")).toEqual({ number: "1.284,6", unit: "t CO₂e" });
    }
  });
  test("energy takes the unit that keeps it short, whatever it came in", () => {
    expect(energyShown(energy_Wh(1022, "MW.h"), "vi")).toEqual({ number: "1.022,0", unit: "MWh" });
    expect(energyShown(energy_Wh(36.2, "kW.h"), "en")).toEqual({ number: "36.2", unit: "kWh" });
  });
  test("reactive energy is no energy", () => expect(energy_Wh(1, "kV.A{reactive}.h")).toBeNull());
  test("a volume is no mass", () => expect(mass_kg(1, "m3{normal}")).toBeNull());
  test("standard cubic metres keep their own name", () => {
    expect(amountShown(21_843, "m3{normal}", "vi")).toEqual({ number: "21.843", unit: "Nm³" });
    expect(unitText("m3", "en")).toBe("m³");
  });
  test("an unknown unit is shown as it came", () => expect(unitText("[foz_us]", "en")).toBe("[foz_us]"));
  test("a live power factor has two decimals and no unit", () => {
    expect(readingShown(0.9312, "1", "vi")).toEqual({ number: "0,93", unit: "" });
  });
});

describe("time", () => {
  test("days are the zone's days, wherever the reader sits", () => {
    expect(dayText(at("2026-11-22T00:00:00"), HCM, "vi")).toBe("22/11/2026");
    expect(dayText(at("2026-11-22T23:59:59"), HCM, "en")).toBe("22 Nov 2026");
  });
  test("a half-open period ends on its last day", () => {
    expect(rangeText(at("2026-11-01T00:00:00"), at("2026-12-01T00:00:00"), HCM, "vi")).toBe("01/11 – 30/11/2026");
    expect(rangeText(at("2026-11-22T00:00:00"), at("2026-11-23T00:00:00"), HCM, "vi")).toBe("22/11/2026");
    expect(rangeText(at("2025-12-30T00:00:00"), at("2026-01-02T00:00:00"), HCM, "en")).toBe("30 Dec 2025 – 1 Jan 2026");
  });
  test("the zone is named by its offset", () => {
    expect(offsetText(HCM, 0)).toBe("UTC+8");
    expect(offsetText(HCM, at("2026-11-22T00:00:00"))).toBe("UTC+7");
    expect(offsetText("Asia/Kolkata", at("2026-11-22T00:00:00"))).toBe("UTC+5:30");
  });
  test("ages are said in one or two words and are never negative", () => {
    expect(agoText(2_400, "vi")).toBe("2 giây trước");
    expect(agoText(-500, "en")).toBe("0 s ago");
    expect(durationText(3 * 3_600_000 + 12 * 60_000, "vi")).toBe("3 giờ 12 phút");
    expect(durationText(10 * 86_400_000, "en")).toBe("10 d");
  });
});
