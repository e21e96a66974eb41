import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CounterReading, counterDelta } from "../../../core/counter/counterDelta.ts";
import {
  type CounterAccount,
  INTERVALS_AT_ONCE_MAX,
  noteFailure,
  openAccount,
  setClock,
  snapshot,
  takeReading,
} from "../../../core/interval/counterAccount.ts";
import type { CounterWords, Interval } from "../../../core/interval/interval.ts";
import type { CounterDefinition } from "../../../core/model/deviceDefinition.ts";

const QUARTER_MS = 900_000;
/** 2025-10-09T15:45+07:00, a boundary. */
const START_MS = 1_759_999_500_000;

const COUNTER: CounterDefinition = {
  quantity: "active_energy_import_total",
  tick: { amount: "1", unit: "Wh" },
  modulus: null,
  rateMax_ticks_per_s: 1000,
  float32_ticks_per_unit: null,
  accounted: true,
  poll_ms: 10_000,
};

function account(counter: Partial<CounterDefinition> = {}, timeZone = "Asia/Ho_Chi_Minh"): CounterAccount {
  return openAccount("meter", { ...COUNTER, ...counter }, QUARTER_MS, timeZone);
}

function reading(at_s: number, count: number | bigint, meterSerial: string | null = null): CounterReading {
  return { at_ms: START_MS + at_s * 1000, count: BigInt(count), meterSerial };
}

/** Polls every 10 s from `from_s` to `to_s`, both included, a tick a second. */
function poll(of: CounterAccount, from_s: number, to_s: number): Interval[] {
  const closed: Interval[] = [];
  for (let at_s = from_s; at_s <= to_s; at_s += 10) closed.push(...takeReading(of, reading(at_s, 1_000_000 + at_s)));
  return closed;
}

describe("a whole interval", () => {
  test("polled from boundary to boundary is measured, complete, and gives no cause", () => {
    const of = account();
    expect(poll(of, 0, 900)).toEqual([
      {
        device: "meter",
        quantity: "active_energy_import_total",
        from_ms: START_MS,
        to_ms: START_MS + QUARTER_MS,
        tick: COUNTER.tick,
        ticks: 900n,
        flag: "M",
        coverage: 1,
        pollsExpected: 90,
        pollsAnswered: 90,
        cause: null,
        opening: { count: 1_000_000n, words: null, across: null },
        closing: { count: 1_000_900n, words: null, across: null },
      },
    ]);
  });

  test("keeps the words of the readings around its boundaries as evidence", () => {
    const words = (at_s: number): CounterWords => ({ fc: 3, address: 7, hex: "00AB", at_ms: START_MS + at_s * 1000 });
    const of = account();
    const closed = [-5, 5, 895, 905, 1795, 1805].flatMap((at_s) =>
      takeReading(of, reading(at_s, 1000 + at_s), words(at_s)),
    );
    expect(closed[2]?.opening).toEqual({ count: 1900n, words: words(895), across: words(905) });
    expect(closed[2]?.closing).toEqual({ count: 2800n, words: words(1805), across: words(1795) });
  });

  test("whose boundary a reading lies on needs no second one", () => {
    const words = (at_s: number): CounterWords => ({ fc: 3, address: 7, hex: "00AB", at_ms: START_MS + at_s * 1000 });
    const of = account();
    const [closed] = [0, 450, 900].flatMap((at_s) => takeReading(of, reading(at_s, at_s), words(at_s)));
    expect(closed?.opening).toEqual({ count: 0n, words: words(0), across: null });
    expect(closed?.closing).toEqual({ count: 900n, words: words(900), across: null });
    expect(of.opening).toEqual({ count: 900n, words: words(900), across: null });
  });

  test("in which a register wrapped is measured like any other", () => {
    const of = account({ modulus: 1_000_000n });
    const closed = [0, 300, 600, 900].flatMap((at_s) => takeReading(of, reading(at_s, (999_500 + at_s) % 1_000_000)));
    expect(closed[0]).toMatchObject({ ticks: 900n, opening: { count: 999_500n }, closing: { count: 400n } });
    expect(closed[0]?.flag).toBe("M");
  });

  test("that ends just after a wrap has its closing count behind it", () => {
    const of = account({ modulus: 1_000_000n });
    const [closed] = [0, 890, 910].flatMap((at_s) => takeReading(of, reading(at_s, (999_105 + at_s) % 1_000_000)));
    expect(closed).toMatchObject({ ticks: 900n, closing: { count: 5n } });
    expect(of.opening?.count).toBe(5n);
  });

  test("begins where the clocks of its zone say, also where they are 5:45 ahead", () => {
    const of = openAccount("meter", COUNTER, 3_600_000, "Asia/Kathmandu");
    takeReading(of, reading(0, 1));
    expect(new Date(of.from_ms).toISOString()).toBe("2025-10-09T08:15:00.000Z");
  });
});

