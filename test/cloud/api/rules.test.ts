import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { catalogMeter } from "../../../cloud/api/catalogue.ts";
import { previousPeriod } from "../../../cloud/api/emissions.ts";
import { parseFigureId, type Question, questionId } from "../../../cloud/api/figureId.ts";
import {
  BACKLOG_MAX_BYTES,
  CLIENTS_MAX,
  HEARTBEAT_MS,
  type LiveClient,
  LiveHub,
  PACE_MS,
  powerOf,
  withoutNoise,
} from "../../../cloud/api/live.ts";
import { metricsText } from "../../../cloud/api/metrics.ts";
import type { MeterSituation } from "../../../cloud/api/situation.ts";
import {
  BACKLOG_MS,
  FRESH_MS,
  type GatewayCircumstance,
  gatewayState,
  meterState,
  SESSIONS_NEWS_MS,
  SETTLING_MS,
  Spacings,
  worst,
} from "../../../cloud/api/state.ts";
import { elapsed_ms, expectation, measureOf, NOTHING, sumTallies, type Tally } from "../../../cloud/api/tally.ts";
import { isoIn, parseInstant } from "../../../cloud/api/time.ts";
import { splitAtFactors } from "../../../cloud/api/trace.ts";
import type { LiveMeter, LiveValue } from "../../../cloud/collector/live.ts";
import { missingIn } from "../../../cloud/ledger/missing.ts";
import type { GatewayRow, MeterRow } from "../../../cloud/store/store.ts";
import { HandTimers, QUARTER_MS, START_MS } from "./zone.ts";

const HCM = "Asia/Ho_Chi_Minh";
const GATEWAY = { group: "kcn", edge: "gw-01" } as const;
const NOW_MS = START_MS;

describe("time", () => {
  test("an instant reads back from its own text, in any zone", () => {
    const zones = fc.constantFrom(HCM, "UTC", "America/St_Johns", "Asia/Kathmandu");
    fc.assert(
      fc.property(zones, fc.integer({ min: 0, max: 4e12 }), (timeZone, at_ms) => {
        expect(parseInstant(isoIn(timeZone, at_ms), timeZone)).toBe(at_ms);
      }),
    );
  });

  test("text is local time with the zone's offset, milliseconds only when there are any", () => {
    expect(isoIn(HCM, START_MS)).toBe("2026-11-01T00:00:00+07:00");
    expect(isoIn(HCM, START_MS + 5)).toBe("2026-11-01T00:00:00.005+07:00");
    expect(isoIn("America/St_Johns", Date.UTC(2026, 0, 1))).toBe("2025-12-31T20:30:00-03:30");
  });

  test.each(["2026-13-01", "2026-02-29", "2026-11-31T00:00:00Z", "2026-11-01T25:00:00Z", "1 Nov 2026", "", "12"])(
    "%j is no time",
    (text) => expect(parseInstant(text, HCM)).toBeNull(),
  );
});

describe("tallies", () => {
  const tally = fc.record<Tally>({
    amount: fc.record({ digits: fc.bigInt({ min: 0n, max: 10n ** 15n }), scale: fc.integer({ min: 0, max: 6 }) }),
    estimated: fc.constant(0),
    known: fc.nat(9),
    rows_ms: fc.nat(4).map((n) => n * QUARTER_MS),
    covered_ms: fc.nat(QUARTER_MS),
    elapsed_ms: fc.nat(4).map((n) => n * QUARTER_MS),
    isLacking: fc.boolean(),
    isProvisional: fc.boolean(),
  });

  test("sums of sums say the same as the sum of all, however they are grouped", () => {
    fc.assert(
      fc.property(fc.array(tally, { maxLength: 9 }), fc.nat(9), (all, cut) => {
        const grouped = sumTallies([sumTallies(all.slice(0, cut)), sumTallies(all.slice(cut))]);
        expect(measureOf(grouped, "kg")).toEqual(measureOf(sumTallies(all), "kg"));
      }),
    );
  });

  test("rows too many in one part do not hide rows missing in another", () => {
    const over = { ...NOTHING, known: 1, rows_ms: 2 * QUARTER_MS, elapsed_ms: QUARTER_MS };
    const under = { ...NOTHING, known: 1, rows_ms: 0, elapsed_ms: QUARTER_MS };
    expect(measureOf(sumTallies([over, under]), "kg").lower_bound).toBe(true);
  });

  test("almost whole is not shown as 100 %", () => {
    const almost = { ...NOTHING, elapsed_ms: 1e9, rows_ms: 1e9, covered_ms: 1e9 - 1 };
    expect(measureOf(almost, "kg").coverage_pct).toBe(99.9999);
  });

  test("the parts of a period expect together what the whole expects", () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(400), fc.nat(200), fc.nat(100 * QUARTER_MS), (from, to, first, now) => {
        const span = { from_ms: START_MS + first * QUARTER_MS, to_ms: START_MS + (first + 1) * QUARTER_MS };
        const expected = expectation(span.to_ms + now, QUARTER_MS, 7 * 3_600_000, span);
        const edges = [0, Math.min(from, to), Math.max(from, to), 400].map((n) => START_MS + (n * QUARTER_MS) / 4);
        const parts = edges.slice(1).map((to_ms, at) => elapsed_ms(expected, { from_ms: edges[at]!, to_ms }));
        const whole = elapsed_ms(expected, { from_ms: START_MS, to_ms: edges[3]! });
        expect(parts.reduce((a, b) => a + b)).toBe(whole);
      }),
    );
  });
});

