import { expect, test } from "vitest";
import { COMMIT_BYTES, Commits } from "../../../cloud/collector/commits.ts";
import type { BatchOutcome, NewBatch } from "../../../cloud/store/store.ts";
import { KhuXanhError } from "../../../core/errors.ts";

const batch = (number: number, bytes = 1): NewBatch => ({
  gateway: { group: "g", edge: "e" },
  epoch: "00000000000000aa",
  number,
  device: "m",
  birthId: 1,
  from_ms: 0,
  to_ms: 0,
  crc32c: number,
  payload: new Uint8Array(bytes),
  intervals: [],
  emissions: [],
  record: null,
});

/** A store that refuses what the test says, and a record of what became of every batch. */
function staged(refuse: (batches: readonly NewBatch[]) => Error | null = () => null) {
  const committed: number[] = [];
  const refused: number[] = [];
  let transactions = 0;
  const commits = new Commits({
    store: {
      commitBatches(batches) {
        transactions += 1;
        const error = refuse(batches);
        if (error !== null) throw error;
        return batches.map((): BatchOutcome => "stored");
      },
    },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    onCommitted: (batches) => committed.push(...batches.map(({ number }) => number)),
    onRefused: ({ number }) => refused.push(number),
  });
  return { commits, committed, refused, transactions: () => transactions };
}

const withCode = (code: "STORE_BUSY" | "DISK_FULL" | "DISK_UNUSABLE" | "STORE_REFUSED" | "INTERNAL") =>
  new KhuXanhError(code, "no", { hint: "Wait." });

test("what was added is one transaction, when asked for or when it is much", () => {
  const { commits, committed, transactions } = staged();
  for (const number of [1, 2, 3]) commits.add(batch(number));
  expect([committed, transactions()]).toEqual([[], 0]);
  commits.commit();
  commits.commit();
  expect([committed, transactions()]).toEqual([[1, 2, 3], 1]);
  commits.add(batch(4, COMMIT_BYTES));
  expect([committed, transactions()]).toEqual([[1, 2, 3, 4], 2]);
});

test.each(["STORE_BUSY", "DISK_FULL", "DISK_UNUSABLE"] as const)(
  "%s confirms nothing, keeps nothing, refuses nothing",
  (code) => {
    let isBad = true;
    const { commits, committed, refused, transactions } = staged(() => (isBad ? withCode(code) : null));
    for (const number of [1, 2]) commits.add(batch(number));
    commits.commit();
    expect([committed, refused, transactions(), commits.notTaken]).toEqual([[], [], 1, 2]);
    isBad = false;
    commits.add(batch(1));
    commits.commit();
    expect(committed).toEqual([1]);
  },
);

test("an error nobody knows confirms nothing either", () => {
  const { commits, committed, refused } = staged(() => new Error("what?"));
  commits.add(batch(1));
  commits.commit();
  expect([committed, refused, commits.notTaken]).toEqual([[], [], 1]);
});

test.each(["STORE_REFUSED", "INTERNAL"] as const)("one batch that cannot be stored (%s) is refused alone", (code) => {
  const { commits, committed, refused } = staged((batches) =>
    batches.some(({ number }) => number === 2) ? withCode(code) : null,
  );
  for (const number of [1, 2, 3]) commits.add(batch(number));
  commits.commit();
  expect([committed, refused, commits.notTaken]).toEqual([[1, 3], [2], 0]);
});

test("a disk that fills up while batches are tried alone refuses none of the rest", () => {
  let tries = 0;
  const { commits, committed, refused } = staged(() => {
    tries += 1;
    return tries === 1 ? withCode("STORE_REFUSED") : tries === 2 ? null : withCode("DISK_FULL");
  });
  for (const number of [1, 2, 3]) commits.add(batch(number));
  commits.commit();
  expect([committed, refused, commits.notTaken]).toEqual([[1], [], 2]);
});