describe("the count at a boundary", () => {
  test("is interpolated, and a tie goes to the even tick", () => {
    const of = account();
    const counts = [0, 895, 905].flatMap((at_s, i) => takeReading(of, reading(at_s, [10, 20, 25][i] ?? 0)));
    // 20 + 5 × 5/10 = 22.5 of which 2.5 is rounded to 2.
    expect(counts[0]).toMatchObject({ ticks: 12n, closing: { count: 22n } });
    expect(of.ticks).toBe(3n);
    expect(of.opening?.count).toBe(22n);
  });

  test("is the reading itself where one falls on it", () => {
    const of = account();
    const [closed] = [0, 900].flatMap((at_s) => takeReading(of, reading(at_s, 7 + at_s)));
    expect(closed?.closing?.count).toBe(907n);
    expect(of.opening?.count).toBe(907n);
    expect(of.answered).toBe(1);
  });
});

describe("what is missing is said", () => {
  test("the first interval of a meter is a lower bound from its first reading on", () => {
    const [first] = poll(account(), 300, 900);
    expect(first).toMatchObject({ ticks: 600n, flag: "X", coverage: 600 / 900, cause: "first-reading", opening: null });
  });

  test("a lost poll inside an interval costs nothing but its cause", () => {
    const of = account();
    poll(of, 0, 400);
    noteFailure(of, "meter-silent");
    const [closed] = poll(of, 420, 900);
    expect(closed).toMatchObject({ ticks: 900n, flag: "M", coverage: 1, pollsAnswered: 89, cause: "meter-silent" });
  });

  test("one lost poll at a boundary is no gap", () => {
    const of = account();
    poll(of, 0, 890);
    noteFailure(of, "meter-silent");
    const closed = poll(of, 910, 1800);
    expect(closed.map(({ flag }) => flag)).toEqual(["M", "M"]);
    // The poll at the boundary was the second interval's; the first had all of its own.
    expect(closed.map(({ cause }) => cause)).toEqual([null, "meter-silent"]);
  });

  test("a poll that was lost just before a reading at the boundary is not the next interval's", () => {
    const of = account();
    poll(of, 0, 880);
    noteFailure(of, "meter-silent");
    const closed = [...poll(of, 900, 1000), ...poll(of, 1020, 1800)];
    expect(closed.map(({ cause }) => cause)).toEqual(["meter-silent", null]);
  });

  test("two lost polls at a boundary make shares of both neighbours, whose sum is exact", () => {
    const of = account();
    poll(of, 0, 880);
    noteFailure(of, "meter-silent");
    noteFailure(of, "meter-silent");
    const closed = poll(of, 910, 1800);
    expect(closed).toMatchObject([
      { ticks: 900n, flag: "S", coverage: 880 / 900, cause: "meter-silent" },
      { ticks: 900n, flag: "S", coverage: 890 / 900, cause: "meter-silent" },
    ]);
  });

  test("an outage of hours keeps its energy and names its cause in every interval it touches", () => {
    const of = account();
    poll(of, 0, 600);
    for (let i = 0; i < 20; i++) noteFailure(of, "bus-unreachable");
    const closed = poll(of, 3000, 3600);
    expect(closed.map(({ ticks }) => ticks)).toEqual([900n, 900n, 900n, 900n]);
    expect(closed.map(({ flag }) => flag)).toEqual(["S", "S", "S", "S"]);
    expect(closed.map(({ cause }) => cause)).toEqual(Array(4).fill("bus-unreachable"));
    expect(closed.map(({ coverage }) => coverage)).toEqual([600 / 900, 0, 0, 600 / 900]);
    expect(closed.map(({ pollsAnswered }) => pollsAnswered)).toEqual([61, 0, 0, 60]);
  });

  test("an early failure is not blamed for the hours the agent was off", () => {
    const of = account();
    poll(of, 0, 300);
    noteFailure(of, "meter-exception");
    poll(of, 320, 600);
    const closed = poll(of, 3000, 3600);
    expect(closed.map(({ cause }) => cause)).toEqual(["meter-exception", "not-polled", "not-polled", "not-polled"]);
  });

  test("a cause does not outlive its gap", () => {
    const of = account();
    poll(of, 0, 600);
    noteFailure(of, "meter-silent");
    const closed = poll(of, 1000, 2700);
    expect(closed.at(-1)).toMatchObject({ flag: "M", cause: null });
  });

  test("a restarted counter leaves out only the stretch it restarted in", () => {
    const of = account();
    poll(of, 0, 400);
    const closed = [410, 420, 900].flatMap((at_s) => takeReading(of, reading(at_s, at_s)));
    expect(closed[0]).toMatchObject({ ticks: 890n, flag: "X", coverage: 890 / 900, cause: "counter-reset" });
    expect(closed[0]?.opening?.count).toBe(1_000_000n);
    expect(closed[0]?.closing?.count).toBe(900n);
  });

  test("an interval that lies wholly in such a stretch has no figure, which is not zero", () => {
    const of = account();
    poll(of, 0, 890);
    const closed = [2000, 2700].flatMap((at_s) => takeReading(of, reading(at_s, at_s)));
    expect(closed[1]).toMatchObject({ ticks: null, flag: "X", coverage: 0, cause: "counter-reset", pollsAnswered: 0 });
    expect(closed[1]?.opening).toBeNull();
    expect(closed[1]?.closing).toBeNull();
    expect(closed[2]).toMatchObject({ ticks: 700n, flag: "X" });
  });

  test("another serial number is another meter", () => {
    const of = account();
    takeReading(of, reading(0, 100, "A"));
    takeReading(of, reading(300, 400, "A"));
    const closed = [310, 900].flatMap((at_s) => takeReading(of, reading(at_s, 5000 + at_s, "B")));
    expect(closed[0]).toMatchObject({ ticks: 890n, flag: "X", cause: "meter-replaced" });
  });

  test("a jump no meter can make is left out", () => {
    const of = account();
    poll(of, 0, 400);
    const closed = [410, 900].flatMap((at_s) => takeReading(of, reading(at_s, 9_000_000 + at_s)));
    expect(closed[0]).toMatchObject({ ticks: 890n, flag: "X", cause: "rate-too-high" });
  });

  test("a gap in which a small register may have gone round is left out", () => {
    const of = account({ modulus: 100_000n });
    const closed = [0, 10, 910].flatMap((at_s) => takeReading(of, reading(at_s, at_s)));
    expect(closed[0]).toMatchObject({ ticks: 10n, flag: "X", cause: "interval-too-long" });
  });

  test("polls that brought only unusable values are counted as not answered", () => {
    const of = account();
    poll(of, 0, 300);
    noteFailure(of, "bad-values");
    const [closed] = poll(of, 320, 900);
    expect(closed).toMatchObject({ flag: "M", pollsAnswered: 89, cause: "bad-values" });
  });

  test("failures from before the first reading belong to no interval", () => {
    const of = account();
    noteFailure(of, "meter-silent");
    const [closed] = [0, 900].flatMap((at_s) => takeReading(of, reading(at_s, at_s)));
    expect(closed).toMatchObject({ flag: "M", cause: null });
  });
});

