import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NewBatch, ZoneStore } from "../../cloud/store/store.ts";
import type { Emission } from "../../core/emission/emission.ts";
import { emission, GATEWAY, interval, QUARTER_MS, START_MS, type StoreUnderTest } from "./store.ts";

/** Restating never overwrites: every implementation of the store's port runs this. */
export function restatementContract(name: string, make: (now: { ms: number }) => StoreUnderTest): void {
  describe(`${name}: restatement`, () => {
    const now = { ms: START_MS };
    let under: StoreUnderTest;
    let store: ZoneStore;
    let birthId = 0;

    beforeEach(() => {
      now.ms = START_MS;
      under = make(now);
      store = under.store;
      birthId = store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] }, null);
    });
    afterEach(() => under.dispose());

    const incomer = [{ ...GATEWAY, device: "incomer" }];
    const day = [{ from_ms: START_MS, to_ms: START_MS + 96 * QUARTER_MS }];
    const book = (count: number, change: (i: number) => Partial<Emission> = () => ({}), number = 1, epoch = "e1") =>
      store.commitBatches([
        {
          gateway: GATEWAY,
          epoch,
          number,
          device: "incomer",
          birthId,
          from_ms: START_MS,
          to_ms: START_MS,
          crc32c: 1,
          payload: new Uint8Array([number]),
          intervals: Array.from({ length: count }, (_, i) => interval(i)),
          emissions: Array.from({ length: count }, (_, i) => emission(i, change(i))),
          record: null,
        } satisfies NewBatch,
      ]);
    const restate = (entries: readonly Emission[], reason = "the letter of 2026 came") =>
      store.restate({ gateway: GATEWAY, device: "incomer", runAt_ms: now.ms, reason, entries });
    const sum = (knownAt_ms?: number) =>
      store
        .sumEmissions(incomer, day, knownAt_ms)
        .map(({ factorVersion, mg, entries }) => [factorVersion, mg, entries]);
    const published = (i: number, mg: bigint) => emission(i, { factorVersion: "2026", match: "exact", mg });

    test("new entries take the place of the old, which stay as they were known", () => {
      book(3);
      const before = store.emissions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9);
      now.ms += 1000;
      expect(restate([0, 1, 2].map((i) => published(i, 167_500_000n)))).toBe(3);
      expect(sum()).toEqual([["2026", 502_500_000n, 3]]);
      expect(sum(START_MS)).toEqual([["2023", 494_400_000n, 3]]);
      for (const old of before) {
        const { supersededBy, ...rest } = store.emission(old.id)!;
        expect({ ...rest, supersededBy: null }).toEqual(old);
        expect(store.emission(supersededBy!)).toMatchObject({ version: 2, mg: 167_500_000n, batch: old.batch });
      }
    });

    test("the run says what it changed, from which factor to which, why, and by how much", () => {
      book(2);
      now.ms += 1000;
      restate([published(0, 167_500_000n)]);
      restate([published(1, 167_500_001n)]);
      const [run, ...more] = store.restatements(GATEWAY, "incomer", START_MS, START_MS + 1, 10);
      expect(more).toEqual([]);
      expect(run).toEqual({
        id: 1,
        gateway: GATEWAY,
        device: "incomer",
        runAt_ms: START_MS + 1000,
        gas: "co2",
        factorBefore: "grid-vn@2023",
        factorAfter: "grid-vn@2026",
        reason: "the letter of 2026 came",
        from_ms: START_MS,
        to_ms: START_MS + 2 * QUARTER_MS,
        entries: 2,
        before_mg: 329_600_000n,
        after_mg: 335_000_001n,
      });
      expect(store.restatements(GATEWAY, "incomer", 0, START_MS, 10)).toEqual([]);
      expect(store.restatements(GATEWAY, "other", 0, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
    });

    test("an entry leads to all its versions, each with its reason", () => {
      book(1);
      now.ms += 1000;
      restate([published(0, 5n)], "first");
      now.ms += 1000;
      restate([emission(0, { factorVersion: "2026b", match: "exact", mg: 6n })], "second");
      const [entry] = store.emissions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9);
      const versions = store.emissionVersions(entry!.id);
      expect(versions.map(({ entry: { version, mg }, reason }) => [version, mg, reason])).toEqual([
        [1, 164_800_000n, null],
        [2, 5n, "first"],
        [3, 6n, "second"],
      ]);
      expect(store.emissionVersions(versions[0]!.entry.id)).toEqual(versions);
      expect(store.emissionVersions(999)).toEqual([]);
    });

    test("what is equal to the entry in force is left as it is", () => {
      book(2);
      expect(restate([emission(0), emission(1)])).toBe(0);
      expect(store.restatements(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
    });

    test("a gas that nothing was booked for is booked now; an interval that is not there gets none", () => {
      book(1);
      now.ms += 1000;
      expect(restate([emission(0, { gas: "ch4", mg: 7n }), emission(5, { mg: 1n })])).toBe(1);
      const [run] = store.restatements(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 10);
      expect(run).toMatchObject({ gas: "ch4", factorBefore: null, before_mg: 0n, after_mg: 7n });
      expect(store.sumEmissions(incomer, day, START_MS).map(({ gas }) => gas)).toEqual(["co2"]);
    });

    test("the gateway's figure that comes once more under another epoch raises no alarm and changes nothing", () => {
      book(1);
      now.ms += 1000;
      restate([published(0, 167_500_000n)]);
      book(1, () => ({}), 1, "e2");
      expect(store.alarms(9)).toEqual([]);
      expect(sum()).toEqual([["2026", 167_500_000n, 1]]);
    });

    test("whatever is restated, every earlier moment keeps its figure to the last digit, also after a restart", () => {
      const run = fc.array(
        fc.record({ i: fc.integer({ min: 0, max: 5 }), mg: fc.bigInt({ min: 0n, max: 10n ** 14n }) }),
        { minLength: 1, maxLength: 6 },
      );
      fc.assert(
        fc.property(fc.array(run, { maxLength: 6 }), (runs) => {
          under.dispose();
          now.ms = START_MS;
          under = make(now);
          store = under.store;
          birthId = store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] }, null);
          book(6);
          const seen = new Map([[now.ms, sum()]]);
          for (const [r, entries] of runs.entries()) {
            now.ms += 1000;
            const once = new Map(entries.map((entry) => [entry.i, entry]));
            restate([...once.values()].map(({ i, mg }) => emission(i, { factorVersion: `v${r}`, match: "exact", mg })));
            seen.set(now.ms, sum());
          }
          store = under.reopen();
          for (const [at_ms, figures] of seen) expect(sum(at_ms)).toEqual(figures);
          expect(sum()).toEqual(seen.get(now.ms));
        }),
        { numRuns: 25 },
      );
    });
  });
}
