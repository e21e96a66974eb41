import { expect, test } from "vitest";
import type { Loss } from "../../../agent/journal/journal.ts";
import { Losses } from "../../../agent/journal/losses.ts";
import { T } from "./fixture.ts";

const loss = (change: Partial<Loss> = {}): Loss => ({
  ...{ device: null, from_ms: T, to_ms: T + 1, count: 1, what: "samples", why: "disk-full", batches: null },
  ...change,
});
const told = (losses: Losses) => losses.entries("00000000000000aa", (position) => position).length;

test("what is noted while a commit is being made waits for the next one, also if it is of the same kind", () => {
  const losses = new Losses(() => T);
  losses.note(loss(), null);
  expect(told(losses)).toBe(1);
  losses.note(loss(), null);
  losses.areTold();
  expect(losses.count).toBe(1);
  expect(told(losses)).toBe(1);
  losses.areTold();
  expect(losses.isEmpty).toBe(true);
});

test("after a commit that failed all wait on, and what is alike is one record", () => {
  const losses = new Losses(() => T);
  losses.note(loss(), null);
  expect(told(losses)).toBe(1);
  losses.areNotTold();
  losses.note(loss(), null);
  expect(told(losses)).toBe(1);
  losses.areTold();
  expect(losses.count).toBe(0);
});

test("holes in the history are told one by one", () => {
  const losses = new Losses(() => T);
  for (const from_ms of [T, T + 10])
    losses.note(loss({ what: "history", why: "damaged", from_ms, to_ms: T + 20 }), null);
  expect(told(losses)).toBe(2);
});
