import { expect, test } from "vitest";
import { SESSIONS_MAX, SESSIONS_MS, SessionWatch } from "../../../cloud/collector/sessionWatch.ts";

const bornEvery = (period_ms: number, births: number, bdSeqOf = (i: number) => i) => {
  const watch = new SessionWatch();
  return Array.from({ length: births }, (_, i) => watch.born(bdSeqOf(i), i * period_ms));
};

test("two gateways that drive each other out are noticed, again after as many more", () => {
  const said = bornEvery(4000, 3 * (SESSIONS_MAX + 1), (i) => (i % 2 === 0 ? i : 100 - i));
  expect(said.filter((sessions) => sessions !== null)).toEqual(Array(3).fill(SESSIONS_MAX + 1));
});

test("sessions now and then, and births anew within one, are nothing", () => {
  expect(bornEvery(SESSIONS_MS / SESSIONS_MAX, 100).every((sessions) => sessions === null)).toBe(true);
  expect(bornEvery(1000, 100, () => 7).every((sessions) => sessions === null)).toBe(true);
});
