import { expect, test } from "vitest";
import type { Trace } from "../../../cloud/api/schemas.ts";
import type { Answer } from "../../../cloud/web/api.ts";
import { CHAIN_MAX, isCut, joined, wholeChain } from "../../../cloud/web/why/chain.ts";
import { trace } from "./mock/world.ts";

const NOW = Date.parse("2026-11-22T14:32:10+07:00");
const FROM = Date.parse("2026-11-01T00:00:00+07:00");
const ID = `zone.total.${FROM}.${Date.parse("2026-12-01T00:00:00+07:00")}`;

const first = (): Trace => trace(ID, NOW)!;
const askPage = async (meter: string, offset: number): Promise<Answer<Trace>> => ({
  kind: "ready",
  data: trace(ID, NOW, { meter, offset })!,
});

test("a downloaded chain holds every interval of every meter once, newest first", async () => {
  const told: number[] = [];
  const answer = await wholeChain(first(), askPage, (held) => void told.push(held));
  if (answer.kind === "failed") throw new Error("no page failed");
  for (const activity of answer.data.activities) {
    const starts = activity.intervals.map((interval) => Date.parse(interval.from));
    expect(starts).toHaveLength(activity.intervals_total);
    expect(starts).toEqual([...new Set(starts)].sort((a, b) => b - a));
  }
  expect(isCut(answer.data)).toBe(false);
  expect(told.at(-1)).toBe(answer.data.activities.reduce((sum, one) => sum + one.intervals_total, 0));
});

test("books that grow between two pages double nothing", () => {
  const [activity] = first().activities;
  const [a, b, c] = activity!.intervals;
  expect(joined([a!, b!], [b!, c!])).toEqual([a, b, c]);
});

test("at its limit a chain is cut, and says where it would go on", async () => {
  const [activity] = first().activities;
  const long = { ...first(), activities: [{ ...activity!, next_offset: 200 }] };
  let asked = 0;
  const endless = async (meter: string, offset: number): Promise<Answer<Trace>> => {
    asked += 1;
    const intervals = activity!.intervals.map((one, at) => ({ ...one, from: `${offset + at}` }));
    return {
      kind: "ready",
      data: { ...long, activities: [{ ...activity!, meter, intervals, next_offset: offset + 200 }] },
    };
  };
  const answer = await wholeChain(long, endless, () => {});
  if (answer.kind === "failed") throw new Error("no page failed");
  expect(answer.data.activities[0]?.intervals).toHaveLength(CHAIN_MAX);
  expect(asked).toBe(CHAIN_MAX / 200 - 1);
  expect(isCut(answer.data)).toBe(true);
});

test("a page that fails fails the whole: half a chain proves nothing", async () => {
  const problem = { kind: "unreachable", status: 0, title: "", detail: "", code: "UNREACHABLE", hint: "" } as const;
  const answer = await wholeChain(
    first(),
    async () => ({ kind: "failed", problem }),
    () => {},
  );
  expect(answer).toEqual({ kind: "failed", problem });
});
