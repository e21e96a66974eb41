import fc from "fast-check";
import { expect, test } from "vitest";
import { faultBook } from "../../../hw-sim/faults/faultBook.ts";
import { changesBetween, episodeAt, type Fault, nextChange } from "../../../hw-sim/faults/schedule.ts";
import { faultOf } from "../../contract/bus.ts";

const fault = (more: Partial<Fault> = {}): Fault => ({
  id: "f",
  on: { line: 0, unit: 1, connection: null },
  what: { kind: "silent" },
  given_ms: -Infinity,
  from_ms: 1000,
  for_ms: Infinity,
  every_ms: null,
  probability: 1,
  removed_ms: Infinity,
  ...more,
});

const anyFault = fc
  .record({
    from_ms: fc.integer({ min: 0, max: 5000 }),
    every_ms: fc.option(fc.integer({ min: 2, max: 1000 })),
    share: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    removed_ms: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 9000 })),
  })
  .map(({ from_ms, every_ms, share, removed_ms }) =>
    fault({ from_ms, every_ms, for_ms: Math.max(1, Math.floor((every_ms ?? 1000) * share)), removed_ms }),
  );

test("what is told of beginnings and ends is what is active, at every instant", () => {
  fc.assert(
    fc.property(anyFault, fc.integer({ min: 0, max: 10_000 }), (one, at_ms) => {
      const told = changesBetween([one], -1, at_ms);
      expect(told.at(-1)?.state === "begin").toBe(episodeAt(one, at_ms) !== null);
      told.forEach(({ state }, i) => {
        expect(state).toBe(i % 2 === 0 ? "begin" : "end");
      });
    }),
  );
});

