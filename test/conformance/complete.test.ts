import { expect, test } from "vitest";
import { EDGE_CHECKS } from "./edgeChecks.ts";
import { EXCUSED } from "./excused.ts";
import { HOST_CHECKS, REORDER_CHECKS } from "./hostChecks.ts";
import { IDS } from "./ids.ts";
import { PACKET_CHECKS } from "./packetChecks.ts";
import { WIRE_CHECKS } from "./wireChecks.ts";

const tested: readonly string[] = [EDGE_CHECKS, HOST_CHECKS, REORDER_CHECKS, WIRE_CHECKS, PACKET_CHECKS].flatMap(
  (checks) => checks.flatMap(([ids]) => ids as readonly string[]),
);

test("every statement is tested or excused, none both, none twice", () => {
  expect(IDS.filter((id) => !tested.includes(id) && !(id in EXCUSED))).toEqual([]);
  expect(tested.filter((id) => id in EXCUSED)).toEqual([]);
  expect(tested.filter((id, at) => tested.indexOf(id) !== at)).toEqual([]);
  expect(new Set(IDS).size).toBe(IDS.length);
});

test("every excuse gives its reason", () => {
  for (const reason of Object.values(EXCUSED)) expect(reason.length).toBeGreaterThan(15);
});
