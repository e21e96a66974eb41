import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Delivery, type Pick, WINDOW_MAX_BYTES, WINDOW_START_BYTES } from "../../../agent/uplink/delivery.ts";

const KiB = 1024;

/** A delivery with the set of confirmed numbers beside it, as the journal would hold it. */
function delivery(end = 1, unit = 0.5) {
  const confirmed = new Set<number>();
  const of = new Delivery(end, (number) => confirmed.has(number), { unit: () => unit, hex: () => "" });
  return {
    of,
    confirmed,
    append: (first: number, last: number, isLive = true) =>
      of.appended(
        Array.from({ length: last - first + 1 }, (_, i) => first + i),
        isLive,
      ),
    /** Sends what may go, at most `max`. */
    pump(now_ms: number, bytes: number, max = Number.POSITIVE_INFINITY): Pick[] {
      const picks: Pick[] = [];
      for (let pick = of.next(); pick !== null && picks.length < max; pick = picks.length < max ? of.next() : null) {
        of.sent(pick, bytes, now_ms);
        picks.push(pick);
      }
      return picks;
    },
    ack(first: number, last: number, now_ms: number) {
      for (let n = first; n <= last; n++) confirmed.add(n);
      of.confirmed([{ first, last }], now_ms);
    },
    inFlight: () => of.olderThan(Number.NEGATIVE_INFINITY, 0).map(({ first }) => first),
  };
}

const numbers = (picks: readonly Pick[]) => picks.map(({ number }) => number);

