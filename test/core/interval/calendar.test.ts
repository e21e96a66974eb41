import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BUCKETS_MAX,
  buckets,
  hasOneOffset,
  instantOfLocal,
  intervalStart,
  localParts,
  nextStep,
  STEPS,
  stepStart,
  zoneOffset_ms,
} from "../../../core/interval/calendar.ts";

const HCM = "Asia/Ho_Chi_Minh";
const BERLIN = "Europe/Berlin";
const HOUR_MS = 3_600_000;
const QUARTER_MS = 900_000;

const ms = (iso: string): number => Date.parse(iso);
const iso = (at_ms: number): string => new Date(at_ms).toISOString();

/** 2000 to 2040: the rules of zones are settled there. */
const instant = fc.integer({ min: ms("2000-01-01T00:00:00Z"), max: ms("2040-01-01T00:00:00Z") });
/** UTC+7; a zone with daylight saving; half-hour offsets; days that begin at 01:00 or show 00:00 twice; a skipped day. */
const zone = fc.constantFrom(
  HCM,
  "UTC",
  BERLIN,
  "Asia/Kolkata",
  "America/New_York",
  "America/Sao_Paulo",
  "America/Santiago",
  "Asia/Amman",
  "Pacific/Apia",
  "Africa/Cairo",
);

/** What Intl says, and no shortcut of ours. */
function intlOffset_ms(timeZone: string, at_ms: number): number {
  const name = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" })
    .formatToParts(at_ms)
    .find(({ type }) => type === "timeZoneName")!.value;
  const [, sign, hours, minutes] = /^GMT(?:([+-])(\d\d):(\d\d))?/.exec(name)!;
  return (sign === "-" ? -1 : 1) * (Number(hours ?? 0) * HOUR_MS + Number(minutes ?? 0) * 60_000);
}

test("law: a zone that is known to have one offset has it by the IANA data too, from that day on and a second before it not yet", () => {
  const since = ms("1975-06-13T00:00:00Z");
  expect(["UTC", HCM, BERLIN].map(hasOneOffset)).toEqual([true, true, false]);
  const at = fc.integer({ min: since, max: ms("2040-01-01T00:00:00Z") });
  fc.assert(
    fc.property(fc.constantFrom("UTC", HCM), at, (timeZone, at_ms) => {
      expect(zoneOffset_ms(timeZone, at_ms)).toBe(intlOffset_ms(timeZone, at_ms));
      const { year, month, day, hour, minute, second } = localParts(timeZone, at_ms);
      const local_ms = Date.UTC(year, month - 1, day, hour, minute, second);
      expect(local_ms).toBe(Math.floor((at_ms + intlOffset_ms(timeZone, at_ms)) / 1000) * 1000);
    }),
  );
  for (const at_ms of [since, since - 1000, ms("1970-01-01T00:00:00Z")]) {
    expect(zoneOffset_ms(HCM, at_ms)).toBe(intlOffset_ms(HCM, at_ms));
  }
});

describe("in Vietnam", () => {
  test("clocks are seven hours ahead of UTC", () => {
    expect(zoneOffset_ms(HCM, ms("2026-11-21T10:20:30.500Z"))).toBe(7 * HOUR_MS);
    expect(localParts(HCM, ms("2026-11-21T17:00:01Z"))).toEqual({
      year: 2026,
      month: 11,
      day: 22,
      hour: 0,
      minute: 0,
      second: 1,
    });
  });

  test.each([
    ["15min", "2026-11-21T17:10:00.000Z", "2026-11-21T17:00:00.000Z", "2026-11-21T17:15:00.000Z"],
    ["hour", "2026-11-21T17:59:59.999Z", "2026-11-21T17:00:00.000Z", "2026-11-21T18:00:00.000Z"],
    ["day", "2026-11-21T16:59:59.999Z", "2026-11-20T17:00:00.000Z", "2026-11-21T17:00:00.000Z"],
    ["day", "2026-11-21T17:00:00.000Z", "2026-11-21T17:00:00.000Z", "2026-11-22T17:00:00.000Z"],
    ["month", "2026-11-30T16:59:59.999Z", "2026-10-31T17:00:00.000Z", "2026-11-30T17:00:00.000Z"],
    ["month", "2026-12-15T00:00:00.000Z", "2026-11-30T17:00:00.000Z", "2026-12-31T17:00:00.000Z"],
    ["month", "2028-02-20T00:00:00.000Z", "2028-01-31T17:00:00.000Z", "2028-02-29T17:00:00.000Z"],
    ["year", "2026-12-31T16:59:59.999Z", "2025-12-31T17:00:00.000Z", "2026-12-31T17:00:00.000Z"],
  ] as const)("the %s that holds %s goes from %s to %s", (step, at, from, to) => {
    expect(iso(stepStart(ms(at), step, HCM))).toBe(from);
    expect(iso(nextStep(ms(at), step, HCM))).toBe(to);
  });

  test("an interval that divides a day begins at a multiple of it from local midnight", () => {
    expect(iso(intervalStart(ms("2026-11-21T16:59:59.999Z"), 6 * HOUR_MS, HCM))).toBe("2026-11-21T11:00:00.000Z");
    expect(iso(intervalStart(ms("2026-11-21T17:00:00Z"), 24 * HOUR_MS, HCM))).toBe("2026-11-21T17:00:00.000Z");
  });
});

