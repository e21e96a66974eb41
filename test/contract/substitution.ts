import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NewBatch, NewSubstitution, ZoneStore } from "../../cloud/store/store.ts";
import type { Interval } from "../../core/interval/interval.ts";
import { emission, GATEWAY, interval, QUARTER_MS, START_MS, type StoreUnderTest } from "./store.ts";

/** What stands in for missing data is an entry of its own: every implementation of the store's port runs this. */
export function substitutionContract(name: string, make: (now: { ms: number }) => StoreUnderTest): void {
  describe(`${name}: substitution`, () => {
    const now = { ms: START_MS };
    let under: StoreUnderTest;
    let store: ZoneStore;
    let birthId = 0;
    let number = 0;

    beforeEach(() => {
      now.ms = START_MS;
      number = 0;
      under = make(now);
      store = under.store;
      birthId = store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] }, null);
    });
    afterEach(() => under.dispose());

    const book = (intervals: readonly Interval[]) => {
      number += 1;
      const batch: NewBatch = {
        gateway: GATEWAY,
        epoch: "e1",
        number,
        device: "incomer",
        birthId,
        from_ms: START_MS,
        to_ms: START_MS,
        crc32c: number,
        payload: new Uint8Array([number]),
        intervals,
        emissions: intervals.flatMap((one) =>
          one.ticks === null ? [] : [{ ...emission(0), from_ms: one.from_ms, to_ms: one.to_ms }],
        ),
        record: null,
      };
      return store.commitBatches([batch]);
    };
    const missing = (index: number, ticks: bigint | null = null) =>
      interval(index, { ticks, flag: "X", coverage: 0, cause: "meter-silent", opening: null, closing: null });
    const fill = (
      first: number,
      amounts: readonly bigint[],
      change: Partial<NewSubstitution> = {},
    ): NewSubstitution => ({
      gateway: GATEWAY,
      device: "incomer",
      quantity: "active_energy_import_total",
      name: "boiler hall, 3 November",
      rule: "comparable-weeks",
      flag: "S",
      inputs: { weeks: "4" },
      author: "Nguyễn Văn An",
      tick: { amount: "1", unit: "Wh" },
      intervals: amounts.map((ticks, i) => ({
        from_ms: START_MS + (first + i) * QUARTER_MS,
        to_ms: START_MS + (first + i + 1) * QUARTER_MS,
        ticks,
      })),
      ...change,
    });
    const held = () =>
      store
        .intervals(GATEWAY, "incomer", "active_energy_import_total", 0, Number.MAX_SAFE_INTEGER, 99)
        .map(({ ticks, flag, epoch }) => [ticks, flag, epoch]);

    test("it fills what is missing or absent, and leaves measured intervals alone", () => {
      book([interval(0), missing(1), interval(3)]);
      const stored = store.substitute(fill(0, [1n, 2n, 3n, 4n]));
      expect(stored).toMatchObject({
        id: 1,
        intervals: 2,
        author: "Nguyễn Văn An",
        rule: "comparable-weeks",
        flag: "S",
      });
      expect(held()).toEqual([
        [250_000n, "M", "e1"],
        [2n, "S", "substituted"],
        [3n, "S", "substituted"],
        [250_000n, "M", "e1"],
      ]);
    });

    test("who filled which gap by what rule is kept, and found by name, number and time, also after a restart", () => {
      book([missing(0)]);
      const stored = store.substitute(fill(0, [7n]))!;
      store = under.reopen();
      expect(store.substitution(stored.id)).toEqual(stored);
      expect(store.findSubstitution(stored.name)).toEqual(stored);
      expect(store.substitutions(GATEWAY, "incomer", START_MS, START_MS + 1, 9)).toEqual([stored]);
      expect(store.substitutions(GATEWAY, "incomer", START_MS + QUARTER_MS, START_MS + 2 * QUARTER_MS, 9)).toEqual([]);
      expect(store.findSubstitution("another")).toBeNull();
      expect(store.substitution(99)).toBeNull();
    });

    test("a name is given once: a fill is never changed, a better one has another name", () => {
      book([missing(0)]);
      store.substitute(fill(0, [7n]));
      expect(store.substitute(fill(0, [8n]))).toBeNull();
      expect(held()).toEqual([[7n, "S", "substituted"]]);
      expect(store.substitute(fill(0, [9n], { name: "by the invoice", rule: "invoice", flag: "E" }))?.intervals).toBe(
        1,
      );
      expect(held()).toEqual([[9n, "E", "substituted"]]);
    });

    test("a fill is never less than what is known to have been counted", () => {
      book([missing(0, 50n)]);
      store.substitute(fill(0, [7n]));
      expect(held()).toEqual([[50n, "S", "substituted"]]);
    });

    test("what the gateway sends late takes the fill's place with its emissions; that it knows nothing does not", () => {
      book([missing(0)]);
      store.substitute(fill(0, [7n, 8n]));
      const entries = [0, 1].map((i) => ({ ...emission(i), mg: 5n }));
      store.restate({ gateway: GATEWAY, device: "incomer", runAt_ms: now.ms, reason: "gap-filled", entries });
      book([interval(0), missing(1)]);
      expect(held()).toEqual([
        [250_000n, "M", "e1"],
        [8n, "S", "substituted"],
      ]);
      const masses = store.emissions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9).map(({ mg }) => mg);
      expect(masses).toEqual([164_800_000n, 5n]);
      expect(store.alarms(9)).toEqual([]);
    });

    test("a filled total counts as estimated and is a lower bound no more", () => {
      book([interval(0), missing(1)]);
      const bucket = [{ from_ms: START_MS, to_ms: START_MS + 2 * QUARTER_MS }];
      const sum = () => store.sumEnergy([{ ...GATEWAY, device: "incomer" }], bucket)[0];
      expect(sum()).toMatchObject({ ticks: 250_000n, estimatedTicks: 0n, incomplete: 1, unknown: 1 });
      store.substitute(fill(1, [30_000n]));
      expect(sum()).toMatchObject({ ticks: 280_000n, estimatedTicks: 30_000n, incomplete: 0, unknown: 0 });
    });
  });
}