describe("what goes next", () => {
  test("is nothing when there is nothing", () => {
    expect(delivery().of.next()).toBeNull();
  });

  test("is live before backlog, each in order, and a batch once", () => {
    const d = delivery(4);
    d.append(4, 5);
    expect(d.pump(0, 10)).toEqual([
      { number: 4, isLive: true },
      { number: 5, isLive: true },
      { number: 1, isLive: false },
      { number: 2, isLive: false },
      { number: 3, isLive: false },
    ]);
    expect(d.of.next()).toBeNull();
  });

  test("is never what was confirmed meanwhile", () => {
    const d = delivery(4);
    d.append(4, 6);
    d.ack(2, 2, 0);
    d.ack(4, 5, 0);
    expect(numbers(d.pump(0, 10))).toEqual([6, 1, 3]);
  });

  test("is history as backlog, though it was appended just now", () => {
    const d = delivery();
    d.append(1, 2, false);
    expect(d.pump(0, 10)).toEqual([
      { number: 1, isLive: false },
      { number: 2, isLive: false },
    ]);
  });

  test("is a batch that timed out before the rest of the backlog", () => {
    const d = delivery(10);
    d.pump(0, 10, 2);
    d.of.expire(10_000);
    expect(d.pump(10_000, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => ({ number, isLive: false })));
  });

  test("is the next that timed out, when the first of them was confirmed late", () => {
    const d = delivery(6);
    d.pump(0, 10, 3);
    d.of.expire(10_000);
    d.ack(1, 1, 10_500);
    expect(numbers(d.pump(11_000, 10, 2))).toEqual([2, 3]);
  });

  test("after a session ended is all that is not confirmed, none of it live", () => {
    const d = delivery(3);
    d.append(3, 5);
    d.pump(0, 10, 4);
    d.ack(3, 3, 50);
    d.of.sessionEnded();
    expect(d.of.inFlight_bytes).toBe(0);
    expect(d.pump(100, 10)).toEqual([1, 2, 4, 5].map((number) => ({ number, isLive: false })));
  });

  test("asks again later for what cannot be read back, before the backlog and not before its time, unless it is confirmed by then", () => {
    const d = delivery(6);
    const read: number[] = [];
    const pump = (now_ms: number, isThere: (number: number) => boolean) => {
      d.of.resume(now_ms);
      for (let pick = d.of.next(); pick !== null; pick = d.of.next()) {
        read.push(pick.number);
        if (isThere(pick.number)) d.of.sent(pick, 10, now_ms);
        else d.of.postpone(pick, now_ms);
      }
      return read.splice(0);
    };
    expect(pump(0, (number) => number > 3)).toEqual([1, 2, 3, 4, 5]);
    expect(pump(59_999, () => true)).toEqual([]);
    d.append(6, 6, false);
    d.ack(2, 2, 0);
    expect(pump(60_000, (number) => number > 1)).toEqual([1, 3, 6]);
    expect(pump(120_000, () => true)).toEqual([1]);
    expect(d.inFlight().sort()).toEqual([1, 3, 4, 5, 6]);
    d.of.sessionEnded();
    expect(pump(121_000, () => true)).toEqual([1, 3, 4, 5, 6]);
  });

  test("skips what can never be sent without stopping at it", () => {
    const d = delivery(3);
    d.append(3, 3);
    const sent: number[] = [];
    for (let pick = d.of.next(), i = 0; pick !== null && i < 20; pick = d.of.next(), i++) {
      if (pick.number >= 2) d.of.skip(pick);
      else {
        d.of.sent(pick, 10, 0);
        sent.push(pick.number);
      }
    }
    expect(sent).toEqual([1]);
    expect(d.of.next()).toBeNull();
  });

  test("goes on behind years of confirmed batches, in calls that each take a while and no longer", () => {
    const d = delivery(1_000_001);
    for (let n = 1; n < 1_000_000; n++) d.confirmed.add(n);
    let calls = 1;
    while (d.of.next() === null && calls < 10) calls++;
    expect(d.of.next()?.number).toBe(1_000_000);
    expect(calls).toBe(5);
    d.of.sessionEnded();
    expect(d.of.next()?.number, "a new session does not begin at 1 again").toBe(1_000_000);
  });

  test("in a new session does not begin with what the old one got confirmed", () => {
    let asked = 0;
    const confirmed = new Set<number>();
    const isConfirmed = (number: number) => {
      asked += 1;
      return confirmed.has(number);
    };
    const of = new Delivery(1001, isConfirmed, { unit: () => 0.5, hex: () => "" });
    for (let pick = of.next(); pick !== null; pick = of.next()) of.sent(pick, 1, 0);
    for (let n = 1; n <= 990; n++) {
      confirmed.add(n);
      of.confirmed([{ first: n, last: n }], 100);
    }
    of.sessionEnded();
    asked = 0;
    expect(of.next()?.number).toBe(991);
    expect(asked).toBeLessThan(5);
  });

  test("forgets no live batch when more wait than the queue holds", () => {
    const d = delivery();
    d.append(1, 10_500);
    const order = numbers(d.pump(0, 1));
    expect(order.slice(0, 2)).toEqual([501, 502]);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 10_500 }, (_, i) => i + 1));
  });

  test("forgets no batch when more timed out than are remembered one by one", () => {
    const d = delivery(12_001);
    expect(d.pump(0, 1)).toHaveLength(12_000);
    d.of.expire(20_000);
    expect(d.of.retrying).toBe(10_000);
    expect(numbers(d.pump(20_000, 1))).toEqual(Array.from({ length: 12_000 }, (_, i) => i + 1));
  });
});

describe("the window", () => {
  test("starts at 256 KiB, of which the backlog may fill three quarters", () => {
    const d = delivery(1000);
    expect(d.of.window_bytes).toBe(WINDOW_START_BYTES);
    expect(d.pump(0, 32 * KiB)).toHaveLength(6);
    d.append(1000, 1009);
    expect(d.pump(0, 32 * KiB)).toEqual([
      { number: 1000, isLive: true },
      { number: 1001, isLive: true },
    ]);
    expect(d.of.inFlight_bytes).toBe(WINDOW_START_BYTES);
  });

  test("lets one batch pass that is larger than itself", () => {
    const d = delivery(3);
    expect(d.pump(0, 10 * WINDOW_MAX_BYTES)).toHaveLength(1);
  });

  test("grows by what is confirmed while the confirmations stay quick, to 4 MiB", () => {
    const d = delivery(10_000);
    let at_ms = 0;
    for (let first = 1; first < 4000; ) {
      const last = numbers(d.pump(at_ms, 16 * KiB)).at(-1)!;
      at_ms += 100;
      d.ack(first, last, at_ms);
      first = last + 1;
    }
    expect(d.of.window_bytes).toBe(WINDOW_MAX_BYTES);
  });

  test("stays while the confirmations take twice as long as they could", () => {
    const d = delivery(100);
    d.pump(0, 10, 1);
    d.ack(1, 1, 100);
    const grown = d.of.window_bytes;
    for (let n = 2; n < 20; n++) {
      d.pump(n * 10_000, 10, 1);
      d.ack(n, n, n * 10_000 + 1000);
    }
    expect(d.of.window_bytes).toBeLessThan(grown + 10 * 10);
  });

  test("halves once for all that time out together, and not below 16 KiB", () => {
    const d = delivery(100);
    d.pump(0, KiB, 10);
    d.of.expire(20_000);
    expect(d.of.window_bytes).toBe(WINDOW_START_BYTES / 2);
    d.of.expire(21_000);
    expect(d.of.window_bytes).toBe(WINDOW_START_BYTES / 2);
    for (let i = 1; i < 12; i++) {
      d.pump(i * 1e6, KiB, 1);
      d.of.expire(i * 1e6 + 400_000);
    }
    expect(d.of.window_bytes).toBe(16 * KiB);
  });
});

