import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HOLE_CAUSES } from "../../../cloud/ledger/cause.ts";
import { type LedgerFacts, ledgerLines, ledgerTotals } from "../../../cloud/ledger/ledger.ts";
import type { StoredInterval } from "../../../cloud/store/store.ts";
import type { Interval } from "../../../core/interval/interval.ts";
import { INTERVAL_CAUSES } from "../../../core/interval/interval.ts";
import type { LossRecord, MeterPolls, PollsRecord } from "../../../core/wire/nodeRecord.ts";
import { GATEWAY, interval, QUARTER_MS, START_MS } from "../../contract/store.ts";

const EPOCH = "00000000000000aa";
const at = (quarter: number): number => START_MS + quarter * QUARTER_MS;

function held(quarter: number, change: Partial<Interval> = {}, batch = quarter + 1): StoredInterval {
  const counts = { opening: { count: BigInt(quarter * 1000), words: null, across: null } };
  const closing = { count: BigInt((quarter + 1) * 1000), words: null, across: null };
  const whole = interval(quarter, { ...counts, closing, ticks: 1000n, ...change });
  return { ...whole, gateway: GATEWAY, epoch: EPOCH, batch, verification: "agreed" };
}

const facts = (change: Partial<LedgerFacts> = {}): LedgerFacts => ({
  device: "incomer",
  from_ms: at(0),
  to_ms: at(4),
  interval_ms: QUARTER_MS,
  time_zone: "Asia/Ho_Chi_Minh",
  intervals: [0, 1, 2, 3].map((quarter) => held(quarter)),
  emissions: [],
  batches: new Map([0, 1, 2, 3].map((quarter) => [at(quarter), { stored: 900, setAside: 0 }])),
  losses: [],
  clocks: [],
  polls: [],
  swaps: [],
  presence: [{ gateway: GATEWAY, at_ms: at(-10), state: "online" }],
  underWayFrom_ms: Number.POSITIVE_INFINITY,
  ...change,
});

const holes = (change: Partial<LedgerFacts>) => ledgerLines(facts(change)).map(({ hole }) => hole);
const without = (...quarters: readonly number[]) =>
  [0, 1, 2, 3].filter((quarter) => !quarters.includes(quarter)).map((quarter) => held(quarter));

function loss(change: Partial<LossRecord> = {}): LossRecord {
  return {
    kind: "loss",
    at_ms: at(9),
    epoch: EPOCH,
    device: "incomer",
    from_ms: at(1),
    to_ms: at(2) - 1,
    count: 900,
    what: "samples",
    why: "size-bound",
    batches: null,
    ...change,
  };
}

function polls(quarter: number, change: Partial<MeterPolls> = {}): PollsRecord {
  const none = { timeouts: 0, exceptions: 0, garbled: 0, unreachable: 0, overruns: 0 };
  const meter = { device: "incomer", expected: 900, answered: 900, journaled: 900, ...none, ...change };
  return {
    kind: "polls",
    at_ms: at(quarter + 1),
    boot: 1,
    from_ms: at(quarter),
    to_ms: at(quarter + 1),
    meters: [meter],
  };
}

test("where everything is here there is no hole, and the counts are those of the gateway and of the store", () => {
  const lines = ledgerLines(facts({ polls: [0, 1, 2, 3].map((quarter) => polls(quarter)) }));
  expect(lines.map(({ from_ms, hole }) => [from_ms, hole])).toEqual([0, 1, 2, 3].map((quarter) => [at(quarter), null]));
  expect(lines[2]?.polls).toEqual({ expected: 900, read: 900, journaled: 900, received: 900, stored: 900, lost: 0 });
  expect(ledgerTotals(lines)).toMatchObject({ intervals: 4, held: 4, holes: [], polls: { stored: 3600 } });
});

