import fc from "fast-check";
import { expect, test } from "vitest";
import { PollAccount } from "../../../agent/account/pollAccount.ts";
import type { Sample } from "../../../core/reading/reading.ts";
import { type PollsRecord, parseNodeRecord } from "../../../core/wire/nodeRecord.ts";

const QUARTER_MS = 900_000;
const T = Date.UTC(2026, 10, 2, 1);
const METERS = [
  { device: "incomer", every_ms: 1000 },
  { device: "gas", every_ms: 10_000 },
];
const decoder = new TextDecoder();

const account = (now_ms = T, meters = METERS) => new PollAccount(meters, QUARTER_MS, "Asia/Ho_Chi_Minh", now_ms);
const recordsOf = (entries: ReturnType<PollAccount["due"]>) =>
  entries.map(({ body }) => parseNodeRecord(decoder.decode(body)) as PollsRecord);

function sampleAt(at_ms: number): Sample {
  return { ...sample("incomer"), at_ms };
}

function sample(device: string, ...failures: readonly Sample["failures"][number]["why"][]): Sample {
  const blocks = failures.length === 0 ? [{ fc: 3 as const, address: 0, words: new Uint16Array(1) }] : [];
  return {
    device,
    at_ms: T,
    mono_ms: 0,
    blocks,
    failures: failures.map((why) => ({ fc: 3, address: 0, count: 1, why })),
  };
}

test("at the end of its interval an account says of every meter what was due, and what became of it", () => {
  const polls = account();
  for (let i = 0; i < 880; i++) {
    polls.polled(sample("incomer"));
    polls.journaled("incomer", T + i * 1000);
  }
  polls.polled(sample("incomer", "timeout", "garbled"));
  polls.polled(sample("incomer", "unreachable"));
  polls.polled({ ...sample("incomer", "exception"), blocks: sample("incomer").blocks });
  polls.leftOut("incomer", 17);
  expect(polls.due(T + QUARTER_MS - 1, 3)).toEqual([]);
  const none = { answered: 0, timeouts: 0, exceptions: 0, garbled: 0, unreachable: 0, overruns: 0, journaled: 0 };
  expect(recordsOf(polls.due(T + QUARTER_MS + 400, 3))).toEqual([
    {
      kind: "polls",
      at_ms: T + QUARTER_MS + 400,
      boot: 3,
      from_ms: T,
      to_ms: T + QUARTER_MS,
      meters: [
        {
          ...none,
          device: "incomer",
          expected: 900,
          answered: 881,
          timeouts: 1,
          unreachable: 1,
          overruns: 17,
          journaled: 880,
        },
        { ...none, device: "gas", expected: 90 },
      ],
    },
  ]);
  expect(polls.due(T + QUARTER_MS + 500, 3)).toEqual([]);
});

test("the first account begins with the gateway, the last one ends with it: only the time in between is expected", () => {
  const polls = account(T + 600_000);
  const [first] = recordsOf(polls.due(T + QUARTER_MS, 1));
  expect([first?.from_ms, first?.meters[0]?.expected]).toEqual([T + 600_000, 300]);
  const [last] = recordsOf(polls.close(T + QUARTER_MS + 60_000, 1));
  expect([last?.from_ms, last?.to_ms, last?.meters[0]?.expected]).toEqual([
    T + QUARTER_MS,
    T + QUARTER_MS + 60_000,
    60,
  ]);
  expect(polls.close(T + QUARTER_MS + 60_000, 1)).toEqual([]);
});

test("of a meter whose main counter is known only the polls that ask for it count, and end as they did for it", () => {
  const polls = account();
  const block = (address: number) => ({ fc: 3 as const, address, words: new Uint16Array(4) });
  const failure = (address: number) => ({ fc: 3 as const, address, count: 4, why: "exception" as const });
  const counter = { fc: 3, address: 102 } as const;
  polls.polled({ ...sample("incomer"), blocks: [block(100)], failures: [failure(200)] }, counter);
  polls.polled({ ...sample("incomer"), blocks: [block(200)] }, counter);
  polls.polled({ ...sample("incomer"), blocks: [block(200)], failures: [failure(100)] }, counter);
  const [record] = recordsOf(polls.due(T + QUARTER_MS, 1));
  expect(record?.meters[0]).toMatchObject({ answered: 1, exceptions: 1 });
});

test("a clock that was set back, or far ahead, begins another account and closes none", () => {
  for (const jump_ms of [-5000, 7 * QUARTER_MS]) {
    const polls = account();
    polls.polled(sample("incomer"));
    expect(polls.due(T + jump_ms, 1)).toEqual([]);
    const [record] = recordsOf(polls.close(T + jump_ms + 10_000, 1));
    expect(record?.meters[0]).toMatchObject({ answered: 0, expected: 10 });
  }
});

test("the poll on the boundary is of the interval it begins, though the account is closed after it", () => {
  const polls = account();
  for (let at_ms = T; at_ms <= T + QUARTER_MS; at_ms += 1000) {
    polls.polled(sampleAt(at_ms));
    polls.journaled("incomer", at_ms);
  }
  const [first] = recordsOf(polls.due(T + QUARTER_MS + 50, 1));
  expect(first?.meters[0]).toMatchObject({ expected: 900, answered: 900, journaled: 900 });
  const [next] = recordsOf(polls.close(T + QUARTER_MS + 1000, 1));
  expect(next?.meters[0]).toMatchObject({ expected: 1, answered: 1, journaled: 1 });
});

test("many meters make several records, each within its limits", () => {
  const many = Array.from({ length: 250 }, (_, i) => ({ device: `m${i}`, every_ms: 1000 }));
  const records = recordsOf(account(T, many).due(T + QUARTER_MS, 1));
  expect(records.map(({ meters }) => meters.length)).toEqual([100, 100, 50]);
});

test("law: whenever it is looked at, the accounts follow each other without gap, and lose and repeat no poll", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: QUARTER_MS - 1 }), { maxLength: 40 }), (steps) => {
      const polls = account();
      let now_ms = T;
      const records: PollsRecord[] = [];
      for (const step of steps) {
        now_ms += step;
        records.push(...recordsOf(polls.due(now_ms, 1)));
        polls.polled(sampleAt(now_ms));
      }
      records.push(...recordsOf(polls.close(now_ms + 1, 1)));
      expect(records[0]?.from_ms).toBe(T);
      for (const [i, { from_ms }] of records.entries()) if (i > 0) expect(from_ms).toBe(records[i - 1]!.to_ms);
      expect(records.reduce((sum, { meters }) => sum + meters[0]!.answered, 0)).toBe(steps.length);
    }),
  );
});