describe("periods", () => {
  test("the period before is cut to what has elapsed, and there is none before anything has", () => {
    const day = { from_ms: START_MS, to_ms: START_MS + 86_400_000 };
    expect(previousPeriod(day, START_MS + 3_600_000)).toEqual({
      from_ms: START_MS - 86_400_000,
      to_ms: START_MS - 86_400_000 + 3_600_000,
    });
    expect(previousPeriod(day, START_MS + 1e12)?.to_ms).toBe(START_MS);
    expect(previousPeriod(day, START_MS)).toBeNull();
  });

  test("without a factor that changes inside, a period is one piece", () => {
    const day = { from_ms: START_MS, to_ms: START_MS + 86_400_000 };
    expect(splitAtFactors(day, [])).toEqual([day]);
  });
});

describe("ids of figures", () => {
  const question = fc.record<Question>({
    site: fc.option(fc.string({ maxLength: 100 })),
    from_ms: fc.integer({ min: 0, max: 1e12 }),
    to_ms: fc.integer({ min: 1e12 + 1, max: 2e12 }),
    gwp: fc.constantFrom("AR4", "AR5", "AR6"),
    part: fc.option(fc.record({ by: fc.constantFrom("scope", "carrier", "site"), key: fc.string({ maxLength: 40 }) })),
    knownAt_ms: fc.option(fc.integer({ min: 0, max: 2e12 })),
    basis: fc.constantFrom("location" as const, "market" as const),
  });

  test("an id gives back its question", () => {
    fc.assert(
      fc.property(question, (asked) => {
        const id = questionId(asked);
        fc.pre(id.length <= 1024);
        expect(id).toMatch(/^[\w-]+$/);
        expect(parseFigureId(id)).toEqual({ kind: "question", question: asked });
      }),
    );
  });

  test("any text is either an id or not found", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseFigureId(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "NOT_FOUND" });
        }
      }),
    );
  });
});

const value = (change: Partial<LiveValue> = {}): LiveValue => ({
  value: 100,
  at_ms: NOW_MS,
  quality: "good",
  why: null,
  ...change,
});
const live = (values: Partial<Record<"active_power_total" | "voltage_l1", LiveValue>>, online = true): LiveMeter => ({
  gateway: GATEWAY,
  device: "m",
  online,
  staleSince_ms: online ? null : NOW_MS,
  values: new Map(Object.entries(values)) as LiveMeter["values"],
});