describe("the wait for a confirmation", () => {
  test("is 10 s at first and doubles with every attempt to 5 minutes", () => {
    const d = delivery(2);
    let at_ms = 0;
    const waits = [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000];
    for (const wait_ms of waits) {
      expect(numbers(d.pump(at_ms, 10))).toEqual([1]);
      d.of.expire(at_ms + wait_ms - 1);
      expect(d.inFlight()).toEqual([1]);
      at_ms += wait_ms;
      d.of.expire(at_ms);
      expect(d.inFlight()).toEqual([]);
    }
    expect(d.of.counts).toEqual({ sent: 1, resent: waits.length - 1, timedOut: waits.length });
  });

  test.each([
    [0, 8000],
    [1, 12_000],
  ])("is spread by a fifth: %d gives %d ms", (unit, wait_ms) => {
    const d = delivery(2, unit);
    d.pump(0, 10);
    d.of.expire(wait_ms - 1);
    expect(d.inFlight()).toEqual([1]);
    d.of.expire(wait_ms);
    expect(d.inFlight()).toEqual([]);
  });

  test.each([
    [100, 5000],
    [4000, 16_000],
  ])("after confirmations in %d ms is %d ms", (delay_ms, wait_ms) => {
    const d = delivery(3);
    d.pump(0, 10, 1);
    d.ack(1, 1, delay_ms);
    d.pump(10_000, 10, 1);
    d.of.expire(10_000 + wait_ms - 1);
    expect(d.inFlight()).toEqual([2]);
    d.of.expire(10_000 + wait_ms);
    expect(d.inFlight()).toEqual([]);
  });

  test("learns nothing from a batch that was sent twice: which sending was confirmed is not known", () => {
    const d = delivery(3);
    d.pump(0, 10, 1);
    d.of.expire(10_000);
    d.pump(10_000, 10, 1);
    d.ack(1, 1, 10_001);
    d.pump(20_000, 10, 1);
    d.of.expire(29_999);
    expect(d.inFlight()).toEqual([2]);
  });

  test("starts again after a rebirth, as long as the batch's attempts made it", () => {
    const d = delivery(2);
    d.pump(0, 10);
    d.of.expire(10_000);
    d.pump(10_000, 10);
    d.of.restartTimers(25_000);
    d.of.expire(44_999);
    expect(d.inFlight()).toEqual([1]);
    d.of.expire(45_000);
    expect(d.inFlight()).toEqual([]);
  });
});

test("a confirmation that comes after the time-out ends the matter", () => {
  const d = delivery(3);
  d.pump(0, 10);
  d.of.expire(10_000);
  expect(d.of.retrying).toBe(2);
  d.ack(1, 1, 11_000);
  expect(d.of.retrying).toBe(1);
  d.of.sessionEnded();
  expect(numbers(d.pump(12_000, 10))).toEqual([2]);
  d.ack(2, 2, 13_000);
  expect(d.of.retrying).toBe(0);
});

test("without confirmations a batch counts as done by how long it has been under way", () => {
  const d = delivery(3);
  d.pump(0, 10, 1);
  d.pump(500, 10, 1);
  expect(d.of.olderThan(60_000, 59_999)).toEqual([]);
  expect(d.of.olderThan(60_000, 60_000)).toEqual([{ first: 1, last: 1 }]);
});