describe("a meter that starts up and reads zero", () => {
  test("and then what it stood at has counted what lies between, in an interval that lacks nothing", () => {
    const of = account();
    poll(of, 0, 400);
    for (const at_s of [410, 420, 430]) takeReading(of, reading(at_s, 0));
    const [closed] = poll(of, 440, 900);
    expect(closed).toMatchObject({ ticks: 900n, flag: "M", coverage: 1, cause: null });
  });

  test("after a boundary it did not see leaves both intervals lower bounds", () => {
    for (const back of [905, 1_000_000]) {
      const of = account();
      for (let at_s = 0; at_s <= 890; at_s += 10) takeReading(of, reading(at_s, back + at_s));
      const [first] = takeReading(of, reading(905, 0));
      const closed: Interval[] = [];
      for (let at_s = 910; at_s <= 1800; at_s += 10) closed.push(...takeReading(of, reading(at_s, back + at_s)));
      expect(first).toMatchObject({ ticks: 890n, flag: "X", closing: null });
      expect(closed).toMatchObject([{ ticks: 890n, flag: "X", opening: null }]);
    }
  });

  test("and then little more than it once stood at may have begun anew: the smaller figure is its lower bound", () => {
    const of = account();
    for (const [at_s, count] of [
      [0, 100],
      [10, 140],
      [20, 0],
      [30, 150],
      [900, 1020],
    ] as const) {
      const [closed] = takeReading(of, reading(at_s, count));
      if (at_s === 900) expect(closed).toMatchObject({ ticks: 40n + 10n + 870n, flag: "X", cause: "counter-reset" });
    }
  });

  test("and counts on from there was reset", () => {
    const of = account();
    poll(of, 0, 400);
    takeReading(of, reading(410, 0));
    const closed: Interval[] = [];
    for (let at_s = 420; at_s <= 900; at_s += 10) closed.push(...takeReading(of, reading(at_s, at_s - 410)));
    expect(closed).toMatchObject([{ ticks: 890n, flag: "X", coverage: 890 / 900, cause: "counter-reset" }]);
  });
});

