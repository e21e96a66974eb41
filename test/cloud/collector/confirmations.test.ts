import { expect, test } from "vitest";
import { Confirmations, OBJECTION_MS, OBJECTIONS_MAX } from "../../../cloud/collector/confirmations.ts";
import { BATCH_NUMBER_MAX } from "../../../cloud/store/store.ts";
import { parseAck } from "../../../core/wire/ack.ts";
import { decodePayload } from "../../../core/wire/payload.ts";
import type { BatchRange } from "../../../core/wire/ranges.ts";

const GATEWAY = { group: "kcn", edge: "gw-01" };
const EPOCH = "f8a9f256b1000c53";

const upTo = (highest: number, missing: readonly BatchRange[] = []) => ({
  highest: () => highest,
  missing: () => missing,
});

/** What is said to one gateway; timers run when the test says so. */
function staged() {
  const timers = new Map<object, () => void>();
  const said: unknown[] = [];
  let now_ms = 1_000_000;
  const confirmations = new Confirmations({
    clock: { now_ms: () => now_ms, mono_ms: () => now_ms },
    timers: {
      after: (_, run) => {
        const timer = {};
        timers.set(timer, run);
        return () => void timers.delete(timer);
      },
      every: () => () => {},
    },
    random: { unit: () => 0.9, hex: () => "" },
    isConnected: () => true,
    publish: (_, payload) => {
      const ack = parseAck(decodePayload(payload).metrics[0]?.stringValue ?? "");
      said.push(ack.kind === "hello" ? ack.highest : ack.kind === "ack" ? ack.ranges : ack);
    },
    onRebirthAsked: () => {},
  });
  const pass = (ms: number) => (now_ms += ms);
  const fire = () => {
    for (const [timer, run] of [...timers]) if (timers.delete(timer)) run();
  };
  return { confirmations, said, fire, pass };
}

test("a first ack that goes before the hello takes it along: a journal that went back learns of it by nothing else", () => {
  const { confirmations, said, fire } = staged();
  confirmations.born(GATEWAY, EPOCH, upTo(344));
  for (let number = 80; number < 120; number++) confirmations.ack(GATEWAY, EPOCH, number);
  confirmations.flushMany();
  fire();
  confirmations.sayHellos();
  expect(said).toEqual([[{ first: 80, last: 119 }], 344]);
});

test("a hello that was said is not said again with the first ack", () => {
  const { confirmations, said, fire } = staged();
  confirmations.born(GATEWAY, EPOCH, upTo(7));
  fire();
  confirmations.ack(GATEWAY, EPOCH, 8);
  confirmations.flushAll();
  expect(said).toEqual([7, [{ first: 8, last: 8 }]]);
});

test("a number that is held with other content is not confirmed but objected to, and confirmed to a node that does not listen", () => {
  const { confirmations, said, fire, pass } = staged();
  confirmations.born(GATEWAY, EPOCH, upTo(344));
  fire();
  said.length = 0;
  const contest = () => {
    confirmations.contest(GATEWAY, EPOCH, 120);
    confirmations.flushAll();
  };
  contest();
  contest();
  expect(said).toEqual([BATCH_NUMBER_MAX]);
  for (let time = 1; time < OBJECTIONS_MAX; time++) {
    pass(OBJECTION_MS);
    contest();
  }
  expect(said).toEqual(Array(OBJECTIONS_MAX).fill(BATCH_NUMBER_MAX));
  pass(OBJECTION_MS);
  contest();
  expect(said.at(-1)).toEqual([{ first: 120, last: 120 }]);
});

test("objections are to one epoch: the next begins without any, and nothing is said of the old one", () => {
  const { confirmations, said, pass } = staged();
  const next = "00000000000000aa";
  confirmations.born(GATEWAY, EPOCH, upTo(344));
  for (let time = 0; time < OBJECTIONS_MAX; time++, pass(OBJECTION_MS)) confirmations.contest(GATEWAY, EPOCH, 120);
  confirmations.born(GATEWAY, next, upTo(0));
  said.length = 0;
  confirmations.contest(GATEWAY, EPOCH, 120);
  expect(said).toEqual([]);
  confirmations.contest(GATEWAY, next, 1);
  expect(said).toEqual([BATCH_NUMBER_MAX]);
});

test("with the hello goes what is missing below the highest number, and again as long as it is", () => {
  const { confirmations, said, fire } = staged();
  const missing = [
    { first: 20, last: 29 },
    { first: 35, last: 35 },
  ];
  confirmations.born(GATEWAY, EPOCH, upTo(40, missing));
  fire();
  const told = { kind: "missing", epoch: EPOCH, ranges: [...missing] };
  expect(said).toEqual([40, told]);
  confirmations.ack(GATEWAY, EPOCH, 41);
  confirmations.flushAll();
  said.length = 0;
  confirmations.sayHellos();
  expect(said).toEqual([told]);
  missing.length = 0;
  confirmations.sayHellos();
  expect(said).toEqual([told]);
});
