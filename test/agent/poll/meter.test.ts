import { describe, expect, test } from "vitest";
import { PollJob, pollMeter } from "../../../agent/poll/meter.ts";
import type { Register } from "../../../core/model/meterModel.ts";
import type { Bus, BusRead, BusReply } from "../../../core/ports.ts";
import type { BlockRead } from "../../../drivers/modbus/planner.ts";
import { register } from "../../drivers/devices.ts";

const T = 1_760_000_000_000;
const POWER: BlockRead = { fc: 4, address: 0, count: 2, registers: [] };
const ENERGY: BlockRead = {
  fc: 3,
  address: 100,
  count: 4,
  registers: [register({ name: "e", type: "u32", kind: "counter" })],
};
const MORE: BlockRead = { fc: 3, address: 500, count: 1, registers: [] };

const METER = { device: "meter", unit: 7, timeout_ms: 250 };

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

describe("a poll", () => {
  test("reads its blocks one after another and is dated by the answer that brought its first counter", async () => {
    const { bus, asked, now } = busOf(words);
    const sample = await pollMeter(bus, METER, ALL, now);
    expect(asked).toEqual(ALL.map(({ fc, address, count }) => ({ unit: 7, fc, address, count, timeout_ms: 250 })));
    expect(sample).toEqual({
      device: "meter",
      at_ms: T + 60,
      mono_ms: 60,
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
      const sample = await pollMeter(bus, METER, ALL, now);
      expect(asked).toHaveLength(1);
      expect(clock.at - T).toBe(cost_ms);
      expect(sample?.blocks).toEqual([]);
      expect(sample?.failures).toEqual(ALL.map(({ fc, address, count }) => ({ fc, address, count, why: reply.kind })));
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
    const sample = await pollMeter(bus, METER, ALL, now);
    expect(sample?.blocks.map(({ address }) => address)).toEqual([0, 500]);
    expect(sample?.failures).toEqual([{ fc: 3, address: 100, count: 4, ...failure }]);
  });

  test("that falls silent half way keeps what it has", async () => {
    const { bus, asked, now } = busOf((request) => (request.address === 0 ? words(request) : { kind: "timeout" }));
    const sample = await pollMeter(bus, METER, ALL, now);
    expect(asked).toHaveLength(2);
    expect(sample?.at_ms).toBe(T + 30);
    expect(sample?.failures.map(({ address, why }) => [address, why])).toEqual([
      [100, "timeout"],
      [500, "timeout"],
    ]);
  });

  test("ends when the gateway says that the meter is not there, and at the second garbled reply", async () => {
    const gateway = busOf(() => ({ kind: "exception", code: 0x0b }));
    expect((await pollMeter(gateway.bus, METER, ALL, gateway.now))?.failures).toHaveLength(3);
    expect(gateway.asked).toHaveLength(1);
    const noise = busOf(() => ({ kind: "garbled", detail: "short" }));
    expect((await pollMeter(noise.bus, METER, ALL, noise.now))?.failures).toHaveLength(3);
    expect(noise.asked).toHaveLength(2);
  });

  test("of nothing tells nothing", async () => {
    const { bus, now } = busOf(words);
    expect(await pollMeter(bus, METER, [], now)).toBeNull();
  });
});

describe("accounted counters of a poll that takes seconds", () => {
  const counter = (address: number, more: Partial<Register> = {}): BlockRead => ({
    fc: 3,
    address,
    count: 2,
    registers: [register({ name: `c${address}`, type: "u32", kind: "counter", address, ...more })],
  });
  const answered = (job: PollJob, address: number, mono_ms: number, rank: 0 | 2 = 0): void =>
    job.take({ kind: "words", words: Uint16Array.of(0, address) }, { at_ms: T + mono_ms, mono_ms, rank });
  const jobOf = (...blocks: readonly BlockRead[]) =>
    new PollJob("meter", blocks, { now_ms: () => T, mono_ms: () => 0 });
  const dates = (job: PollJob) =>
    job.samples().map(({ mono_ms, blocks }) => [mono_ms, ...blocks.map(({ address }) => address)]);

  test("are dated each by its own answer, gauges go with the first", () => {
    const job = jobOf(counter(1), counter(2), POWER, counter(3), MORE);
    answered(job, 1, 100);
    answered(job, 2, 1100);
    answered(job, 0, 4000, 2);
    answered(job, 3, 9800);
    job.take({ kind: "exception", code: 4 }, { at_ms: T + 9900, mono_ms: 9900, rank: 2 });
    expect(dates(job)).toEqual([
      [100, 1, 2, 0],
      [9800, 3],
    ]);
    expect(job.samples().map(({ failures }) => failures.length)).toEqual([1, 0]);
  });

  test.each([{ scale_exp_address: 90 }, { multiply_by: ["ratio"] }, { divide_by: ["ratio"] }])(
    "stay together where another register scales them: %o",
    (more) => {
      const job = jobOf(counter(1), counter(2, more));
      answered(job, 1, 100);
      answered(job, 2, 5000);
      expect(dates(job)).toEqual([[100, 1, 2]]);
    },
  );

  test("are all in doubt when the replies of their unit are", () => {
    const job = jobOf(counter(1), counter(2));
    answered(job, 1, 100);
    answered(job, 2, 5000);
    job.distrust();
    expect(job.samples()).toMatchObject([{ blocks: [], failures: [{ address: 1 }, { address: 2 }] }]);
  });
});