describe("a clock that jumps", () => {
  test("back closes nothing, loses nothing and is named", () => {
    const of = account();
    poll(of, 0, 500);
    expect(takeReading(of, reading(200, 1_000_510))).toEqual([]);
    expect(takeReading(of, reading(500, 1_000_520))).toEqual([]);
    const [closed] = poll(of, 530, 900);
    expect(closed).toMatchObject({ ticks: 900n, flag: "M", cause: "clock", pollsAnswered: 51 + 37 });
  });

  test("back while the meter is replaced does not move the account back in time", () => {
    const of = account();
    takeReading(of, reading(0, 100, "A"));
    takeReading(of, reading(500, 600, "A"));
    takeReading(of, reading(200, 10, "B"));
    const [closed] = takeReading(of, reading(900, 700, "B"));
    expect(closed).toMatchObject({ ticks: 500n, flag: "X", coverage: 500 / 900, cause: "clock" });
  });

  test("back is named as the cause whatever else failed in the interval, and in no other one", () => {
    const of = account();
    poll(of, 0, 500);
    takeReading(of, reading(200, 1_000_510));
    noteFailure(of, "meter-silent");
    const [first] = poll(of, 530, 900);
    const [second] = poll(of, 910, 1800);
    expect([first?.cause, second?.cause]).toEqual(["clock", null]);
  });

  test("set into time that was closed before: what a reset cost there is missing from the interval that counts it", () => {
    const of = account();
    poll(of, 0, 700);
    setClock(of, 1_300_000);
    takeReading(of, reading(2010, 1_000_710));
    setClock(of, -1_300_000);
    takeReading(of, reading(720, 1_000_720));
    takeReading(of, reading(730, 3));
    const closed: Interval[] = [];
    for (let at_s = 740; at_s <= 1800; at_s += 10) closed.push(...takeReading(of, reading(at_s, at_s - 727)));
    // 10 s are missing; of the 1080 s that are in it, 190 s are of other times.
    const told = { ticks: 10n + 1070n, flag: "X", coverage: 700 / 900, cause: "clock" };
    expect(closed).toMatchObject([{ from_ms: START_MS + 900_000, ...told }]);
  });

  /** By true time, read by a clock that is ahead by so much. */
  const pollBy = (of: CounterAccount, ahead_s: number, from_s: number, to_s: number): Interval[] => {
    const closed: Interval[] = [];
    for (let at_s = from_s; at_s <= to_s; at_s += 10) {
      closed.push(...takeReading(of, reading(at_s + ahead_s, 1_000_000 + at_s)));
    }
    return closed;
  };

  test("ahead and back into time that was closed: the interval that takes its energy is a share of it, not measured", () => {
    const of = account();
    pollBy(of, 0, 0, 600);
    setClock(of, 1_200_000);
    pollBy(of, 1200, 610, 1600);
    setClock(of, -1_200_000);
    expect(pollBy(of, 0, 1610, 4500)).toMatchObject([
      { from_ms: START_MS + 900_000, ticks: 200n, flag: "X", coverage: 200 / 900, cause: "clock" },
      { from_ms: START_MS + 3_600_000, ticks: 2700n, flag: "S", coverage: 0, cause: "clock", pollsAnswered: 270 },
    ]);
    expect(pollBy(of, 0, 4510, 5400)).toMatchObject([{ ticks: 900n, flag: "M", coverage: 1, cause: null }]);
  });

  test.each([
    ["ahead", 60],
    ["back", -60],
  ])("%s within an interval: it holds other energy than that of its time, and says so", (_, by_s) => {
    const of = account();
    pollBy(of, 0, 0, 500);
    setClock(of, by_s * 1000);
    const [closed] = pollBy(of, by_s, 510, 900 - by_s);
    expect(closed).toMatchObject({ ticks: BigInt(900 - by_s), flag: "S", coverage: 840 / 900, cause: "clock" });
  });

  test("to and fro within an interval leaves it measured", () => {
    const of = account();
    pollBy(of, 0, 0, 500);
    setClock(of, 60_000);
    pollBy(of, 60, 510, 600);
    setClock(of, -60_000);
    expect(pollBy(of, 0, 610, 900)).toMatchObject([{ ticks: 900n, flag: "M", coverage: 1, cause: "clock" }]);
  });

  test("from 1970 to today starts the account again instead of closing two million intervals", () => {
    const of = account();
    takeReading(of, { at_ms: 60_000, count: 100n, meterSerial: null });
    takeReading(of, { at_ms: 70_000, count: 110n, meterSerial: null });
    const closed = poll(of, 300, 900);
    expect(closed).toMatchObject([
      {
        from_ms: 0,
        to_ms: QUARTER_MS,
        ticks: 10n,
        flag: "X",
        coverage: 10 / 900,
        cause: "interval-too-long",
        closing: null,
      },
      { from_ms: START_MS, ticks: 600n, flag: "X", coverage: 600 / 900, cause: "interval-too-long", opening: null },
    ]);
  });

  test("by as many intervals as one reading may close still divides the energy", () => {
    const of = account({ rateMax_ticks_per_s: 1e9 });
    takeReading(of, reading(0, 0));
    const closed = takeReading(of, reading(INTERVALS_AT_ONCE_MAX * 900, 2 * INTERVALS_AT_ONCE_MAX));
    expect(closed).toHaveLength(INTERVALS_AT_ONCE_MAX);
    expect(closed.every(({ ticks, flag }) => ticks === 2n && flag === "S")).toBe(true);
  });
});

