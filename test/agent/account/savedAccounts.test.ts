import { expect, test } from "vitest";
import type { Accountant } from "../../../agent/account/accountant.ts";
import { type AccountedMeter, SavedAccounts } from "../../../agent/account/savedAccounts.ts";
import type { Journal } from "../../../agent/journal/journal.ts";
import { define, register } from "../../drivers/devices.ts";
import { recordingLog } from "../../recordingLog.ts";

const ENERGY = register({
  name: "active_energy_import_total",
  type: "u32",
  quantity: "active_energy_import_total",
  unit: "Wh",
  kind: "counter",
});

function meter(device: string): AccountedMeter {
  const accountant = { save: () => `text of ${device}`, restore: () => {} } as unknown as Accountant;
  return { definition: { ...define([ENERGY]), device }, hash: "0badcafe", accountant };
}

/** Of commits of ten batches, each telling which devices' accounts were saved with it. */
function savedWithCommits(meters: readonly AccountedMeter[], commits: number, before: (at: number) => void) {
  const journal = { getState: () => null, history: () => [] } as unknown as Journal;
  const accounts = new SavedAccounts(journal, recordingLog(), () => meters);
  accounts.replay(meters);
  return {
    accounts,
    run: () =>
      Array.from({ length: commits }, (_, i) => {
        const asOf = 10 * (i + 1);
        before(i);
        const saved = accounts.toSave(asOf).map(([key]) => key.slice("account:".length));
        accounts.saved(asOf);
        return { asOf, saved };
      }).filter(({ saved }) => saved.length > 0),
  };
}

test("an account that closes nothing is saved before 2000 batches went by, one that closed something not again", () => {
  const [still, busy] = [meter("still"), meter("busy")];
  const { accounts, run } = savedWithCommits([still, busy], 500, (at) => {
    if (at % 100 === 99) accounts.changed("busy", busy.accountant);
  });
  const saves = run();
  expect(saves.filter(({ saved }) => saved.includes("busy")).map(({ asOf }) => asOf)).toEqual([
    1000, 2000, 3000, 4000, 5000,
  ]);
  const stillSaved = [0, ...saves.filter(({ saved }) => saved.includes("still")).map(({ asOf }) => asOf), 5000];
  const waits = stillSaved.slice(1).map((asOf, i) => asOf - stillSaved[i]!);
  expect(Math.max(...waits)).toBeLessThanOrEqual(2000);
  expect(stillSaved.length).toBeLessThanOrEqual(5);
});

test("an account whose commit failed goes with the next one", () => {
  const one = meter("one");
  const { accounts } = savedWithCommits([one], 0, () => {});
  accounts.changed("one", one.accountant);
  expect(accounts.toSave(5)).toHaveLength(1);
  expect(accounts.toSave(6)).toEqual([["account:one", JSON.stringify({ asOf: 6, text: "text of one" })]]);
  accounts.saved(6);
  expect(accounts.toSave(7)).toEqual([]);
});
