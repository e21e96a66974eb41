import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Bus, BusRead, BusReply } from "../../../core/ports.ts";
import { openBus } from "../../../drivers/modbus/client.ts";
import type { SerialStream } from "../../../drivers/modbus/serialPort.ts";
import { rtuFrame } from "./servers.ts";

const TIMEOUT_MS = 100;
/** Less than the silence after a lost reply, so that only what is known of lost replies protects the next request. */
const DRAIN_MS = 5;

const giveWay = setImmediate;

/** Virtual time, and what devices have still to say in it. */
let now_ms = 0;
let due: { readonly at_ms: number; readonly say: () => void }[] = [];

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "setImmediate", "performance"],
  });
  now_ms = 0;
  due = [];
  content = null;
});
afterEach(() => void vi.useRealTimers());

async function advance(length_ms: number): Promise<void> {
  for (const end_ms = now_ms + length_ms; now_ms < end_ms; ) {
    now_ms += 1;
    vi.advanceTimersByTime(1);
    const said = due.filter(({ at_ms }) => at_ms <= now_ms);
    if (said.length > 0) due = due.filter(({ at_ms }) => at_ms > now_ms);
    for (const { say } of said) say();
    await new Promise((resolve) => giveWay(resolve));
  }
}

/** The clock moves until the reply is there. */
async function replyOf(reply: Promise<BusReply>): Promise<BusReply> {
  let settled: BusReply | null = null;
  reply.then((one) => {
    settled = one;
  });
  for (const end_ms = now_ms + 20 * TIMEOUT_MS; settled === null; await advance(1)) {
    if (now_ms > end_ms) throw new Error("no reply");
  }
  return settled;
}

/** How a device answers one request: after how long each copy of its reply arrives, and in how many pieces. */
interface Answer {
  readonly after_ms: readonly number[];
  readonly cut: number;
  readonly isRefusal?: boolean;
}

/** What the registers hold, if not their own place. */
let content: ((address: number) => number) | null = null;

const tag = (unit: number, code: number, address: number): number => (address + 7919 * unit + 30011 * code) & 0xffff;
const words = ({ unit, fc: code, address, count }: BusRead): number[] =>
  Array.from({ length: count }, (_, i) => content?.(address) ?? tag(unit, code, address + i));

/** What the line of the test hears. */
let hearAll: (bytes: Buffer) => void = () => {};

/** A serial line in virtual time. Frames do not collide: what several say at once comes one after the other. */
function lineOf(answer: (turn: number, address: number) => Answer): {
  readonly bus: Bus;
  readonly asked: () => number;
} {
  let asked = 0;
  const stream: SerialStream = {
    isOpen: true,
    on(event: string, listener: unknown) {
      if (event === "data") hearAll = listener as typeof hearAll;
    },
    removeAllListeners() {},
    close: (done) => done(),
    write(bytes) {
      const request = Buffer.from(bytes);
      const [unit = 0, code = 0] = request;
      const [address, count] = [request.readUInt16BE(2), request.readUInt16BE(4)];
      const { after_ms, cut, isRefusal = false } = answer(asked++, address);
      const data = words({ unit, fc: code as 3, address, count, timeout_ms: 1 }).flatMap((w) => [w >> 8, w & 0xff]);
      const frame = isRefusal ? rtuFrame([unit, code | 0x80, 2]) : rtuFrame([unit, code, data.length, ...data]);
      const middle = cut % frame.length;
      for (const ms of after_ms) {
        due.push({
          at_ms: now_ms + ms,
          say() {
            if (middle > 0) hearAll(frame.subarray(0, middle));
            hearAll(frame.subarray(middle));
          },
        });
      }
    },
  };
  const address = { kind: "rtu", path: "/dev/line", baud: 9600, parity: "none", stop_bits: 1 } as const;
  return { bus: openBus(address, { drain_ms: DRAIN_MS }, { openStream: async () => stream }), asked: () => asked };
}

