import fc from "fast-check";
import { expect, test } from "vitest";
import { DEFAULT_ROUTE, parseRoute, type Route, searchOf } from "../../../cloud/web/app/router.ts";
import {
  barStep,
  DAY_MS,
  elapsedOf,
  isLocalDay,
  isoLocal,
  loadStep,
  localDayOf,
  previousOf,
  rangeOf,
} from "../../../cloud/web/period.ts";

const HCM = "Asia/Ho_Chi_Minh";
const at = (text: string): number => Date.parse(`${text}+07:00`);
const NOW = at("2026-11-22T14:32:10");

test("the month runs from its first local midnight to the next month's", () => {
  expect(rangeOf({ kind: "month" }, NOW, HCM)).toEqual({
    from_ms: at("2026-11-01T00:00:00"),
    to_ms: at("2026-12-01T00:00:00"),
  });
});

test("seven days end with today", () => {
  const range = rangeOf({ kind: "week" }, NOW, HCM);
  expect(range).toEqual({ from_ms: at("2026-11-16T00:00:00"), to_ms: at("2026-11-23T00:00:00") });
});

test("a custom period holds its last day, and days given backwards are turned round", () => {
  const forward = rangeOf({ kind: "custom", from: "2026-11-10", to: "2026-11-15" }, NOW, HCM);
  expect(forward).toEqual({ from_ms: at("2026-11-10T00:00:00"), to_ms: at("2026-11-16T00:00:00") });
  expect(rangeOf({ kind: "custom", from: "2026-11-15", to: "2026-11-10" }, NOW, HCM)).toEqual(forward);
});

test("a period is compared with the same length before, up to the same moment of it", () => {
  const range = rangeOf({ kind: "today" }, NOW, HCM);
  expect(previousOf(range, NOW)).toEqual({ from_ms: at("2026-11-21T00:00:00"), to_ms: at("2026-11-21T14:30:00") });
});

test("whatever the instant, what has passed of a period lies inside it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4e12 }),
      fc.constantFrom("today", "week", "month", "year"),
      fc.constantFrom(HCM, "UTC", "Europe/Berlin"),
      (now_ms, kind, timeZone) => {
        const range = rangeOf({ kind }, now_ms, timeZone);
        const elapsed = elapsedOf(range, now_ms);
        expect(range.from_ms).toBeLessThanOrEqual(now_ms);
        expect(range.to_ms).toBeGreaterThan(now_ms);
        expect(elapsed.to_ms).toBeLessThanOrEqual(now_ms);
        expect(elapsed.to_ms).toBeGreaterThanOrEqual(range.from_ms);
      },
    ),
  );
});

test("an instant in the zone's clock is the same instant", () => {
  expect(isoLocal(NOW, HCM)).toBe("2026-11-22T14:32:10+07:00");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e9 }), fc.constantFrom(HCM, "UTC", "America/New_York"), (at_s, timeZone) => {
      expect(Date.parse(isoLocal(at_s * 1000, timeZone))).toBe(at_s * 1000);
    }),
  );
});

test("steps grow with the period, so that no chart asks for more points than it can use", () => {
  const days = (count: number) => ({ from_ms: 0, to_ms: count * DAY_MS });
  expect([barStep(days(1)), barStep(days(31)), barStep(days(366))]).toEqual(["hour", "day", "month"]);
  expect([loadStep(days(31)), loadStep(days(366)), loadStep(days(3660))]).toEqual(["15min", "hour", "day"]);
});

test("only days of the calendar are days", () => {
  expect(isLocalDay("2026-02-30")).toBe(false);
  expect(isLocalDay("2026-02-28")).toBe(true);
  expect(isLocalDay("tomorrow")).toBe(false);
  expect(localDayOf(at("2026-11-22T00:30:00"), HCM)).toBe("2026-11-22");
});

test("the address leads back to the same page", () => {
  const day = fc
    .date({ min: new Date("2000-01-01"), max: new Date("2099-12-31"), noInvalidDate: true })
    .map((d) => d.toISOString().slice(0, 10));
  const period = fc.oneof(
    fc.constantFrom("today", "week", "month", "year").map((kind) => ({ kind })),
    fc.record({ kind: fc.constant("custom" as const), from: day, to: day }),
  );
  const word = fc.option(fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" }));
  const route: fc.Arbitrary<Route> = fc.record({ zone: word, site: word, period, isCompared: fc.boolean(), why: word });
  fc.assert(
    fc.property(route, (one) => {
      expect(parseRoute(searchOf(one).replace(/^\//, ""))).toEqual(one);
    }),
  );
});

test("an address with broken parts opens the default page", () => {
  expect(parseRoute("?period=custom&from=yesterday&to=2026-99-99")).toEqual(DEFAULT_ROUTE);
  expect(parseRoute("?period=fortnight")).toEqual(DEFAULT_ROUTE);
  expect(searchOf(DEFAULT_ROUTE)).toBe("/");
});
