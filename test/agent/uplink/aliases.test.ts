import { expect, test } from "vitest";
import { Aliases } from "../../../agent/uplink/aliases.ts";

function journal() {
  const state = new Map<string, string>();
  return {
    getState: (key: string) => state.get(key) ?? null,
    keep: ([key, text]: readonly [string, string]) => state.set(key, text),
  };
}

test("a name keeps its number, and another name or device has another", () => {
  const aliases = new Aliases(journal());
  const numbers = [
    aliases.of("m1", "Voltage/L1"),
    aliases.of("m1", "Voltage/L2"),
    aliases.of("m2", "Voltage/L1"),
    aliases.of("", "Voltage/L1"),
  ];
  expect(numbers).toEqual([1, 2, 3, 4]);
  expect(aliases.of("m1", "Voltage/L1")).toBe(1);
});

test("a reading has the alias of its quantity, whatever stood at its place in the sample before", () => {
  const aliases = new Aliases(journal());
  const [live, late] = [aliases.naming("m1", false), aliases.naming("m1", true)];
  expect([live.isHistorical, late.isHistorical]).toEqual([false, true]);
  const l1 = aliases.of("m1", "Voltage/L1");
  const placed = [live.aliasOfReading("voltage_l1", 0), live.aliasOfReading("voltage_l2", 1)];
  expect(placed).toEqual([l1, l1 + 1]);
  // A poll of which one block failed: what comes is at another place.
  expect([late.aliasOfReading("voltage_l2", 0), live.aliasOfReading("voltage_l1", 0)]).toEqual([l1 + 1, l1]);
  expect(aliases.naming("m2", false).aliasOfReading("voltage_l1", 0)).toBe(l1 + 2);
  expect(live.aliasOf("Voltage/L2")).toBe(l1 + 1);
});

test("what was kept holds after a restart, and new names go on behind it", () => {
  const kept = journal();
  const before = new Aliases(kept);
  before.of("m1", "A");
  before.of("m1", "B");
  kept.keep(before.takeChange()!);
  const after = new Aliases(kept);
  expect(after.takeChange()).toBeNull();
  expect([after.of("m1", "C"), after.of("m1", "B")]).toEqual([3, 2]);
});

test("a change is offered until the journal holds it: a commit that failed loses no alias", () => {
  const kept = journal();
  const aliases = new Aliases(kept);
  aliases.of("m1", "A");
  const failed = aliases.takeChange();
  expect(failed).not.toBeNull();
  expect(aliases.takeChange()).toEqual(failed);
  kept.keep(failed!);
  expect(aliases.takeChange()).toBeNull();
});