describe("history, polled once an interval at its boundaries", () => {
  const once = { poll_ms: QUARTER_MS };

  test("is measured and complete", () => {
    const of = account(once);
    const closed = [0, 900, 1800, 2700].flatMap((at_s) => takeReading(of, reading(at_s, at_s)));
    expect(closed).toHaveLength(3);
    for (const interval of closed) {
      expect(interval).toMatchObject({
        ticks: 900n,
        flag: "M",
        coverage: 1,
        pollsExpected: 1,
        pollsAnswered: 1,
        cause: null,
      });
    }
  });

  test("with a boundary left out has two shares", () => {
    const of = account(once);
    const closed = [0, 1800, 2700].flatMap((at_s) => takeReading(of, reading(at_s, at_s)));
    expect(closed.map(({ flag }) => flag)).toEqual(["S", "S", "M"]);
    expect(closed[0]).toMatchObject({ ticks: 900n, coverage: 0, cause: "not-polled" });
  });
});

// Random courses of a meter.

interface Course {
  readonly definition: CounterDefinition;
  /** As they arrive; those of a clock that went back are not later than one before them. */
  readonly readings: readonly CounterReading[];
  /** True energy since the start beside each reading, and which life of the register it was read in. */
  readonly truth: readonly { readonly total: bigint; readonly life: number }[];
}