const read = (parts: Partial<BusRead> = {}): BusRead => ({
  unit: 1,
  fc: 3,
  address: 0,
  count: 2,
  timeout_ms: TIMEOUT_MS,
  ...parts,
});
const answerTo = (request: BusRead): BusReply => ({ kind: "words", words: Uint16Array.from(words(request)) });

const prompt: Answer = { after_ms: [20], cut: 0 };
const late = (...after_ms: number[]): Answer => ({ after_ms, cut: 0 });

test("whenever a reply comes within two timeouts of its question, once or twice, it answers no other request", async () => {
  const delay = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: TIMEOUT_MS - 20 }) },
    { weight: 3, arbitrary: fc.integer({ min: TIMEOUT_MS + 10, max: 2 * TIMEOUT_MS - 1 }) },
  );
  const answer = fc.record({
    first_ms: fc.option(delay, { freq: 6 }),
    again: fc.boolean(),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(60),
    isRefusal: fc.boolean(),
  });
  const request = fc.record({
    unit: fc.integer({ min: 1, max: 2 }),
    fc: fc.constantFrom(3 as const, 4 as const),
    count: fc.constantFrom(1, 2, 2, 20),
    pause_ms: fc.constantFrom(0, 0, 0, 50, 700),
  });
  let lost = 0;
  let believed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(request, answer), { minLength: 5, maxLength: 25 }), async (turns) => {
      due = [];
      const { bus } = lineOf((_, address) => {
        const { first_ms, again, share, cut, isRefusal } = turns[address / 100 - 1]![1];
        if (first_ms === null) return { after_ms: [], cut };
        // A refusal that was on time comes once here: of one, that names nothing, no copy can be known.
        const isLate = first_ms > TIMEOUT_MS;
        const second_ms = first_ms + Math.round((2 * TIMEOUT_MS - 1 - first_ms) * share);
        return { after_ms: again ? [first_ms, second_ms] : [first_ms], cut, isRefusal: isRefusal && isLate };
      });
      for (const [i, [{ pause_ms, ...form }, { first_ms }]] of turns.entries()) {
        await advance(pause_ms);
        const asked = read({ ...form, address: 100 * (i + 1) });
        const reply = await replyOf(bus.read(asked));
        if (first_ms === null || first_ms > TIMEOUT_MS) lost++;
        if (reply.kind === "words") {
          believed++;
          expect([...reply.words]).toEqual(words(asked));
        }
        expect(reply.kind).not.toBe("exception");
      }
      await Promise.all([bus.close(), advance(1)]);
    }),
    { numRuns: 150, endOnFailure: true },
  );
  expect(lost).toBeGreaterThan(500);
  expect(believed).toBeGreaterThan(600);
});

test("whenever a prompt reply is said again within two timeouts of its question, its copy answers no other request", async () => {
  const turn = fc.record({
    unit: fc.constantFrom(1, 1, 2),
    count: fc.constantFrom(2, 2, 2, 3),
    first_ms: fc.option(fc.integer({ min: 1, max: TIMEOUT_MS - 20 }), { freq: 12 }),
    second_ms: fc.option(fc.integer({ min: 0, max: 2 * TIMEOUT_MS - 1 })),
    pause_ms: fc.constantFrom(0, 0, 0, 0, 90),
  });
  let copies = 0;
  let believed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 5, maxLength: 25 }), async (turns) => {
      due = [];
      const { bus } = lineOf((_, address) => {
        const { first_ms, second_ms } = turns[address / 100 - 1]!;
        const after_ms = [first_ms, second_ms].filter((ms) => ms !== null);
        if (after_ms.length === 2) copies++;
        return { after_ms: first_ms === null ? [] : after_ms.sort((a, b) => a - b), cut: 0 };
      });
      for (const [i, { unit, count, pause_ms }] of turns.entries()) {
        await advance(pause_ms);
        const asked = read({ unit, count, address: 100 * (i + 1) });
        const reply = await replyOf(bus.read(asked));
        if (reply.kind !== "words") continue;
        believed++;
        expect([...reply.words]).toEqual(words(asked));
      }
      await Promise.all([bus.close(), advance(1)]);
    }),
    { numRuns: 150, endOnFailure: true },
  );
  expect(copies).toBeGreaterThan(500);
  expect(believed).toBeGreaterThan(1000);
});

