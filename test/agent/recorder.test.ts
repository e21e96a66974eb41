import { expect, test } from "vitest";
import { createAccountant } from "../../agent/account/accountant.ts";
import { PollAccount } from "../../agent/account/pollAccount.ts";
import { SavedAccounts } from "../../agent/account/savedAccounts.ts";
import { type Polled, Recorder } from "../../agent/recorder.ts";
import { define, register } from "../drivers/devices.ts";
import { recordingLog } from "../recordingLog.ts";
import { disk, T } from "./journal/fixture.ts";

const ENERGY = register({
  name: "active_energy_import_total",
  type: "u32",
  quantity: "active_energy_import_total",
  unit: "Wh",
  kind: "counter",
});

test("an error of our own in one meter's books costs neither its sample nor what the others say", () => {
  const journal = disk().open();
  const log = recordingLog();
  const recorder = new Recorder({
    journal,
    clock: { now_ms: () => T, mono_ms: () => 0 },
    log,
    clockState: () => "set",
    polls: new PollAccount([], 900_000, "UTC", T),
    accounts: new SavedAccounts(journal, log, () => []),
    moreState: { all: () => [], saved: () => {} },
    counts: { readings: 0, intervals: 0, withoutFactor: 0, droppedSamples: 0 },
    onReadings: () => {},
    onIntervals: () => {},
    onAsksWho: () => {},
    onCommitted: () => {},
  });
  const polled = ["broken", "good"].map((device): Polled => {
    const definition = { ...define([ENERGY]), device };
    const accountant = createAccountant(definition, []);
    const blocks = [{ fc: 3 as const, address: 0, words: Uint16Array.of(0, 7) }];
    const sample = { device, at_ms: T, mono_ms: 0, blocks, failures: [] };
    const take = () => {
      throw new RangeError("division by zero");
    };
    const hash = journal.putDefinition(definition);
    return {
      meter: { definition, hash, accountant: device === "broken" ? { ...accountant, take } : accountant },
      sample,
    };
  });
  recorder.record(polled, ({ accountant }) => accountant, true);
  expect(journal.history(1, 10).map(({ kind, device }) => [kind, device])).toEqual([
    ["sample", "broken"],
    ["sample", "good"],
  ]);
  expect(log.events).toEqual([
    expect.objectContaining({
      level: "error",
      event: "account.failed",
      fields: expect.objectContaining({ device: "broken" }),
    }),
  ]);
});
