import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NewBatch, ZoneStore } from "../../cloud/store/store.ts";
import type { Emission } from "../../core/emission/emission.ts";
import type { Interval } from "../../core/interval/interval.ts";
import { emission, GATEWAY, interval, START_MS, type StoreUnderTest } from "./store.ts";

/** What a gateway knows less of than was known here, and what is recomputed then: every implementation of the port runs this. */
export function correctionContract(name: string, make: (now: { ms: number }) => StoreUnderTest): void {
  describe(`${name}: correction`, () => {
    const now = { ms: START_MS };
    let under: StoreUnderTest;
    let store: ZoneStore;
    let number = 0;

    beforeEach(() => {
      now.ms = START_MS;
      number = 0;
      under = make(now);
      store = under.store;
    });
    afterEach(() => under.dispose());

    const book = (epoch: string, intervals: readonly Interval[], emissions: readonly Emission[] = []) => {
      number += 1;
      const birthId = store.putBirth({ gateway: GATEWAY, epoch, device: "incomer", metrics: [] }, null);
      const at = { from_ms: START_MS, to_ms: START_MS, crc32c: number, payload: new Uint8Array([number]) };
      const batch: NewBatch = {
        ...at,
        gateway: GATEWAY,
        epoch,
        number,
        device: "incomer",
        birthId,
        intervals,
        emissions,
        record: null,
      };
      return store.commitBatches([batch]);
    };
    const held = () => store.intervals(GATEWAY, "incomer", "active_energy_import_total", 0, Number.MAX_SAFE_INTEGER, 9);
    const inForce = () => store.emissions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9);
    const earlier = () => store.earlierIntervals(GATEWAY, "incomer", "active_energy_import_total", START_MS);
    const shared = (change: Partial<Interval> = {}) =>
      interval(0, { flag: "S", ticks: 240_000n, coverage: 0, cause: "not-polled", ...change });
    const incomer = [{ ...GATEWAY, device: "incomer" }];
    const quarter = [{ from_ms: START_MS, to_ms: START_MS + 900_000 }];
    const recomputed = () =>
      store.correct({
        interval: held()[0]!,
        figure: interval(0),
        entries: [emission(0)],
        runAt_ms: now.ms,
      });

    test("a worse figure under another epoch changes nothing, emits nothing and is no alarm: it is counted", () => {
      book("e1", [interval(0)], [emission(0)]);
      book("e2", [shared()], [emission(0, { mg: 5n }), emission(0, { mg: 5n, gas: "ch4" })]);
      expect(held()).toMatchObject([{ flag: "M", ticks: 250_000n, epoch: "e1" }]);
      expect(inForce()).toMatchObject([{ gas: "co2", mg: 164_800_000n, epoch: "e1", version: 1 }]);
      expect(store.outdoneIntervals()).toBe(1);
      expect(store.alarms(9)).toEqual([]);
    });

    test("of two that are shared out the one that measures less is the worse one", () => {
      book("e1", [shared({ coverage: 0.8 })]);
      book("e2", [shared({ coverage: 0.7, ticks: 240_001n })]);
      expect(held()).toMatchObject([{ ticks: 240_000n, epoch: "e1" }]);
      expect(store.alarms(9)).toEqual([]);
      book("e2", [shared({ coverage: 0.8, ticks: 240_001n })]);
      expect(store.alarms(9).map(({ code }) => code)).toEqual(["INTERVAL_REDEFINED"]);
    });

    test("a worse figure within the epoch is an alarm, and so is another one of the same quality under the next", () => {
      book("e1", [interval(0)]);
      book("e1", [shared()]);
      book("e2", [interval(0, { ticks: 250_001n })]);
      expect(held()).toMatchObject([{ ticks: 250_000n }]);
      expect(store.alarms(9).map(({ code }) => code)).toEqual(["INTERVAL_REDEFINED", "INTERVAL_REDEFINED"]);
      expect(store.outdoneIntervals()).toBe(0);
    });

    test("a recomputed figure takes the gateway's place with its emissions, and both are told", () => {
      book("e2", [shared()], [emission(0, { mg: 9n })]);
      const [before] = inForce();
      now.ms += 60_000;
      expect(recomputed()).toBe(true);
      store = under.reopen();
      expect(held()).toMatchObject([
        { flag: "M", ticks: 250_000n, coverage: 1, verification: "recomputed", epoch: "e2", batch: 1 },
      ]);
      expect(earlier()).toMatchObject([
        { flag: "S", ticks: 240_000n, verification: "unverifiable", epoch: "e2", batch: 1, superseded_ms: now.ms },
      ]);
      expect(store.intervalsToVerify(GATEWAY, "e2", 9, 9)).toEqual([]);
      expect(inForce()).toMatchObject([{ mg: 164_800_000n, version: 2, epoch: "e2", batch: 1 }]);
      expect(store.emissionVersions(before!.id).map(({ entry, reason }) => [entry.mg, reason])).toEqual([
        [9n, null],
        [164_800_000n, "interval-corrected"],
      ]);
      expect(store.sumEmissions(incomer, quarter, now.ms - 1)).toMatchObject([{ mg: 9n }]);
      expect(store.restatements(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9)).toMatchObject([
        { reason: "interval-corrected", before_mg: 9n, after_mg: 164_800_000n, entries: 1 },
      ]);
    });

    test("a recomputed figure stands against what any later epoch shares out, and gives way to what is measured better", () => {
      book("e2", [shared()]);
      store.correct({ interval: held()[0]!, figure: shared({ ticks: 245_000n }), entries: [], runAt_ms: now.ms });
      book("e3", [shared({ ticks: 230_000n })]);
      expect(held()).toMatchObject([{ ticks: 245_000n, verification: "recomputed" }]);
      expect(store.alarms(9)).toEqual([]);
      book("e3", [interval(0)]);
      expect(held()).toMatchObject([{ ticks: 250_000n, flag: "M", epoch: "e3", verification: "pending" }]);
      expect(earlier().map(({ ticks }) => ticks)).toEqual([240_000n, 245_000n]);
    });

    test("what was superseded meanwhile is not corrected", () => {
      book("e2", [shared()]);
      const [stale] = held();
      book("e3", [interval(0, { ticks: 250_007n })]);
      const correction = { interval: stale!, figure: interval(0), entries: [emission(0)], runAt_ms: now.ms };
      expect(store.correct(correction)).toBe(false);
      expect(held()).toMatchObject([{ ticks: 250_007n, epoch: "e3" }]);
      expect(inForce()).toEqual([]);
    });
  });
}