test("a copy that comes after another unit was read is not the answer to the next question of its form", async () => {
  const answers = [
    { after_ms: [10, 60], cut: 0 },
    { after_ms: [10], cut: 0 },
    { after_ms: [60], cut: 0 },
  ];
  const { bus } = lineOf((i) => answers[i]!);
  for (const asked of [read(), read({ unit: 2, address: 50 }), read({ address: 100 })]) {
    expect(await replyOf(bus.read(asked))).toEqual(answerTo(asked));
  }
});

test("a meter whose blocks are equal is asked once more the first time, and then costs nothing", async () => {
  let value = 0;
  content = () => value;
  const { bus, asked } = lineOf(() => ({ after_ms: [10], cut: 0 }));
  const poll = async () => {
    const [from_ms, before] = [now_ms, asked()];
    for (const address of [0, 100, 200, 300]) {
      const request = read({ address });
      expect(await replyOf(bus.read(request))).toEqual(answerTo(request));
    }
    return { took_ms: now_ms - from_ms, questions: asked() - before };
  };
  // Twice, with a question of another length in between.
  expect((await poll()).questions).toBe(6);
  expect(await poll()).toEqual({ took_ms: expect.closeTo(62, -1), questions: 4 });
  value = 7;
  const changed = await poll();
  expect(changed.questions).toBe(4);
  expect(changed.took_ms).toBeLessThan(140);
});

test("a lost reply of long ago does not make a copy of a prompt one look late", async () => {
  const answers = [late(), prompt, { after_ms: [10, 30], cut: 0 }, { after_ms: [40], cut: 0 }, late(), prompt];
  const { bus } = lineOf((i) => answers[i]!);
  await replyOf(bus.read(read()));
  await advance(30 * TIMEOUT_MS);
  for (const asked of [read({ address: 200 }), read({ unit: 2 })]) {
    expect(await replyOf(bus.read(asked))).toEqual(answerTo(asked));
  }
  await advance(1000);
  await replyOf(bus.read(read()));
  expect(bus.owed!.wait_ms(read({ address: 5 }))).toBeLessThanOrEqual(TIMEOUT_MS);
});

test("a late reply that comes while its form waits ends the wait, and does not make it longer", async () => {
  const { bus } = lineOf((i) => (i === 0 ? late(2 * TIMEOUT_MS + 3) : prompt));
  await replyOf(bus.read(read()));
  const next = read({ address: 900 });
  const reply = replyOf(bus.read(next));
  expect(await reply).toEqual(answerTo(next));
  expect(now_ms).toBeLessThan(2 * TIMEOUT_MS + 140);
});

test("who is asked with less patience for once is not expected to reply sooner", async () => {
  const { bus } = lineOf(() => late());
  await replyOf(bus.read(read()));
  await replyOf(bus.read(read({ timeout_ms: 20 })));
  expect(bus.owed!.wait_ms(read({ count: 1 }))).toBeGreaterThan(2 * TIMEOUT_MS - 50);
});

test("how late a meter was is forgotten after ten minutes", async () => {
  const answers = [late(3 * TIMEOUT_MS), prompt, prompt, late()];
  const { bus } = lineOf((i) => answers[i]!);
  await replyOf(bus.read(read()));
  await advance(3 * TIMEOUT_MS);
  await replyOf(bus.read(read()));
  await advance(0);
  vi.advanceTimersByTime(600_001);
  await replyOf(bus.read(read()));
  expect(bus.owed!.wait_ms(read({ address: 5 }))).toBeLessThanOrEqual(TIMEOUT_MS);
});