describe("states", () => {
  const row: GatewayRow = {
    gateway: GATEWAY,
    epoch: "e",
    online: true,
    bdSeq: 1,
    lastSeen_ms: NOW_MS,
    bornAt_ms: NOW_MS,
    pending: 0,
    oldestPending_ms: null,
    clockOffset_ms: 0,
    software: null,
    duplicates: 0,
    received: 0,
  };

  test("a gateway is unknown, bad, warn or ok", () => {
    const state = (change: Partial<GatewayCircumstance>) =>
      gatewayState({ row, isOnline: true, sessionsTooMany_ms: null, now_ms: NOW_MS, ...change });
    expect(state({ row: null, isOnline: false })).toEqual({ state: "unknown", why: null });
    expect(state({ row: { ...row, lastSeen_ms: null }, isOnline: false }).state).toBe("unknown");
    expect(state({ isOnline: false })).toEqual({ state: "bad", why: "offline" });
    expect(state({ row: { ...row, oldestPending_ms: NOW_MS - BACKLOG_MS } })).toEqual({ state: "ok", why: null });
    const late = { row: { ...row, oldestPending_ms: NOW_MS - BACKLOG_MS - 1 } };
    expect(state(late)).toEqual({ state: "warn", why: "backlog" });
    const contended = { sessionsTooMany_ms: NOW_MS - SESSIONS_NEWS_MS };
    expect(state(contended)).toEqual({ state: "warn", why: "sessions" });
    expect(state({ ...contended, ...late }).why).toBe("sessions");
    expect(state({ ...contended, isOnline: false }).why).toBe("offline");
    expect(state({ sessionsTooMany_ms: NOW_MS - SESSIONS_NEWS_MS - 1 }).state).toBe("ok");
  });

  const judge = (
    meter: LiveMeter | null,
    spacing_ms = 0,
    isGatewayOnline = true,
    sessionAge_ms: number | null = SETTLING_MS,
  ) =>
    meterState({
      live: meter,
      gateway: isGatewayOnline ? "ok" : "bad",
      isGatewayOnline,
      sessionAge_ms,
      now_ms: NOW_MS,
      spacing_ms,
    });

  test("a meter is judged by its gateway, its birth, and its newest good value", () => {
    expect(judge(live({ voltage_l1: value() }), 0, false)).toEqual({ state: "bad", why: "gateway-offline" });
    expect(judge(null)).toEqual({ state: "warn", why: "offline" });
    expect(judge(live({ voltage_l1: value() }, false))).toEqual({ state: "warn", why: "offline" });
    expect(judge(live({}))).toEqual({ state: "warn", why: "silent" });
    expect(judge(live({ voltage_l1: value({ at_ms: NOW_MS - FRESH_MS }) }))).toEqual({ state: "ok", why: null });
    expect(judge(live({ voltage_l1: value({ at_ms: NOW_MS - FRESH_MS - 1 }) }))).toEqual({
      state: "warn",
      why: "silent",
    });
    expect(judge(live({ voltage_l1: value({ quality: "bad", value: null }) }))).toEqual({
      state: "warn",
      why: "bad-values",
    });
  });

  test("in a session younger than a minute a meter that has not answered yet is unknown, one that has is judged", () => {
    const young = (meter: LiveMeter | null) => judge(meter, 0, true, SETTLING_MS - 1);
    for (const meter of [null, live({}), live({ voltage_l1: value() }, false)]) {
      expect(young(meter)).toEqual({ state: "unknown", why: null });
      expect(judge(meter).state).toBe("warn");
    }
    expect(young(live({ voltage_l1: value() })).state).toBe("ok");
    expect(young(live({ voltage_l1: value({ quality: "bad", value: null }) })).why).toBe("bad-values");
    expect(judge(live({}), 0, true, null).why).toBe("silent");
  });

  test("a meter that is polled once a minute is not silent after forty seconds", () => {
    const spacings = new Spacings();
    const at = (at_ms: number) => live({ voltage_l1: value({ at_ms }) });
    spacings.observe({ meters: () => [at(NOW_MS - 100_000)] });
    spacings.observe({ meters: () => [at(NOW_MS - 40_000)] });
    spacings.observe({ meters: () => [at(NOW_MS - 40_000)] });
    expect(spacings.of("gw-01/m")).toBe(60_000);
    expect(judge(at(NOW_MS - 40_000), spacings.of("gw-01/m")).state).toBe("ok");
    expect(judge(at(NOW_MS - 181_000), spacings.of("gw-01/m")).why).toBe("silent");
  });

  test("the worst state stands for all", () => {
    expect(worst([])).toBe("unknown");
    expect(worst(["ok", "unknown"])).toBe("ok");
    expect(worst(["ok", "bad", "warn"])).toBe("bad");
  });
});

describe("power", () => {
  const row: MeterRow = {
    gateway: GATEWAY,
    device: "m",
    model: "x",
    modelVersion: "1",
    carrier: "electricity",
    role: "import",
    parent: null,
    interval_ms: QUARTER_MS,
    time_zone: HCM,
    name: null,
    accuracy: null,
    supplier: null,
  };
  const meter = (reading: LiveMeter | null, change: Partial<MeterRow> = {}): MeterSituation => ({
    meter: catalogMeter({ ...row, ...change }, "steel"),
    live: reading,
    verdict: { state: "ok", why: null },
    now_ms: NOW_MS,
    spacing_ms: 0,
  });
  const watts = (power_W: number) => live({ active_power_total: value({ value: power_W }) });

  test("a site draws the sum of its boundary meters; sub-meters, gas and solar are not in it", () => {
    const others = [
      meter(watts(7), { parent: "main" }),
      meter(watts(7), { role: "use" }),
      meter(watts(7), { carrier: "natural_gas" }),
      meter(watts(-50), { carrier: "solar", role: "generation" }),
    ];
    expect(powerOf([meter(watts(100)), meter(watts(-30)), ...others], "import")).toBe(70);
    expect(powerOf([meter(watts(100)), ...others], "generation")).toBe(50);
  });

  test("a meter that is missing, offline, old or bad makes the sum unknown, never smaller", () => {
    const bad: readonly (LiveMeter | null)[] = [
      null,
      live({}),
      live({ active_power_total: value() }, false),
      live({ active_power_total: value({ at_ms: NOW_MS - FRESH_MS - 1 }) }),
      live({ active_power_total: value({ quality: "bad", value: null }) }),
      live({ active_power_total: value({ quality: "uncertain" }) }),
    ];
    for (const one of bad) expect(powerOf([meter(watts(100)), meter(one)], "import")).toBeNull();
    expect(powerOf([], "import")).toBeNull();
  });
});

