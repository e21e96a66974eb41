import { expect, test } from "vitest";
import type { FaultSpec } from "../../../hw-sim/faults/catalogue.ts";
import { faultBook } from "../../../hw-sim/faults/faultBook.ts";
import { type FaultLine, runFaults } from "../../../hw-sim/faults/faultRunner.ts";
import { faultOf } from "../../contract/bus.ts";
import { virtualTime } from "../virtualTime.ts";

const START_ms = Date.UTC(2026, 2, 2);

function running(faults: readonly FaultSpec[], follow: () => Promise<void> = async () => {}) {
  const { clock, timers, pass } = virtualTime(START_ms);
  const book = faultBook(
    { seed: 1, lines: [{ units: new Set([1]), hasConnections: true }], canMoveClock: true },
    faults,
    START_ms,
  );
  const told: FaultLine[] = [];
  const jumps: number[] = [];
  const trouble: unknown[] = [];
  const runner = runFaults({
    ...{ book, clock, timers, follow, meters: [] },
    onChange: (line) => told.push(line),
    onTrouble: (error) => trouble.push(error),
    onClockJump: (by_ms) => jumps.push(by_ms),
  });
  const seen = () => told.map(({ at, fault }) => [Date.parse(at) - START_ms, fault.kind, fault.state]);
  return { runner, pass, seen, told, jumps, trouble };
}

test("a clock jump moves the clock of what reads the meters, once, and is told", async () => {
  const at = { from: { kind: "after", after_ms: 500 } } as const;
  const { pass, jumps, seen } = running([faultOf({ kind: "clock-jump", by_ms: -7_200_000 }, null, at)]);
  await pass(499);
  expect(jumps).toEqual([]);
  await pass(100_000);
  expect(jumps).toEqual([-7_200_000]);
  expect(seen()).toEqual([[500, "clock-jump", "begin"]]);
});

test("what has always been is told at the start; a reset of long ago is history", () => {
  const long = { from: { kind: "at", at_ms: START_ms - 1000 } } as const;
  const { seen } = running([
    faultOf({ kind: "silent" }),
    faultOf({ kind: "frozen" }, null, long),
    faultOf({ kind: "register-reset" }, null, long),
  ]);
  expect(seen()).toEqual([
    [0, "silent", "begin"],
    [0, "frozen", "begin"],
  ]);
});

test("parameters of a fault are told with it", () => {
  const { told } = running([faultOf({ kind: "split", pieces: 3, pause_ms: 40 }, 1)]);
  expect(told[0]!.fault).toEqual({
    ...{ id: "f1", kind: "split", pieces: 3, pause_ms: 40, line: 0, unit: 1, connection: null, state: "begin" },
  });
});

test("a port that cannot be opened again is told and tried every second until it can", async () => {
  let failures = 3;
  const when = { from: { kind: "after", after_ms: 100 }, for_ms: 1000 } as const;
  const { pass, trouble } = running([faultOf({ kind: "refused" }, null, when)], async () => {
    if (failures-- > 0) throw new Error("taken");
  });
  await pass(10_000);
  expect(trouble).toHaveLength(3);
  expect(failures).toBeLessThan(0);
});

test("nothing is told after the end", async () => {
  const { runner, pass, seen } = running([
    faultOf({ kind: "silent" }, null, { from: { kind: "after", after_ms: 100 } }),
  ]);
  runner.close();
  await pass(1000);
  expect(seen()).toEqual([]);
});