describe("polls stored beyond those that were taken", () => {
  const surplus = (change: Partial<LedgerFacts>) => {
    const lines = ledgerLines(facts(change));
    expect(ledgerTotals(lines).surplus).toBe(lines.reduce((sum, line) => sum + line.surplus, 0));
    return lines.map((line) => line.surplus);
  };
  const batches = new Map([0, 1, 2, 3].map((quarter) => [at(quarter), { stored: 905, setAside: 0 }]));
  const counted = (change: Partial<Interval>) =>
    [0, 1, 2, 3].map((quarter) => held(quarter, { pollsExpected: 900, pollsAnswered: 900, ...change }));

  test("have a word of their own", () => {
    expect(surplus({})).toEqual([0, 0, 0, 0]);
    expect(surplus({ batches, intervals: counted({}) })).toEqual([5, 5, 5, 5]);
  });

  test("are none where the gateway journaled them: a poll answered with nonsense is stored, and not read", () => {
    const nonsense = { batches, intervals: counted({ pollsAnswered: 850, cause: "bad-values", flag: "M" }) };
    const told = [0, 1].map((quarter) => polls(quarter, { answered: 850, journaled: 905 }));
    expect(surplus({ ...nonsense, polls: told })).toEqual([0, 0, 5, 5]);
    const fewer = [0, 1].map((quarter) => polls(quarter, { answered: 850, journaled: 900 }));
    expect(surplus({ ...nonsense, polls: fewer })).toEqual([5, 5, 5, 5]);
  });

  test("are none of a clock that was set, nor of a gateway that lost its own copy, nor where nothing is known", () => {
    expect(surplus({ batches, intervals: counted({ cause: "clock" }) })).toEqual([0, 0, 0, 0]);
    const losses = [loss({ what: "history", why: "damaged", count: 72 })];
    expect(surplus({ batches, intervals: counted({}), losses })).toEqual([5, 0, 5, 5]);
    expect(surplus({ batches, intervals: [] })).toEqual([0, 0, 0, 0]);
  });
});

test("a line had no time for a counter only as far as its own polls are missing, however often the rest of the meter is read", () => {
  const intervals = [held(0, { flag: "S", pollsExpected: 90, pollsAnswered: 40 })];
  const cause = (change: Partial<MeterPolls>) =>
    ledgerLines(facts({ intervals, polls: [polls(0, { expected: 90, answered: 40, ...change })] }))[0]?.hole?.cause;
  expect(cause({ overruns: 500 })).toBe("bus-overload");
  expect(cause({ overruns: 500, timeouts: 10 })).toBe("bus-overload");
  expect(cause({ overruns: 500, timeouts: 30 })).toBe("meter-silent");
});

test("a gateway that lost its own copy of what was confirmed makes no hole and no loss here", () => {
  const losses = [loss({ what: "history", why: "damaged", count: 72 })];
  const lines = ledgerLines(facts({ losses, polls: [0, 1, 2, 3].map((quarter) => polls(quarter)) }));
  expect(lines.map(({ hole, polls: { lost } }) => [hole, lost])).toEqual(Array(4).fill([null, 0]));
  expect(ledgerLines(facts({ losses: [loss()] }))[1]?.polls.lost).toBe(900);
});

test("what is stored was journaled, also where a kill took the gateway's account of it along", () => {
  const journaled = (change: Partial<LedgerFacts>) => ledgerLines(facts(change)).map((line) => line.polls.journaled);
  const cutOff = polls(1, { expected: 36, answered: 36, journaled: 36 });
  expect(journaled({ polls: [polls(0), cutOff] })).toEqual([900, 900, 900, 900]);
  expect(ledgerTotals(ledgerLines(facts({ polls: [cutOff] }))).polls).toMatchObject({ journaled: 3600, stored: 3600 });
  expect(journaled({ polls: [polls(0, { journaled: 905 })], batches: new Map() })).toEqual([905, null, null, null]);
});

test("an interval that is not over yet has no line", () => {
  expect(ledgerLines(facts({ to_ms: at(4) - 1 }))).toHaveLength(3);
});

describe("an interval without a record", () => {
  test("is under way while the gateway is away or has more, and its energy is open", () => {
    expect(holes({ intervals: without(3), underWayFrom_ms: 0 })[3]).toEqual({
      cause: "uplink",
      detail: null,
      energy: "open",
    });
  });

  test("is not under way if it is over before anything that the gateway still has", () => {
    const causes = holes({ intervals: without(0, 1, 2, 3), underWayFrom_ms: at(2) }).map((hole) => hole?.cause);
    expect(causes).toEqual(["unknown", "unknown", "uplink", "uplink"]);
  });

  test("was shed where the gateway says so, whoever it was, and of no other meter", () => {
    const gone = loss({ what: "intervals" });
    expect(holes({ intervals: without(1), losses: [gone] })[1]).toMatchObject({ cause: "shed", detail: "size-bound" });
    expect(holes({ intervals: without(1), losses: [{ ...gone, device: null }] })[1]).toMatchObject({ cause: "shed" });
    expect(holes({ intervals: without(1), losses: [{ ...gone, device: "gas" }] })[1]).toMatchObject({
      cause: "unknown",
    });
    expect(holes({ intervals: without(2), losses: [gone] })[2]).toMatchObject({ cause: "unknown" });
  });

  test("fell into a time in which the gateway was down", () => {
    const presence = [
      { gateway: GATEWAY, at_ms: at(-10), state: "online" },
      { gateway: GATEWAY, at_ms: at(1) + 5, state: "offline" },
      { gateway: GATEWAY, at_ms: at(3) - 5, state: "online" },
    ] as const;
    expect(holes({ intervals: without(0, 1, 2, 3), presence }).map((hole) => hole?.cause)).toEqual([
      "unknown",
      "gateway-down",
      "gateway-down",
      "unknown",
    ]);
  });

  test("is not blamed on the gateway for a time in which we heard nobody", () => {
    const presence = [{ gateway: GATEWAY, at_ms: at(-1), state: "unknown" }] as const;
    expect(holes({ intervals: without(1), presence })[1]).toMatchObject({ cause: "unknown" });
  });

  test("has an energy that is known across the gap where the counts on both sides are", () => {
    expect(holes({ intervals: without(1, 2) }).map((hole) => hole?.energy)).toEqual([
      undefined,
      "across",
      "across",
      undefined,
    ]);
    const restarted = held(3, { opening: { count: 5n, words: null, across: null } });
    expect(holes({ intervals: [held(0), restarted] })[1]?.energy).toBe("unknown");
    expect(holes({ intervals: without(2, 3) })[2]?.energy, "nothing after it").toBe("unknown");
  });
});