const step = fc.record({
  elapsed_ms: fc.oneof(
    { weight: 8, arbitrary: fc.constant(10_000) },
    { weight: 4, arbitrary: fc.integer({ min: 9_000, max: 11_000 }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 60_000 }) },
    { weight: 3, arbitrary: fc.integer({ min: 60_000, max: 5_000_000 }) },
    { weight: 2, arbitrary: fc.constant("to-boundary" as const) },
  ),
  load: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
  event: fc.oneof(
    { weight: 20, arbitrary: fc.constant("none" as const) },
    { weight: 1, arbitrary: fc.constant("reset" as const) },
    { weight: 1, arbitrary: fc.constant("replaced" as const) },
    { weight: 1, arbitrary: fc.constant("clock-back" as const) },
  ),
});

const course: fc.Arbitrary<Course> = fc
  .record({
    steps: fc.array(step, { minLength: 1, maxLength: 60 }),
    start_ms: fc.integer({ min: 0, max: QUARTER_MS }),
    poll_ms: fc.constantFrom(1000, 10_000, 60_000, QUARTER_MS),
    // A wrapping register meets wraps, an endless one resets and replacements: on a wrapping one a reset can look like a wrap.
    modulus: fc.constantFrom(null, 8_000_000n),
  })
  .map(({ steps, start_ms, poll_ms, modulus }) => {
    const readings: CounterReading[] = [];
    const truth: Course["truth"][number][] = [];
    let at_ms = START_MS + start_ms;
    let total = 0n;
    let life = 0;
    let serial = 0;
    let offset = 10n ** 15n;
    const take = (as_of_ms: number): void => {
      const count = modulus === null ? offset + total : (offset + total) % modulus;
      readings.push({ at_ms: as_of_ms, count, meterSerial: `S${serial}` });
      truth.push({ total, life });
    };
    take(at_ms);
    for (const { elapsed_ms, load, event } of steps) {
      const passed_ms = elapsed_ms === "to-boundary" ? QUARTER_MS - (at_ms % QUARTER_MS) : elapsed_ms;
      at_ms += passed_ms;
      // Nothing is drawn while the clock is wrong: a reading dated too early would show more than the meter can count.
      if (event !== "clock-back") total += BigInt(Math.floor(passed_ms * load));
      if (event === "reset" && modulus === null) {
        // Each life counts from far below the one before, so that the fall shows.
        life += 1;
        offset /= 4n;
      }
      if (event === "replaced") {
        life += 1;
        serial += 1;
      }
      take(event === "clock-back" ? at_ms - passed_ms - (passed_ms % 7919) : at_ms);
    }
    return { definition: { ...COUNTER, modulus, poll_ms }, readings, truth };
  });

