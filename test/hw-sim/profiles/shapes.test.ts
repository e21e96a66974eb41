import fc from "fast-check";
import { expect, test } from "vitest";
import { ELECTRIC, FLOWS } from "../../../hw-sim/profiles/shapes.ts";

const ALL = { ...ELECTRIC, ...FLOWS };
const names = fc.constantFrom(...(Object.keys(ALL) as (keyof typeof ALL)[]));
const slots = fc.integer({ min: 0, max: 96 * 365 * 20 });
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** Mean part of a day's hours, over four weeks. */
function meanPart(name: keyof typeof ALL, days: (day: number) => boolean, from_h: number, to_h: number): number {
  let sum = 0;
  let count = 0;
  for (let day = 0; day < 28; day++) {
    if (!days(day)) continue;
    for (let slot = from_h * 4; slot < to_h * 4; slot++, count++) sum += ALL[name].part(day * 96 + slot, 5);
  }
  return sum / count;
}
const isSunday = (day: number) => day % 7 === 6;

test("every shape stays between nothing and its peak", () => {
  fc.assert(
    fc.property(names, slots, seeds, (name, slot, seed) => {
      const part = ALL[name].part(slot, seed);
      expect(part).toBeGreaterThanOrEqual(0);
      expect(part).toBeLessThanOrEqual(1);
    }),
  );
});

test("two shifts rest at night and on Sundays", () => {
  const working = meanPart("two-shift", (day) => !isSunday(day), 8, 11);
  expect(working).toBeGreaterThan(0.8);
  expect(meanPart("two-shift", (day) => !isSunday(day), 0, 5)).toBeLessThan(0.2 * working);
  expect(meanPart("two-shift", isSunday, 8, 11)).toBeLessThan(0.2 * working);
});

test("the sun makes nothing at night and most around noon", () => {
  const always = () => true;
  expect(meanPart("solar", always, 0, 5)).toBe(0);
  expect(meanPart("solar", always, 19, 24)).toBe(0);
  expect(meanPart("solar", always, 11, 13)).toBeGreaterThan(2 * meanPart("solar", always, 7, 9));
});

test("a year of sun gives what a roof in Hai Phong gives: 1,100 to 1,600 hours of peak", () => {
  let hours = 0;
  for (let slot = 0; slot < 96 * 365; slot++) hours += ELECTRIC.solar.part(slot, 3) / 4;
  expect(hours).toBeGreaterThan(1100);
  expect(hours).toBeLessThan(1600);
});
