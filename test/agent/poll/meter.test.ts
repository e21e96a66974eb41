import { describe, expect, test } from "vitest";
import {
  BACKOFF_MAX_MS,
  nextDue_ms,
  type PolledMeter,
  polledMeter,
  pollMeter,
  takeDue,
} from "../../../agent/poll/meter.ts";
import type { Bus, BusRead, BusReply } from "../../../core/ports.ts";
import type { BlockRead } from "../../../drivers/modbus/planner.ts";
import { define } from "../../drivers/devices.ts";

const T = 1_760_000_000_000;
const DEFINITION = define([]);
const POWER: BlockRead = { fc: 4, address: 0, count: 2, registers: [] };
const ENERGY: BlockRead = { fc: 3, address: 100, count: 4, registers: [] };
const MORE: BlockRead = { fc: 3, address: 500, count: 1, registers: [] };

function meter(): PolledMeter {
  const groups = [
    { every_ms: 1000, blocks: [POWER] },
    { every_ms: 10_000, blocks: [ENERGY, MORE] },
  ];
  return polledMeter(DEFINITION, 7, groups, 250);
}

/** A bus that answers as told; each exchange takes 30 ms, or the timeout. */
function busOf(reply: (request: BusRead) => BusReply) {
  const asked: BusRead[] = [];
  const clock = { at: T };
  const bus: Bus = {
    async read(request) {
      asked.push(request);
      const answer = reply(request);
      clock.at += answer.kind === "timeout" ? request.timeout_ms : 30;
      return answer;
    },
    async close() {},
  };
  return { bus, asked, now: { now_ms: () => clock.at, mono_ms: () => clock.at - T }, clock };
}

const words = ({ count, address }: BusRead): BusReply => ({
  kind: "words",
  words: new Uint16Array(count).fill(address),
});
const ALL = [POWER, ENERGY, MORE];

describe("what is due", () => {
  test("at the start is everything, and then each group by its own period, aligned to the wall clock", () => {
    const of = meter();
    expect(takeDue(of, T + 3456)).toEqual(ALL);
    expect(of.due_ms).toEqual([T + 4000, T + 10_000]);
    expect(nextDue_ms(of)).toBe(T + 4000);
    expect(takeDue(of, T + 3999)).toEqual([]);
    expect(takeDue(of, T + 4000)).toEqual([POWER]);
    expect(takeDue(of, T + 10_000)).toEqual(ALL);
  });

  test("is not made up for when polls were missed", () => {
    const of = meter();
    takeDue(of, T);
    expect(takeDue(of, T + 35_500)).toEqual(ALL);
    expect(of.due_ms).toEqual([T + 36_000, T + 40_000]);
  });

  test("is everything again when the clock went back further than any wait", () => {
    const of = meter();
    takeDue(of, T);
    const earlier = T - 3_600_000;
    expect(takeDue(of, earlier)).toEqual(ALL);
    expect(of.due_ms).toEqual([earlier + 1000, earlier + 10_000]);
    expect(takeDue(of, earlier + 500)).toEqual([]);
  });

  test("is still what it was when the clock went back a little", () => {
    const of = meter();
    takeDue(of, T);
    expect(takeDue(of, T - 2000)).toEqual([]);
  });
});