function run(definition: CounterDefinition, readings: readonly CounterReading[]) {
  const of = openAccount("meter", definition, QUARTER_MS, "Asia/Ho_Chi_Minh");
  const closed = readings.flatMap((r) => takeReading(of, r));
  return { of, closed };
}

/** Those readings that are later than all before them, with their truth. */
function accepted({ readings, truth }: Course) {
  let newest_ms = Number.NEGATIVE_INFINITY;
  return readings.flatMap((r, i) => {
    if (r.at_ms <= newest_ms) return [];
    newest_ms = r.at_ms;
    return [{ reading: r, ...truth[i]! }];
  });
}

const figure = ({ from_ms, ticks, flag, coverage, opening, closing }: Interval) =>
  [from_ms, ticks, flag, coverage.toFixed(9), opening?.count ?? null, closing?.count ?? null] as const;

const MANY = { numRuns: 400 };

test("law: intervals and the open remainder add up to what the register counted, to the tick", () => {
  fc.assert(
    fc.property(course, (c) => {
      const { of, closed } = run(c.definition, c.readings);
      const taken = accepted(c);
      let expected = 0n;
      for (let i = 1; i < taken.length; i++) {
        const [before, after] = [taken[i - 1]!, taken[i]!];
        const delta = counterDelta(before.reading, after.reading, c.definition);
        if (before.life !== after.life) expect(delta.kind).toBe("gap");
        else if (delta.kind === "gap") expect(delta.why).toBe("interval-too-long");
        if (delta.kind === "delta") expected += after.total - before.total;
      }
      const counted = closed.reduce((sum, { ticks }) => sum + (ticks ?? 0n), of.ticks);
      expect(counted).toBe(expected);
    }),
    MANY,
  );
});

test("law: no interval comes twice, none is left out, and neighbours share the count at their boundary", () => {
  fc.assert(
    fc.property(course, (c) => {
      const { of, closed } = run(c.definition, c.readings);
      const first_ms = c.readings[0]!.at_ms;
      const starts = [...closed.map(({ from_ms }) => from_ms), of.from_ms];
      const first = Math.floor(first_ms / QUARTER_MS) * QUARTER_MS;
      expect(starts).toEqual(starts.map((_, i) => first + i * QUARTER_MS));
      expect(of.from_ms <= of.last!.at_ms && of.last!.at_ms < of.to_ms).toBe(true);
      closed.forEach((interval, i) => {
        expect(interval.to_ms - interval.from_ms).toBe(QUARTER_MS);
        const next = closed[i + 1];
        if (interval.closing !== null && next !== undefined) expect(next.opening?.count).toBe(interval.closing.count);
      });
    }),
    MANY,
  );
});

/** The count at a boundary as an auditor makes it: from nothing but the words, in decimals no machine has to round. */
function recount(
  boundary_ms: number,
  words: CounterWords,
  across: CounterWords | null,
  modulus: bigint | null,
): bigint {
  const countOf = ({ hex }: CounterWords): bigint => BigInt(`0x${hex}`);
  if (across === null) {
    expect(words.at_ms).toBe(boundary_ms);
    return countOf(words);
  }
  const [before, after] = words.at_ms < across.at_ms ? [words, across] : [across, words];
  expect(before.at_ms < boundary_ms && boundary_ms < after.at_ms).toBe(true);
  const rise = countOf(after) - countOf(before) + (countOf(after) < countOf(before) ? (modulus ?? 0n) : 0n);
  const whole_ms = BigInt(after.at_ms - before.at_ms);
  const product = rise * BigInt(boundary_ms - before.at_ms);
  const [down, twiceRest] = [product / whole_ms, 2n * (product % whole_ms)];
  const isUp = twiceRest > whole_ms || (twiceRest === whole_ms && down % 2n === 1n);
  const count = countOf(before) + down + (isUp ? 1n : 0n);
  return modulus === null ? count : count % modulus;
}