describe("an interval that is not whole", () => {
  const silent = { flag: "S", coverage: 0.5, cause: "not-polled", pollsAnswered: 450 } as const;

  test.each([
    ["meter-silent", { cause: "meter-exception" }, [], "meter-silent", "meter-exception", "shared"],
    ["a clock", { cause: "clock" }, [], "clock", "clock", "shared"],
    ["another meter", { cause: "meter-replaced", flag: "X" }, [], "meter-changed", "meter-replaced", "lower-bound"],
    ["a clock that was set", { cause: "clock", flag: "X" }, [], "clock", "clock", "misplaced"],
    ["a full bus", {}, [polls(1, { answered: 450, overruns: 440, timeouts: 10 })], "bus-overload", null, "shared"],
    ["a meter by its polls", {}, [polls(1, { answered: 450, garbled: 450 })], "meter-silent", "garbled", "shared"],
    ["nothing known", { flag: "X", ticks: null, coverage: 0 }, [], "unknown", "not-polled", "unknown"],
  ] as const)("%s", (_name, change, accounts, cause, detail, energy) => {
    const intervals = [held(0), held(1, { ...silent, ...change })];
    expect(holes({ intervals, polls: [...accounts] })[1]).toEqual({ cause, detail, energy });
  });

  test("in which a meter was exchanged is not whole for that, whatever was noted of it", () => {
    const swap = {
      kind: "meter-swap",
      at_ms: at(1) + 5000,
      device: "incomer",
      serialBefore: "1",
      serialAfter: "2",
      counters: [],
    } as const;
    const intervals = [held(0, silent), held(1, { ...silent, cause: "counter-reset" })];
    const causes = (swaps: LedgerFacts["swaps"]) => holes({ intervals, swaps }).map((hole) => hole?.cause);
    expect(causes([swap])).toEqual(["unknown", "meter-changed", "unknown", "unknown"]);
    expect(holes({ intervals, swaps: [swap] })[1]).toMatchObject({ detail: "meter-replaced" });
    expect(holes({ intervals: [held(0)], swaps: [swap] })[1]).toMatchObject({ cause: "meter-changed" });
    expect(holes({ intervals, swaps: [{ ...swap, device: "gas" }] })[1]).toMatchObject({ detail: "counter-reset" });
  });

  test("of a time in which the gateway was away lost its polls to that", () => {
    const presence = [
      { gateway: GATEWAY, at_ms: at(1), state: "offline" },
      { gateway: GATEWAY, at_ms: at(1) + 400_000, state: "online" },
    ] as const;
    expect(holes({ intervals: [held(1, silent)], presence })[1]).toMatchObject({
      cause: "gateway-down",
      energy: "shared",
    });
  });

  test("though its energy is whole, says which polls were not answered", () => {
    const few = held(1, { pollsAnswered: 890, cause: "meter-silent" });
    expect(holes({ intervals: [held(0), few, held(2), held(3)] })[1]).toEqual({
      cause: "meter-silent",
      detail: "meter-silent",
      energy: "known",
    });
  });
});