test("a reply too many brings what was believed of its unit into doubt, and its form rests", async () => {
  const { bus } = lineOf((i) => ({ after_ms: i === 0 ? [10] : [], cut: 0 }));
  await replyOf(bus.read(read()));
  expect(bus.owed!.doubts(1)).toBe(0);
  const asking = bus.read(read({ unit: 2, count: 5 }));
  await advance(10);
  due.push({ at_ms: now_ms + 1, say: () => hearAll(rtuFrame([1, 3, 4, 9, 9, 9, 9])) });
  await replyOf(asking);
  expect(bus.owed!.doubts(1)).toBe(1);
  expect(bus.owed!.wait_ms(read({ address: 700 }))).toBeGreaterThan(0);
  expect(bus.owed!.doubts(2)).toBe(0);
});

test("a late reply that meets the question to another meter is dropped, and that meter is heard", async () => {
  const { bus } = lineOf((i) => (i === 0 ? late(TIMEOUT_MS + 30) : { after_ms: [60], cut: 3 }));
  expect(await replyOf(bus.read(read()))).toEqual({ kind: "timeout" });
  const other = read({ unit: 2 });
  expect(await replyOf(bus.read(other))).toEqual(answerTo(other));
});

test("a meter that was silent is asked for another length at once, and for the same one after its timeout", async () => {
  const { bus } = lineOf((i) => (i === 0 ? late() : prompt));
  expect(await replyOf(bus.read(read()))).toEqual({ kind: "timeout" });
  const from_ms = now_ms;
  const longer = read({ count: 3 });
  expect(await replyOf(bus.read(longer))).toEqual(answerTo(longer));
  expect(now_ms - from_ms).toBeLessThan(50);
  const same = read({ address: 900 });
  expect(await replyOf(bus.read(same))).toEqual(answerTo(same));
  expect(now_ms - from_ms).toBeGreaterThanOrEqual(TIMEOUT_MS - DRAIN_MS);
  expect(now_ms - from_ms).toBeLessThan(TIMEOUT_MS + 60);
});

test("who was left alone for a timeout since costs one short question more and no wait", async () => {
  const { bus } = lineOf((i) => (i === 0 ? late() : prompt));
  await replyOf(bus.read(read()));
  await advance(TIMEOUT_MS);
  const from_ms = now_ms;
  expect((await replyOf(bus.read(read({ address: 900 })))).kind).toBe("words");
  expect(now_ms - from_ms).toBeLessThan(100);
});

test("a meter that was seen to be very late is waited for longer the next time, five timeouts from the question at most", async () => {
  const answers = [late(3 * TIMEOUT_MS), prompt, prompt, late(), prompt, prompt];
  const { bus } = lineOf((i) => answers[i]!);
  await replyOf(bus.read(read()));
  await advance(3 * TIMEOUT_MS);
  expect(await replyOf(bus.read(read({ address: 5 })))).toEqual(answerTo(read({ address: 5 })));
  await replyOf(bus.read(read()));
  const from_ms = now_ms;
  expect((await replyOf(bus.read(read({ address: 900 })))).kind).toBe("words");
  expect(now_ms - from_ms).toBeGreaterThanOrEqual(4 * TIMEOUT_MS - DRAIN_MS);
  expect(now_ms - from_ms).toBeLessThan(4 * TIMEOUT_MS + 120);
});

test("a refusal is not believed while an older question of that meter may still be refused", async () => {
  const { bus } = lineOf((i) => (i === 0 ? { ...late(TIMEOUT_MS + 30), isRefusal: true } : late(60)));
  await replyOf(bus.read(read()));
  expect(await replyOf(bus.read(read({ count: 3 })))).toMatchObject({ kind: "garbled" });
});

test("closing a bus ends the wait", async () => {
  const { bus, asked } = lineOf(() => late());
  await replyOf(bus.read(read()));
  const waiting = bus.read(read());
  await advance(10);
  await Promise.all([bus.close(), advance(30)]);
  expect(await waiting).toEqual({ kind: "unreachable", detail: "the bus was closed" });
  expect(asked()).toBe(1);
});