type Step =
  | { readonly kind: "append"; readonly count: number; readonly isLive: boolean }
  | { readonly kind: "pump"; readonly count: number; readonly bytes: number }
  | { readonly kind: "ack"; readonly at: number; readonly count: number }
  | { readonly kind: "wait"; readonly by_ms: number }
  | { readonly kind: "session-ends" }
  | { readonly kind: "rebirth" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        count: fc.integer({ min: 1, max: 20 }),
        isLive: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("pump" as const),
        count: fc.integer({ min: 1, max: 30 }),
        bytes: fc.integer({ min: 1, max: 60 * KiB }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("ack" as const), at: fc.nat(), count: fc.integer({ min: 1, max: 10 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), by_ms: fc.integer({ min: 1, max: 60_000 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "session-ends" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "rebirth" as const }) },
  ),
  { maxLength: 60 },
);

test("law: whatever happens on the link, nothing is forgotten, nothing confirmed is sent again, and the window holds", () => {
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 30 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (script, end, unit) => {
        const d = delivery(end, unit);
        let next = end;
        let now_ms = 0;
        const bytesOf = new Map<number, number>();
        let sentBefore = new Set<number>();
        let liveWaiting: number[] = [];
        const everSent = new Set<number>();

        const send = (bytes: number): boolean => {
          const before_bytes = d.of.inFlight_bytes;
          const window_bytes = d.of.window_bytes;
          const pick = d.of.next();
          liveWaiting = liveWaiting.filter((n) => !d.confirmed.has(n));
          if (pick === null) {
            if (before_bytes < window_bytes) expect(liveWaiting).toEqual([]);
            return false;
          }
          expect(before_bytes).toBeLessThan(window_bytes);
          expect(d.confirmed.has(pick.number)).toBe(false);
          expect(d.inFlight()).not.toContain(pick.number);
          expect(pick.number >= 1 && pick.number < next).toBe(true);
          if (pick.isLive) {
            expect(pick.number).toBe(liveWaiting.shift());
            expect(sentBefore.has(pick.number)).toBe(false);
          } else {
            expect(liveWaiting).toEqual([]);
            expect(before_bytes).toBeLessThan(window_bytes * 0.75);
          }
          d.of.sent(pick, bytes, now_ms);
          sentBefore.add(pick.number);
          everSent.add(pick.number);
          bytesOf.set(pick.number, bytes);
          return true;
        };

        for (const step of script) {
          if (step.kind === "append") {
            d.append(next, next + step.count - 1, step.isLive);
            if (step.isLive) liveWaiting.push(...Array.from({ length: step.count }, (_, i) => next + i));
            next += step.count;
          } else if (step.kind === "pump") {
            for (let i = 0; i < step.count && send(step.bytes); i++);
          } else if (step.kind === "ack" && everSent.size > 0) {
            const first = [...everSent][step.at % everSent.size]!;
            d.ack(first, Math.min(first + step.count, next) - 1, now_ms);
          } else if (step.kind === "wait") {
            now_ms += step.by_ms;
            d.of.expire(now_ms);
          } else if (step.kind === "session-ends") {
            d.of.sessionEnded();
            liveWaiting = [];
            sentBefore = new Set();
          } else if (step.kind === "rebirth") d.of.restartTimers(now_ms);
          const under = d.inFlight();
          expect(d.of.inFlight_bytes).toBe(under.reduce((sum, n) => sum + (bytesOf.get(n) ?? Number.NaN), 0));
          expect(d.of.retrying).toBeLessThanOrEqual(next - 1 - d.confirmed.size);
        }

        // The link is quiet from here on: all that goes is confirmed. Everything must get through.
        for (let round = 0; d.confirmed.size < next - 1 && round < 10_000; round++) {
          while (send(KiB));
          now_ms += 1000;
          for (const n of d.inFlight()) d.ack(n, n, now_ms);
          d.of.expire(now_ms);
        }
        expect(d.confirmed.size).toBe(next - 1);
        expect([d.of.next(), d.of.inFlight_bytes, d.of.retrying]).toEqual([null, 0, 0]);
      },
    ),
    { numRuns: 300 },
  );
});
