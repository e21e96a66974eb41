import { expect, test } from "vitest";
import { createAccountant } from "../../agent/account/accountant.ts";
import { PollAccount } from "../../agent/account/pollAccount.ts";
import { SavedAccounts } from "../../agent/account/savedAccounts.ts";
import type { Journal } from "../../agent/journal/journal.ts";
import { sampleEntry } from "../../agent/journal/sample.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import { type Polled, Recorder } from "../../agent/recorder.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { DiskWrite, Log } from "../../core/ports.ts";
import { define, register } from "../drivers/devices.ts";
import { recordingLog } from "../recordingLog.ts";
import { disk, entry, lossesIn, T } from "./journal/fixture.ts";

const ENERGY = register({
  name: "active_energy_import_total",
  type: "u32",
  quantity: "active_energy_import_total",
  unit: "Wh",
  kind: "counter",
});

function recorderOn(journal: Journal, log: Log): Recorder {
  return new Recorder({
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
}

/** What waits in memory at the end, on a disk that is full for so many more tries and then takes so many entries at once. */
async function endOnFullDisk(refusals: number, entriesMax: number) {
  const d = disk();
  const log = recordingLog();
  const real = sqliteDisk(d.dir);
  let refused = -1;
  const full = (): never => {
    throw new KhuXanhError("DISK_FULL", "full", { hint: "Free disk space." });
  };
  const journal = d.open({
    log,
    disk: {
      ...real,
      open(name, access) {
        const segment = real.open(name, access);
        const append = (write: DiskWrite) => {
          if (refused >= 0 && (refused++ < refusals || write.rows.length > entriesMax)) full();
          segment.append(write);
        };
        return { ...segment, append };
      },
    },
  });
  refused = 0;
  const recorder = recorderOn(journal, log);
  // Books lie in a row of their own.
  const sample = (at_s: number) =>
    sampleEntry({
      sample: { device: "m", at_ms: T + at_s * 1000, mono_ms: at_s * 1000, blocks: [], failures: [] },
      definition: "0badcafe",
      boot: 1,
      clock: "set",
    });
  recorder.add([sample(1), sample(2), { ...entry(3), kind: "content" }]);
  recorder.record([], () => undefined, true);
  const atOnce = (_ms: number, run: () => void) => {
    run();
    return () => {};
  };
  await recorder.finish({ after: atOnce, every: () => () => {} });
  journal.close();
  refused = -1;
  const said = log.events.filter(({ event }) => event === "journal.not-kept").map(({ fields }) => fields);
  return { said, journal: d.open() };
}

test("what waits for a full disk at the end is written if there is room within seconds", async () => {
  const { said, journal } = await endOnFullDisk(3, 100);
  expect(said).toEqual([]);
  expect(journal.history(1, 10).map(({ kind }) => kind)).toEqual(["sample", "sample", "content"]);
});

test("what waits for a full disk at the end and is not written is counted in the log, and in a loss record if that fits", async () => {
  const never = await endOnFullDisk(1000, 0);
  expect(never.said).toEqual([expect.objectContaining({ samples: 2, others: 1, why: "disk-full" })]);
  expect(never.journal.history(1, 10)).toEqual([]);
  const { said, journal } = await endOnFullDisk(0, 1);
  expect(said).toHaveLength(1);
  expect(lossesIn(journal)).toMatchObject([
    { what: "samples", count: 2, why: "disk-full", from_ms: T + 1000, to_ms: T + 2000 },
  ]);
});

test("an error of our own in one meter's books costs neither its sample nor what the others say", () => {
  const journal = disk().open();
  const log = recordingLog();
  const recorder = recorderOn(journal, log);
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
      isHeld: false,
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
