import { expect, test } from "vitest";
import { recordedBus, shownFrame } from "../../../agent/local/frames.ts";
import type { Bus, BusReply } from "../../../core/ports.ts";

const REQUEST = { unit: 1, fc: 4, address: 0x0bb8, count: 2, timeout_ms: 500 } as const;

function scene(reply: BusReply = { kind: "words", words: Uint16Array.of(0x4366, 0x3334) }) {
  const clock = { at_ms: 1000, now_ms: () => clock.at_ms, mono_ms: () => clock.at_ms };
  const asked: number[] = [];
  const inner: Bus = {
    async read({ address }) {
      asked.push(address);
      clock.at_ms += 7;
      return reply;
    },
    async close() {},
  };
  return { clock, asked, inner, bus: recordedBus(inner, clock) };
}

test("nothing is recorded until somebody looks", async () => {
  const { bus } = scene();
  await bus.read(REQUEST);
  expect(bus.frames()).toEqual([]);
});

test("while somebody looks every exchange is kept with its words and how long it took", async () => {
  const { bus } = scene();
  bus.frames();
  await bus.read(REQUEST);
  expect(bus.frames().map(shownFrame)).toEqual([
    {
      at_ms: 1000,
      took_ms: 7,
      unit: 1,
      fc: 4,
      address: 3000,
      count: 2,
      request_hex: "01 04 0B B8 00 02",
      result: "words",
      words_hex: "4366 3334",
      detail: null,
    },
  ]);
});

test.each([
  [{ kind: "exception", code: 2 }, "0x02"],
  [{ kind: "timeout" }, null],
  [{ kind: "garbled", detail: "CRC error" }, "CRC error"],
] as const)("a failed exchange is shown as such: %o", async (reply, detail) => {
  const { bus } = scene(reply);
  bus.frames();
  await bus.read(REQUEST);
  expect(bus.frames().map(shownFrame)).toMatchObject([{ result: reply.kind, words_hex: null, detail }]);
});

test("the last fifty are kept", async () => {
  const { bus } = scene();
  bus.frames();
  for (let address = 0; address < 60; address++) await bus.read({ ...REQUEST, address });
  expect(bus.frames().map(({ request }) => request.address)).toEqual(Array.from({ length: 50 }, (_, i) => i + 10));
});

test("a minute after the last look it switches itself off and forgets", async () => {
  const { bus, clock, asked } = scene();
  bus.frames();
  await bus.read(REQUEST);
  clock.at_ms += 60_001;
  await bus.read(REQUEST);
  expect(asked).toHaveLength(2);
  expect(bus.frames()).toEqual([]);
});