describe("counts that do not meet", () => {
  const opening = (count: bigint) => ({ opening: { count, words: null, across: null } });
  const lines = (change: Partial<Interval>, before: Partial<Interval> = {}) =>
    ledgerLines(facts({ intervals: [held(0), held(1, before), held(2, change), held(3)] }));

  test("are told with the ticks that stand in no interval, or in two, and nothing is called exact there", () => {
    const beyond = lines({ ...opening(2019n), flag: "S", cause: "not-polled" });
    expect(beyond.map(({ apart_ticks }) => apart_ticks)).toEqual([0n, 0n, 19n, 0n]);
    expect(beyond.map(({ hole }) => hole?.energy)).toEqual([undefined, undefined, "apart", undefined]);
    expect(lines(opening(1993n))[2]).toMatchObject({
      apart_ticks: -7n,
      hole: { cause: "unknown", detail: "counts-apart", energy: "apart" },
    });
    expect(ledgerTotals(beyond).holes).toEqual([{ cause: "unknown", energy: "apart", intervals: 1 }]);
  });

  test("are none where the clock was set, where a count is not known, and where another tick is counted", () => {
    const apart = (change: Partial<Interval>, before: Partial<Interval> = {}) => lines(change, before)[2]?.apart_ticks;
    expect(apart({ ...opening(2019n), cause: "clock", flag: "X" })).toBe(0n);
    expect(apart(opening(2019n), { cause: "clock", flag: "X" })).toBe(0n);
    expect(apart({ opening: null })).toBe(0n);
    expect(apart(opening(2019n), { closing: null })).toBe(0n);
    expect(apart({ ...opening(2019n), tick: { amount: "10", unit: "Wh" } })).toBe(0n);
  });
});

test("a journal that was set aside, of which nobody knows that it lost anything, is the cause where there is no other", () => {
  const losses = [loss({ device: null, count: 0, what: "unknown", why: "set-aside" })];
  const shared = held(1, { flag: "S", coverage: 0.5, cause: "not-polled", pollsAnswered: 450 });
  const presence = [
    { gateway: GATEWAY, at_ms: at(1), state: "offline" },
    { gateway: GATEWAY, at_ms: at(1) + 400_000, state: "online" },
  ] as const;
  for (const intervals of [[held(0), shared], without(1)]) {
    expect(holes({ intervals, losses, presence })[1]).toMatchObject({ cause: "gateway-down" });
    expect(holes({ intervals, losses })[1]).toMatchObject({ cause: "shed", detail: "set-aside" });
    const known = { ...losses[0]!, count: 3 };
    expect(holes({ intervals, losses: [...losses, known], presence })[1]).toMatchObject({ cause: "shed" });
  }
});

describe("an interval in which the gateway was killed and started again", () => {
  /** Of the time since the restart alone: what was counted before it died with the process. */
  const since = { ...polls(1, { expected: 450, answered: 451, journaled: 451 }), boot: 2, from_ms: at(1) + 450_000 };
  const few = held(1, { pollsAnswered: 800 });
  const intervals = [held(0), few, held(2), held(3)];

  test("expects what the whole interval asks for, whatever the account of its rest says, and is not whole", () => {
    const line = ledgerLines(facts({ intervals, polls: [since] }))[1];
    expect(line?.polls).toMatchObject({ expected: 900, read: 800 });
    expect(line?.hole).toMatchObject({ cause: "unknown", energy: "known" });
  });

  test("lost its polls to that: by what we saw, or by another boot in the gateway's own accounts", () => {
    const down = { cause: "gateway-down", detail: null, energy: "known" };
    const presence = [
      { gateway: GATEWAY, at_ms: at(1) + 400_000, state: "offline" },
      { gateway: GATEWAY, at_ms: at(1) + 450_000, state: "online" },
    ] as const;
    expect(holes({ intervals, polls: [since], presence })[1]).toEqual(down);
    const deaf = [{ gateway: GATEWAY, at_ms: at(-1), state: "unknown" }] as const;
    expect(holes({ intervals, polls: [polls(0), since, polls(2)], presence: deaf })).toEqual([null, down, null, null]);
    const sameBoot = { ...since, boot: 1 };
    expect(holes({ intervals, polls: [polls(0), sameBoot], presence: deaf })[1]?.cause).toBe("unknown");
  });

  test("and has no record, expects what its accounts together ask for, at their pace", () => {
    const before = { ...polls(1, { expected: 400, answered: 400 }), to_ms: at(1) + 400_000 };
    const line = ledgerLines(facts({ intervals: without(1), polls: [polls(0), before, since] }))[1];
    expect(line?.polls).toMatchObject({ expected: 900, read: 851 });
    expect(line?.hole).toMatchObject({ cause: "gateway-down" });
  });

  test("is one of many if it was off for long", () => {
    const late = { ...polls(3), boot: 2 };
    expect(holes({ intervals: without(1, 2), polls: [polls(0), late] }).map((hole) => hole?.cause)).toEqual([
      undefined,
      "gateway-down",
      "gateway-down",
      undefined,
    ]);
  });

  test("is not put down to that where the gateway accounts for all of the time: it was cut off, and polled", () => {
    const presence = [{ gateway: GATEWAY, at_ms: at(-1), state: "offline" }] as const;
    const whole = polls(1, { answered: 900 });
    expect(holes({ intervals, polls: [whole], presence })[1]).toMatchObject({ cause: "unknown" });
    expect(holes({ intervals, polls: [], presence })[1]).toMatchObject({ cause: "gateway-down" });
  });
});