describe("where clocks change", () => {
  test("a day has 23 or 25 hours", () => {
    const spring = stepStart(ms("2026-03-29T12:00:00Z"), "day", BERLIN);
    expect(nextStep(spring, "day", BERLIN) - spring).toBe(23 * HOUR_MS);
    const autumn = stepStart(ms("2026-10-25T12:00:00Z"), "day", BERLIN);
    expect(nextStep(autumn, "day", BERLIN) - autumn).toBe(25 * HOUR_MS);
  });

  test("a month with a change in it still begins and ends at local midnight", () => {
    const [march] = buckets(ms("2026-02-28T23:00:00Z"), ms("2026-03-31T22:00:00Z"), "month", BERLIN);
    expect(march).toEqual({ from_ms: ms("2026-02-28T23:00:00Z"), to_ms: ms("2026-03-31T22:00:00Z") });
    expect(buckets(ms("2026-02-28T23:00:00Z"), ms("2026-03-31T22:00:00Z"), "day", BERLIN)).toHaveLength(31);
  });

  test("a local time that is shown twice is the first of the two", () => {
    expect(iso(instantOfLocal(BERLIN, 2026, 10, 25, 2))).toBe("2026-10-25T00:00:00.000Z");
    expect(iso(instantOfLocal("America/New_York", 2026, 11, 1, 1))).toBe("2026-11-01T05:00:00.000Z");
  });

  test("a day that shows midnight twice begins at the first", () => {
    // Amman went from 01:00 back to 00:00 on 2021-10-29.
    expect(iso(stepStart(ms("2021-10-28T21:30:00Z"), "day", "Asia/Amman"))).toBe("2021-10-28T21:00:00.000Z");
  });

  test("a day without midnight begins when the clocks jump past it", () => {
    // São Paulo went from 00:00 to 01:00 on 2018-11-04.
    expect(iso(instantOfLocal("America/Sao_Paulo", 2018, 11, 4))).toBe("2018-11-04T03:00:00.000Z");
    const from = ms("2018-11-03T03:00:00Z");
    expect(buckets(from, from + 47 * HOUR_MS, "day", "America/Sao_Paulo").map(({ from_ms }) => iso(from_ms))).toEqual([
      "2018-11-03T03:00:00.000Z",
      "2018-11-04T03:00:00.000Z",
    ]);
  });

  test("a date that was left out has no day", () => {
    // Apia skipped 2011-12-30.
    const days = buckets(ms("2011-12-29T10:00:00Z"), ms("2011-12-31T10:00:00Z"), "day", "Pacific/Apia");
    expect(days.map(({ from_ms }) => localParts("Pacific/Apia", from_ms).day)).toEqual([29, 31]);
  });
});

test("law: every instant lies in its step, and the steps follow each other without a gap", () => {
  fc.assert(
    fc.property(instant, fc.constantFrom(...STEPS), zone, (at_ms, step, timeZone) => {
      const start_ms = stepStart(at_ms, step, timeZone);
      const next_ms = nextStep(at_ms, step, timeZone);
      expect(start_ms <= at_ms && at_ms < next_ms).toBe(true);
      expect(stepStart(start_ms, step, timeZone)).toBe(start_ms);
      expect(stepStart(next_ms - 1, step, timeZone)).toBe(start_ms);
      expect(stepStart(next_ms, step, timeZone)).toBe(next_ms);
    }),
    { numRuns: 300 },
  );
});

test("law: buckets cover exactly the period, clipped at both ends, none empty", () => {
  const length = fc.integer({ min: 1, max: 40 * 86_400_000 });
  fc.assert(
    fc.property(
      instant,
      length,
      fc.constantFrom("hour", "day", "month", "year"),
      zone,
      (from_ms, length_ms, step, timeZone) => {
        const to_ms = from_ms + length_ms;
        const found = buckets(from_ms, to_ms, step, timeZone);
        expect(found[0]?.from_ms).toBe(from_ms);
        expect(found.at(-1)?.to_ms).toBe(to_ms);
        found.forEach((bucket, i) => {
          expect(bucket.from_ms).toBeLessThan(bucket.to_ms);
          if (i > 0) expect(bucket.from_ms).toBe(found[i - 1]?.to_ms);
        });
      },
    ),
    { numRuns: 40 },
  );
});

test("law: an accounting interval holds its instant and is a quarter of an hour by the local clock", () => {
  fc.assert(
    fc.property(instant, zone, (at_ms, timeZone) => {
      const start_ms = intervalStart(at_ms, QUARTER_MS, timeZone);
      expect(at_ms - start_ms).toBeGreaterThanOrEqual(0);
      expect(at_ms - start_ms).toBeLessThan(QUARTER_MS);
      const { minute, second } = localParts(timeZone, start_ms);
      expect([minute % 15, second]).toEqual([0, 0]);
    }),
  );
});

describe("limits", () => {
  test("an empty or backward period has no buckets", () => {
    expect(buckets(5, 5, "day", HCM)).toEqual([]);
    expect(buckets(6, 5, "day", HCM)).toEqual([]);
  });

  test(`${BUCKETS_MAX} buckets are given and one more is refused`, () => {
    const from_ms = ms("2026-01-01T00:00:00Z");
    const to_ms = from_ms + BUCKETS_MAX * QUARTER_MS;
    expect(buckets(from_ms, to_ms, "15min", "UTC")).toHaveLength(BUCKETS_MAX);
    expect(() => buckets(from_ms, to_ms + 1, "15min", "UTC")).toThrow(RangeError);
  });

  test("an unknown zone throws", () => {
    expect(() => zoneOffset_ms("Asia/Saigon_City", 0)).toThrow(RangeError);
  });
});