test("told in two parts it is the same as at once", () => {
  const times = fc.tuple(fc.nat(10_000), fc.nat(10_000)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
  fc.assert(
    fc.property(fc.array(anyFault, { maxLength: 4 }), times, (some, [middle, end]) => {
      const parts = [...changesBetween(some, -1, middle), ...changesBetween(some, middle, end)];
      expect(parts).toEqual(changesBetween(some, -1, end));
    }),
  );
});

test("the next change is the first one told", () => {
  fc.assert(
    fc.property(anyFault, fc.integer({ min: -1, max: 8000 }), (one, after_ms) => {
      const next_ms = nextChange([one], after_ms);
      expect(next_ms).toBe(changesBetween([one], after_ms, 20_000)[0]?.at_ms ?? Infinity);
    }),
  );
});

test("one that has always been is active at any time and has no beginning", () => {
  const always = fault({ from_ms: -Infinity });
  expect(episodeAt(always, 0)).toMatchObject({ from_ms: -Infinity, to_ms: Infinity });
  expect(changesBetween([always], -1, 1e15)).toEqual([]);
});

test("a reset has a beginning and no end", () => {
  const reset = fault({ what: { kind: "register-reset" } });
  expect(changesBetween([reset], 0, 1e15).map(({ state }) => state)).toEqual(["begin"]);
});

const LINES = [
  { units: new Set([1, 2]), hasConnections: true },
  { units: new Set([1]), hasConnections: false },
];
const asked = (at_ms: number) => ({ line: 0, unit: 1, connection: 1, at_ms });

test("in a file, a fault without a beginning has always been unless it has a length; commanded, it begins then", () => {
  const book = faultBook(
    { seed: 1, lines: LINES },
    [faultOf({ kind: "silent" }), faultOf({ kind: "silent" }, null, { for_ms: 10 })],
    1000,
  );
  book.add(faultOf({ kind: "silent" }), 5000);
  book.add(faultOf({ kind: "silent" }, null, { from: { kind: "after", after_ms: 7 } }), 5000);
  expect(book.all().map(({ from_ms }) => from_ms)).toEqual([-Infinity, 1000, 5000, 5007]);
  expect(book.all().map(({ id }) => id)).toEqual(["f1", "f2", "f3", "f4"]);
});

test("busy refuses as many requests as it says in every span, then lets them pass", () => {
  const when = { from: { kind: "at", at_ms: 0 }, every_ms: 100, for_ms: 50 } as const;
  const book = faultBook({ seed: 1, lines: LINES }, [faultOf({ kind: "busy", requests: 2 }, 1, when)]);
  const hits = (times: readonly number[]) => times.map((at_ms) => book.hitting(asked(at_ms)).length);
  expect(hits([0, 1, 2, 3, 60, 100, 101, 102])).toEqual([1, 1, 0, 0, 0, 1, 1, 0]);
});

test("a probability hits its share of requests, the same ones for the same seed", () => {
  const run = (seed: number) => {
    const book = faultBook({ seed, lines: LINES }, [faultOf({ kind: "silent" }, null, { probability: 0.25 })]);
    return Array.from({ length: 2000 }, (_, i) => book.hitting(asked(i)).length);
  };
  const hits = run(7);
  expect(hits).toEqual(run(7));
  expect(hits).not.toEqual(run(8));
  const share = hits.reduce((a, b) => a + b, 0) / hits.length;
  expect(share).toBeGreaterThan(0.2);
  expect(share).toBeLessThan(0.3);
});

test("only the unit, line and connection named are hit", () => {
  const on = { line: 0, unit: 2, connection: 3 };
  const book = faultBook({ seed: 1, lines: LINES }, [{ ...faultOf({ kind: "silent" }), on }]);
  const hit = (line: number, unit: number, connection: number) =>
    book.hitting({ line, unit, connection, at_ms: 0 }).length === 1;
  expect(hit(0, 2, 3)).toBe(true);
  expect([hit(1, 2, 3), hit(0, 1, 3), hit(0, 2, 1)]).toEqual([false, false, false]);
});

test("a reboot is silent first", () => {
  const when = { from: { kind: "at", at_ms: 0 }, for_ms: 100 } as const;
  const book = faultBook({ seed: 1, lines: LINES }, [faultOf({ kind: "reboot", silent_ms: 30 }, 1, when)]);
  expect([0, 29, 30, 99].map((at_ms) => book.hitting(asked(at_ms)))).toEqual([
    [{ kind: "silent" }],
    [{ kind: "silent" }],
    [],
    [],
  ]);
});

test("what cannot be is refused with what to do", () => {
  const book = faultBook({ seed: 1, lines: LINES }, [{ ...faultOf({ kind: "silent" }), id: "mine" }]);
  const add = (spec: Parameters<typeof book.add>[0]) => () => book.add(spec, 0);
  const on = (line: number, unit: number | null) => ({ line, unit, connection: null });
  expect(add({ ...faultOf({ kind: "silent" }), on: on(2, null) })).toThrow(
    /no line 2 \(allowed: 0 to 1\).*CONFIG_INVALID/,
  );
  expect(add({ ...faultOf({ kind: "silent" }), on: on(0, 9) })).toThrow(/line 0 has no unit 9 \(allowed: 1, 2\)/);
  expect(add({ ...faultOf({ kind: "refused" }), on: on(1, null) })).toThrow(/serial line, which has no connections/);
  expect(add({ ...faultOf({ kind: "silent" }), id: "mine" })).toThrow(/"mine" already/);
  expect(add(faultOf({ kind: "clock-jump", by_ms: 1 }))).toThrow(/beyond a simulator of meters/);
});

test("the thousand-and-first fault is refused; those that have ended make room", () => {
  const ended = faultOf({ kind: "silent" }, 1, { from: { kind: "at", at_ms: 0 }, for_ms: 10 });
  const book = faultBook(
    { seed: 1, lines: LINES },
    Array.from({ length: 1000 }, () => ended),
  );
  expect(() => book.add(ended, 5)).toThrow(/1000 faults already/);
  expect(book.add(faultOf({ kind: "silent" }), 20).id).toBe("f1001");
});

test("what was over before it was commanded is refused, and so is a mark on what has been read; in a file both are history", () => {
  const past = { from: { kind: "at", at_ms: 0 }, for_ms: 10 } as const;
  const book = faultBook({ seed: 1, lines: LINES }, [faultOf({ kind: "silent" }, 1, past)], 1000);
  expect(() => book.add(faultOf({ kind: "silent" }, 1, past), 1000)).toThrow(/would do nothing: it ended at 1970/);
  book.add(faultOf({ kind: "silent" }, 1, { ...past, every_ms: 600 }), 1000);
  book.add(faultOf({ kind: "silent" }, 1, { ...past, for_ms: 1001 }), 1000);
  expect(book.all()).toHaveLength(3);
  for (const kind of ["ct-reversed", "register-reset"] as const) {
    expect(() => book.add(faultOf({ kind }, 1, past), 1000)).toThrow(/is over, and what the meter counted since/);
    expect(() => faultBook({ seed: 1, lines: LINES }, [faultOf({ kind }, 1, past)], 1000)).not.toThrow();
  }
});

test("a counter is not brought to its end where it begins anew on the way, or comes to another end first", () => {
  const rollover = { kind: "rollover", quantity: null } as const;
  const at = (at_ms: number) => ({ from: { kind: "at", at_ms } }) as const;
  const inTheWay = /is in the way of rollover/;
  const book = faultBook({ seed: 1, lines: LINES }, [faultOf({ kind: "register-reset" }, 1, at(500))], 1000);
  expect(() => book.add(faultOf(rollover, 1, at(1000)), 1000)).toThrow(/only where it was seen below it before/);
  const pending = book.add(faultOf(rollover, 1, at(2000)), 1000);
  expect(() => book.add(faultOf(rollover, null, at(3000)), 1000)).toThrow(inTheWay);
  expect(() => book.add(faultOf({ kind: "register-reset" }, null, at(1500)), 1000)).toThrow(inTheWay);
  expect(() => book.remove(pending.id, 1000)).toThrow(/cannot be undone/);
  book.add(faultOf({ kind: "register-reset" }, 1, at(2500)), 1000);
  book.add(faultOf(rollover, 2, at(2000)), 1000);
  expect(() => book.add(faultOf(rollover, 1, at(3000)), 2100)).toThrow(inTheWay);
  book.add(faultOf(rollover, 1, at(2400)), 2100);
  const file = [faultOf({ kind: "register-reset" }, 1, at(500)), faultOf(rollover, 1, at(700))];
  expect(() => faultBook({ seed: 1, lines: LINES }, file)).toThrow(inTheWay);
});

test("a fault that was removed is over; a reset that has happened cannot be removed, one to come can", () => {
  const book = faultBook({ seed: 1, lines: LINES }, [], 0);
  const silent = book.add(faultOf({ kind: "silent" }), 0);
  book.remove(silent.id, 50);
  expect(book.hitting(asked(50))).toEqual([]);
  expect(() => book.remove(silent.id, 60)).toThrow(/NOT_FOUND/);
  const reset = book.add(faultOf({ kind: "register-reset" }), 100);
  expect(() => book.remove(reset.id, 100)).toThrow(/cannot be undone/);
  const later = book.add(faultOf({ kind: "register-reset" }, 1, { from: { kind: "at", at_ms: 900 } }), 100);
  book.remove(later.id, 200);
  expect(book.all().map(({ id }) => id)).toEqual([reset.id]);
});