describe("readings that were journaled and are not stored", () => {
  const account = [polls(1)];
  const batches = new Map([[at(1), { stored: 890, setAside: 4 }]]);

  test("are under way, or were given up, or nobody knows; the energy is known in any case", () => {
    const hole = (change: Partial<LedgerFacts>) => holes({ polls: account, batches, ...change })[1];
    expect(hole({ underWayFrom_ms: 0 })).toEqual({ cause: "uplink", detail: null, energy: "known" });
    expect(hole({ losses: [loss({ count: 10, what: "thinned" })] })).toMatchObject({ cause: "shed", energy: "known" });
    expect(hole({})).toEqual({ cause: "unknown", detail: null, energy: "known" });
  });

  test("count as received when they arrived and could not be used", () => {
    const line = ledgerLines(facts({ polls: account, batches, losses: [loss({ count: 10 })] }))[1];
    expect(line?.polls).toMatchObject({ journaled: 900, received: 894, stored: 890, lost: 10 });
  });
});

test("a clock correction marks the intervals of the batches it names, of that epoch, and moves none", () => {
  const clock = {
    kind: "clock",
    at_ms: at(9),
    epoch: EPOCH,
    boot: 1,
    batches: [{ first: 2, last: 3 }],
    offset_ms: -7_200_000,
  } as const;
  const lines = ledgerLines(facts({ clocks: [clock] }));
  expect(lines.map(({ redated_ms }) => redated_ms)).toEqual([null, -7_200_000, -7_200_000, null]);
  expect(lines.map(({ from_ms }) => from_ms)).toEqual([0, 1, 2, 3].map(at));
  expect(ledgerTotals(lines).redated).toBe(2);
  const other = ledgerLines(facts({ clocks: [{ ...clock, epoch: "00000000000000bb" }] }));
  expect(ledgerTotals(other).redated).toBe(0);
  const right = { ...clock, batches: [{ first: 1, last: 1 }], offset_ms: 0 };
  const both = ledgerLines(facts({ clocks: [right, clock] }));
  expect(both.map(({ redated_ms }) => redated_ms)).toEqual([null, -7_200_000, -7_200_000, null]);
});

test("law: every interval has one line, every hole one of the causes, and the totals are the sums of the lines", () => {
  const one = fc.record({
    isHeld: fc.boolean(),
    flag: fc.constantFrom("M" as const, "S" as const, "X" as const),
    cause: fc.option(fc.constantFrom(...INTERVAL_CAUSES)),
    answered: fc.integer({ min: 0, max: 900 }),
    stored: fc.integer({ min: 0, max: 900 }),
  });
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      fc.boolean(),
      (given, isUnderWay, isShed) => {
        const lines = ledgerLines(
          facts({
            to_ms: at(given.length),
            intervals: given.flatMap(({ isHeld, flag, cause, answered }, quarter) =>
              isHeld ? [held(quarter, { flag, cause, pollsAnswered: answered, coverage: flag === "M" ? 1 : 0.5 })] : [],
            ),
            batches: new Map(given.map(({ stored }, quarter) => [at(quarter), { stored, setAside: 0 }])),
            losses: isShed ? [loss()] : [],
            underWayFrom_ms: isUnderWay ? 0 : Number.POSITIVE_INFINITY,
          }),
        );
        expect(lines.map(({ from_ms }) => from_ms)).toEqual(given.map((_, quarter) => at(quarter)));
        const totals = ledgerTotals(lines);
        for (const { hole, figure } of lines) {
          if (hole !== null) expect(HOLE_CAUSES).toContain(hole.cause);
          if (figure === null) expect(hole).not.toBeNull();
        }
        expect(totals.holes.reduce((sum, { intervals }) => sum + intervals, 0)).toBe(
          lines.filter(({ hole }) => hole !== null).length,
        );
        expect(totals.polls.stored).toBe(lines.reduce((sum, line) => sum + line.polls.stored, 0));
      },
    ),
  );
});