test("law: the words of the readings around a boundary suffice to make its count again", () => {
  fc.assert(
    fc.property(course, (c) => {
      const of = openAccount("meter", c.definition, QUARTER_MS, "Asia/Ho_Chi_Minh");
      const closed = c.readings.flatMap((r) => {
        const hex = r.count.toString(16).toUpperCase().padStart(16, "0");
        return takeReading(of, r, { fc: 3, address: 3203, hex, at_ms: r.at_ms });
      });
      const { modulus } = c.definition;
      for (const { from_ms, to_ms, opening, closing } of closed) {
        if (opening !== null) {
          expect(opening.words!.at_ms).toBeLessThanOrEqual(from_ms);
          expect(recount(from_ms, opening.words!, opening.across, modulus)).toBe(opening.count);
        }
        if (closing !== null) {
          expect(closing.words!.at_ms).toBeGreaterThanOrEqual(to_ms);
          expect(recount(to_ms, closing.words!, closing.across, modulus)).toBe(closing.count);
        }
      }
    }),
    MANY,
  );
});

test("law: a flag, a coverage and a figure never contradict each other", () => {
  fc.assert(
    fc.property(course, (c) => {
      for (const { ticks, flag, coverage, cause, pollsAnswered, opening, closing } of run(c.definition, c.readings)
        .closed) {
        expect(ticks === null || ticks >= 0n).toBe(true);
        const { modulus } = c.definition;
        for (const boundary of [opening, closing]) expect((boundary?.count ?? 0n) < (modulus ?? 10n ** 30n)).toBe(true);
        expect(coverage >= 0 && coverage <= 1).toBe(true);
        expect(pollsAnswered).toBeGreaterThanOrEqual(0);
        expect(flag === "M").toBe(coverage === 1);
        if (ticks === null) expect([flag, coverage]).toEqual(["X", 0]);
        if (flag !== "M") expect(cause).not.toBeNull();
      }
    }),
    MANY,
  );
});

test("law: the readings around an interval suffice to compute it again, to the tick and the flag", () => {
  fc.assert(
    fc.property(course, (c) => {
      const taken = accepted(c).map((a) => a.reading);
      for (const interval of run(c.definition, c.readings).closed) {
        const before = taken.findLastIndex(({ at_ms }) => at_ms <= interval.from_ms);
        const after = taken.findIndex(({ at_ms }) => at_ms >= interval.to_ms);
        const around = taken.slice(Math.max(before, 0), after + 1);
        const again = run(c.definition, around).closed.filter(({ from_ms }) => from_ms === interval.from_ms);
        expect(again.map(figure)).toEqual([figure(interval)]);
      }
    }),
    { numRuns: 200 },
  );
});

test("law: readings of a clock that went back change no figure", () => {
  fc.assert(
    fc.property(course, (c) => {
      const all = run(c.definition, c.readings);
      const later = run(
        c.definition,
        accepted(c).map((a) => a.reading),
      );
      expect(all.closed.map(figure)).toEqual(later.closed.map(figure));
    }),
  );
});

test("law: an account that is put away and taken up again anywhere goes on as if nothing had been", () => {
  fc.assert(
    fc.property(course, fc.nat(), (c, at) => {
      const cut = at % c.readings.length;
      const whole = run(c.definition, c.readings);
      const of = openAccount("meter", c.definition, QUARTER_MS, "Asia/Ho_Chi_Minh");
      const before = c.readings.slice(0, cut).flatMap((r) => takeReading(of, r));
      const kept = snapshot(of);
      const untouched = structuredClone(kept);
      for (const r of c.readings.slice(cut)) takeReading(of, r);
      expect(kept).toEqual(untouched);
      const resumed = structuredClone(kept) as CounterAccount;
      const after = c.readings.slice(cut).flatMap((r) => takeReading(resumed, r));
      expect([...before, ...after]).toEqual(whole.closed);
      expect(resumed).toEqual(whole.of);
    }),
  );
});