describe("a poll", () => {
  test("reads its blocks one after another and is dated by its first answer", async () => {
    const { bus, asked, now } = busOf(words);
    const sample = await pollMeter(bus, meter(), ALL, now);
    expect(asked).toEqual(ALL.map(({ fc, address, count }) => ({ unit: 7, fc, address, count, timeout_ms: 250 })));
    expect(sample).toEqual({
      device: "meter",
      at_ms: T + 30,
      mono_ms: 0,
      blocks: [
        { fc: 4, address: 0, words: Uint16Array.of(0, 0) },
        { fc: 3, address: 100, words: Uint16Array.of(100, 100, 100, 100) },
        { fc: 3, address: 500, words: Uint16Array.of(500) },
      ],
      failures: [],
    });
  });

  test.each([
    [{ kind: "timeout" }, 250],
    [{ kind: "unreachable", detail: "refused" }, 30],
  ] as const)(
    "of a meter that gives %o costs one exchange, and all its blocks failed by it",
    async (reply, cost_ms) => {
      const { bus, asked, now, clock } = busOf(() => reply);
      const of = meter();
      const sample = await pollMeter(bus, of, ALL, now);
      expect(asked).toHaveLength(1);
      expect(clock.at - T).toBe(cost_ms);
      expect(sample.blocks).toEqual([]);
      expect(sample.failures).toEqual(ALL.map(({ fc, address, count }) => ({ fc, address, count, why: reply.kind })));
      expect(of.silentPolls).toBe(1);
    },
  );

  test.each([
    [
      { kind: "exception", code: 2 },
      { why: "exception", detail: 2 },
    ],
    [{ kind: "garbled", detail: "short" }, { why: "garbled" }],
  ] as const)("with %o at one block keeps the others", async (reply, failure) => {
    const { bus, now } = busOf((request) => (request.address === ENERGY.address ? reply : words(request)));
    const of = meter();
    const sample = await pollMeter(bus, of, ALL, now);
    expect(sample.blocks.map(({ address }) => address)).toEqual([0, 500]);
    expect(sample.failures).toEqual([{ fc: 3, address: 100, count: 4, ...failure }]);
    expect(of.silentPolls).toBe(0);
  });

  test("that falls silent half way keeps what it has and is no silent poll", async () => {
    const { bus, asked, now } = busOf((request) => (request.address === 0 ? words(request) : { kind: "timeout" }));
    const of = meter();
    const sample = await pollMeter(bus, of, ALL, now);
    expect(asked).toHaveLength(2);
    expect(sample.at_ms).toBe(T + 30);
    expect(sample.failures.map(({ address, why }) => [address, why])).toEqual([
      [100, "timeout"],
      [500, "timeout"],
    ]);
    expect(of.silentPolls).toBe(0);
  });

  test("answered by exceptions alone is answered", async () => {
    const { bus, now } = busOf(() => ({ kind: "exception", code: 4 }));
    const of = meter();
    await pollMeter(bus, of, ALL, now);
    expect(of.silentPolls).toBe(0);
  });
});

describe("a meter that stays silent", () => {
  test("is asked after 2, 4, 8 … of its periods, a minute at most", async () => {
    const { bus, now, clock } = busOf(() => ({ kind: "timeout" }));
    const of = polledMeter(DEFINITION, 7, [{ every_ms: 1000, blocks: [POWER] }], 250);
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      const asked_ms = clock.at;
      await pollMeter(bus, of, takeDue(of, asked_ms), now);
      waits.push(nextDue_ms(of) - asked_ms);
      clock.at = nextDue_ms(of);
    }
    expect(waits).toEqual([
      2000,
      4000,
      8000,
      16_000,
      32_000,
      BACKOFF_MAX_MS,
      BACKOFF_MAX_MS,
      BACKOFF_MAX_MS,
      BACKOFF_MAX_MS,
    ]);
  });

  test("is polled by its periods again from its first answer on", async () => {
    const replies: BusReply[] = [{ kind: "timeout" }, { kind: "timeout" }];
    const { bus, now, clock } = busOf((request) => replies.shift() ?? words(request));
    const of = polledMeter(DEFINITION, 7, [{ every_ms: 1000, blocks: [POWER] }], 250);
    for (let i = 0; i < 3; i++) {
      clock.at = Math.max(clock.at, nextDue_ms(of));
      await pollMeter(bus, of, takeDue(of, clock.at), now);
    }
    expect(of.silentPolls).toBe(0);
    expect(nextDue_ms(of) - clock.at).toBeLessThanOrEqual(1000);
  });

  test("is asked no more often than its period, where that is longer than the longest wait", async () => {
    const { bus, now } = busOf(() => ({ kind: "timeout" }));
    const of = polledMeter(DEFINITION, 7, [{ every_ms: 900_000, blocks: [ENERGY] }], 250);
    await pollMeter(bus, of, takeDue(of, T), now);
    expect(nextDue_ms(of)).toBe(Math.floor(T / 900_000) * 900_000 + 900_000);
  });
});