test("a live value shows the digits of its counter and none of the arithmetic's", () => {
  expect(withoutNoise(1780222.4000000001)).toBe(1780222.4);
  expect(withoutNoise(null)).toBeNull();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99_999_999_999_999 }), (ticks) => {
      expect(withoutNoise(ticks * 0.1)).toBe(Number(`${ticks}e-1`));
    }),
  );
});

describe("the live hub", () => {
  function hubWith() {
    const timers = new HandTimers();
    const listeners = new Set<() => void>();
    let made = 0;
    const deps = {
      timers,
      clock: { now_ms: () => NOW_MS, mono_ms: () => 0 },
      live: {
        meters: () => [],
        isOnline: () => true,
        booksTo_ms: () => null,
        onChange(listener: () => void) {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
    };
    const hub = new LiveHub(deps, () => {
      made += 1;
      return {
        at: "",
        zone: { power_W: null, generation_W: null },
        sites: [],
        meters: [],
        others: [],
        books_to: null,
        history: null,
      };
    });
    const change = () => {
      for (const listener of [...listeners]) listener();
    };
    return { hub, timers, listeners, made: () => made, change };
  }
  function client(backlog = 0): LiveClient & { readonly frames: string[]; isEnded: boolean } {
    const frames: string[] = [];
    return {
      frames,
      isEnded: false,
      write: (text) => void frames.push(text),
      backlog: () => backlog,
      end() {
        this.isEnded = true;
      },
    };
  }

  test("a storm of changes gives one event a second, made once for all, and the last change is not lost", () => {
    const { hub, timers, change, made } = hubWith();
    const [a, b] = [client(), client()];
    hub.add(a);
    hub.add(b);
    const before = made();
    for (let at = 0; at < 40; at++) {
      change();
      timers.advance(PACE_MS / 10);
    }
    // At 0, 1, 2, 3 and 4 s; the one at 4 s holds the change of 3.9 s, and nothing is left to say after it.
    expect(made() - before).toBe(5);
    timers.advance(PACE_MS / 2);
    expect(made() - before).toBe(5);
    expect(a.frames.length).toBe(b.frames.length);
  });

  test("without any change something is said at least every fifteen seconds", () => {
    const { hub, timers } = hubWith();
    const one = client();
    hub.add(one);
    for (let at = 0; at < 10; at++) {
      const before = one.frames.length;
      timers.advance(HEARTBEAT_MS);
      expect(one.frames.length).toBeGreaterThan(before);
    }
  });

  test("a client too slow to be live is let go; the others are not held up", () => {
    const { hub, change } = hubWith();
    const [slow, quick] = [client(BACKLOG_MAX_BYTES + 1), client()];
    hub.add(slow);
    hub.add(quick);
    change();
    expect([slow.isEnded, slow.frames.length, quick.frames.length, hub.clients]).toEqual([true, 1, 2, 1]);
  });

  test("when the last client goes nothing runs, also if it goes during an event", () => {
    const { hub, timers, listeners, change } = hubWith();
    const one = client(BACKLOG_MAX_BYTES + 1);
    hub.add(one);
    change();
    expect([hub.clients, timers.count, listeners.size]).toEqual([0, 0, 0]);
    hub.remove(one);
    hub.add(client());
    expect([hub.clients, listeners.size]).toEqual([1, 1]);
  });

  test("there is a limit of clients", () => {
    const { hub } = hubWith();
    for (let at = 0; at < CLIENTS_MAX; at++) expect(hub.add(client())).toBe(true);
    expect(hub.add(client())).toBe(false);
  });
});

test("missing batches are the numbers below the highest that are not held", () => {
  expect(missingIn([])).toBe(0);
  expect(missingIn([[1, 10]])).toBe(0);
  expect(
    missingIn([
      [3, 4],
      [8, 8],
    ]),
  ).toBe(5);
});

test("label values of metrics cannot break out of their quotes", () => {
  const samples = [{ labels: { gateway: 'a"b\\c\nd' }, value: 1 }];
  expect(metricsText([{ name: "x", type: "gauge", help: "h", samples }])).toBe(
    '# HELP x h\n# TYPE x gauge\nx{gateway="a\\"b\\\\c\\nd"} 1\n',
  );
});
