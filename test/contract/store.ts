import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GatewayRow, MeterRow, NewBatch, Presence, ZoneStore } from "../../cloud/store/store.ts";
import { BATCH_NUMBER_MAX, NODE_DEVICE, PLAIN_EPOCH } from "../../cloud/store/store.ts";
import type { Emission } from "../../core/emission/emission.ts";
import type { Interval } from "../../core/interval/interval.ts";
import { decodePayload, encodeCanonical } from "../../core/wire/payload.ts";

/** A store and what it takes to look at the same content after a restart. */
export interface StoreUnderTest {
  readonly store: ZoneStore;
  /** Closes the store and opens it again on the same content. */
  reopen(): ZoneStore;
  /** Closes it and removes what it left. */
  dispose(): void;
}

export const GATEWAY = { group: "kcn", edge: "gw-01" } as const;
export const QUARTER_MS = 900_000;
export const START_MS = Date.UTC(2026, 9, 31, 17);

export function interval(index: number, change: Partial<Interval> = {}): Interval {
  const from_ms = START_MS + index * QUARTER_MS;
  return {
    device: "incomer",
    quantity: "active_energy_import_total",
    from_ms,
    to_ms: from_ms + QUARTER_MS,
    tick: { amount: "1", unit: "Wh" },
    ticks: 250_000n,
    flag: "M",
    coverage: 1,
    pollsExpected: 900,
    pollsAnswered: 900,
    cause: null,
    opening: {
      count: 1_000n + 250_000n * BigInt(index),
      words: { fc: 3, address: 3203, hex: "00000000000003E8", at_ms: from_ms - 5 },
      across: null,
    },
    closing: { count: 251_000n + 250_000n * BigInt(index), words: null, across: null },
    ...change,
  };
}

export function emission(index: number, change: Partial<Emission> = {}): Emission {
  const from_ms = START_MS + index * QUARTER_MS;
  return {
    device: "incomer",
    from_ms,
    to_ms: from_ms + QUARTER_MS,
    gas: "co2",
    mg: 164_800_000n,
    scope: 2,
    carrier: "electricity",
    factorId: "grid-vn",
    factorVersion: "2023",
    match: "provisional",
    ncv_MJ_per_Nm3: null,
    ...change,
  };
}

/** Every implementation of the port runs this. `now` is the clock by which entries become known. */
export function storeContract(name: string, make: (now: { ms: number }) => StoreUnderTest): void {
  describe(name, () => {
    const now = { ms: START_MS };
    let under: StoreUnderTest;
    let store: ZoneStore;
    let birthId = 0;

    beforeEach(() => {
      now.ms = START_MS;
      under = make(now);
      store = under.store;
      birthId = store.putBirth(
        { gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [born("Delivery/Batch", 1)] },
        null,
      );
    });
    afterEach(() => under.dispose());

    const batch = (number: number, change: Partial<NewBatch> = {}): NewBatch => ({
      gateway: GATEWAY,
      epoch: "e1",
      number,
      device: "incomer",
      birthId,
      from_ms: START_MS + number * 1000,
      to_ms: START_MS + number * 1000,
      crc32c: 0xdeadbeef,
      payload: new Uint8Array([1, 2, 3, number & 0xff]),
      intervals: [],
      emissions: [],
      record: null,
      ...change,
    });
    const incomer = [{ ...GATEWAY, device: "incomer" }];
    const hour = (index: number) => ({
      from_ms: START_MS + index * 3_600_000,
      to_ms: START_MS + (index + 1) * 3_600_000,
    });
    const heldIntervals = () =>
      store.intervals(GATEWAY, "incomer", "active_energy_import_total", 0, Number.MAX_SAFE_INTEGER, 1000);

    test("a birth of the same content has the same id, whatever the order of its properties; another content another", () => {
      const a = { name: "x", alias: 7, datatype: 4, properties: { tick: "1 W.h", modulus: "4294967296" } };
      const b = { name: "x", alias: 7, datatype: 4, properties: { modulus: "4294967296", tick: "1 W.h" } };
      const put = (metric: typeof a | typeof b, epoch = "e1") =>
        store.putBirth({ gateway: GATEWAY, epoch, device: "incomer", metrics: [metric] }, null);
      expect(put(b)).toBe(put(a));
      expect(put({ ...a, alias: 8 })).not.toBe(put(a));
      expect(put(a, "e2")).not.toBe(put(a));
      expect(store.birth(put(a, "e2"))).toEqual({ gateway: GATEWAY, epoch: "e2", device: "incomer", metrics: [a] });
      expect(store.birth(999_999)).toBeNull();
    });

    test("the newest birth describes the meter", () => {
      const meter = meterRow();
      const birth = { gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] };
      store.putBirth(birth, meter);
      const newest: MeterRow = {
        ...meter,
        modelVersion: "2",
        name: { vi: "Tổng", en: "Incomer" },
        accuracy: { meter_pct: 0.5, ct_pct: 0.2, vt_pct: null },
        supplier: "boiler-house",
      };
      store.putBirth(birth, newest);
      expect(store.meters()).toEqual([newest]);
    });

    test("a batch comes back byte for byte", () => {
      expect(store.commitBatches([batch(7)])).toEqual(["stored"]);
      const { intervals: _, emissions: __, record: ___, crc32c: ____, ...stored } = batch(7);
      const held = store.batches(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 10);
      expect(held.map((one) => ({ ...one, payload: new Uint8Array(one.payload) }))).toEqual([stored]);
    });

    test("a second delivery is a duplicate, also within one commit, and books nothing twice", () => {
      const one = batch(1, { intervals: [interval(0)], emissions: [emission(0)] });
      expect(store.commitBatches([one, one])).toEqual(["stored", "duplicate"]);
      expect(store.commitBatches([one])).toEqual(["duplicate"]);
      expect(heldIntervals()).toHaveLength(1);
      expect(store.sumEmissions(incomer, [hour(0)])[0]?.entries).toBe(1);
      expect(store.alarms(10)).toEqual([]);
    });

    test("other content under a held number goes to quarantine once, with an alarm, and changes no book", () => {
      store.commitBatches([batch(1, { intervals: [interval(0)] })]);
      const other = batch(1, { crc32c: 5, intervals: [interval(0, { ticks: 1n }), interval(1)] });
      expect(store.commitBatches([other])).toEqual(["differs"]);
      expect(store.commitBatches([other])).toEqual(["differs"]);
      expect(store.quarantineCount(GATEWAY)).toBe(1);
      expect(heldIntervals().map((one) => one.ticks)).toEqual([250_000n]);
      expect(store.alarms(10)).toMatchObject([
        { code: "BATCH_CONTENT_DIFFERS", gateway: GATEWAY, device: "incomer", detail: { epoch: "e1", batch: 1 } },
      ]);
    });

    test("what is in quarantine is counted of a gateway, or of one of its epochs up to a number", () => {
      const twice = (number: number, epoch: string) => [1, 2, 3].map((crc32c) => batch(number, { epoch, crc32c }));
      store.commitBatches([...twice(1, "e1"), ...twice(BATCH_NUMBER_MAX, "e1"), ...twice(1, "e2").slice(1)]);
      const counts = [undefined, "e1", "e2", "e9"].map((epoch) => store.quarantineCount(GATEWAY, epoch));
      expect(counts).toEqual([5, 4, 1, 0]);
      expect([1, BATCH_NUMBER_MAX].map((through) => store.quarantineCount(GATEWAY, "e1", through))).toEqual([2, 4]);
      expect(store.quarantineCount({ ...GATEWAY, edge: "gw-02" }, "e1")).toBe(0);
    });

    test("the same number of another epoch or gateway is another batch", () => {
      const gateway = { ...GATEWAY, edge: "gw-02" };
      const otherBirth = store.putBirth({ gateway, epoch: "e1", device: "incomer", metrics: [] }, null);
      expect(
        store.commitBatches([batch(1), batch(1, { epoch: "e2" }), batch(1, { gateway, birthId: otherBirth })]),
      ).toEqual(["stored", "stored", "stored"]);
      expect(store.batchRanges(GATEWAY, "e2")).toEqual([[1, 1]]);
      expect(store.batchRanges(gateway, "e1")).toEqual([[1, 1]]);
      expect(store.batchRanges(gateway, "e9")).toEqual([]);
    });

    test("one impossible batch of a commit leaves nothing of the whole commit", () => {
      expect(() =>
        store.commitBatches([batch(1, { intervals: [interval(0)] }), batch(BATCH_NUMBER_MAX + 1)]),
      ).toThrow();
      expect(() => store.commitBatches([batch(2, { epoch: "new", birthId: 424_242 })])).toThrow();
      expect(store.batchRanges(GATEWAY, "e1")).toEqual([]);
      expect(heldIntervals()).toEqual([]);
      // What was named only in the commit that failed can be named again.
      expect(store.commitBatches([batch(2, { epoch: "new", intervals: [interval(0)] })])).toEqual(["stored"]);
      expect(store.batchRanges(GATEWAY, "new")).toEqual([[2, 2]]);
    });

    test("samples without batch numbers are stored once each, by meter, metric and time, in whatever messages they come", () => {
      const sample = fc.record({ metric: fc.constantFrom("a", "b"), at: fc.nat(4), device: fc.constantFrom("x", "y") });
      fc.assert(
        fc.property(fc.array(fc.array(sample, { maxLength: 4 }), { maxLength: 12 }), (sent) => {
          const fresh = make(now);
          try {
            const born = { gateway: GATEWAY, epoch: PLAIN_EPOCH, device: "x", metrics: [] };
            const id = fresh.store.putBirth(born, null);
            const keys = new Set<string>();
            for (const samples of sent) {
              for (const device of ["x", "y"]) {
                const own = samples.filter((one) => one.device === device);
                const news = new Set(
                  own.map(({ metric, at }) => `${device} ${metric} ${at}`).filter((key) => !keys.has(key)),
                );
                for (const key of news) keys.add(key);
                const message = {
                  gateway: GATEWAY,
                  device,
                  birthId: id,
                  samples: own.map(({ metric, at }) => ({
                    metric,
                    at_ms: START_MS + at,
                    payload: encodeCanonical([{ name: metric, timestamp_ms: START_MS + at, doubleValue: at }]),
                  })),
                };
                expect(fresh.store.commitPlain([message, message])).toBe(news.size);
              }
            }
            const held = ["x", "y"].flatMap((device) =>
              fresh.store.batches(GATEWAY, device, START_MS, START_MS + 9, 1000).flatMap(({ payload, epoch }) =>
                decodePayload(payload).metrics.map(({ name, doubleValue }) => {
                  expect(epoch).toBe(PLAIN_EPOCH);
                  return `${device} ${name} ${doubleValue}`;
                }),
              ),
            );
            expect(held.sort()).toEqual([...keys].sort());
            const listed = fresh.store
              .plainDevices()
              .flatMap(({ device, metrics }) =>
                metrics.map(({ metric, newest_ms }) => `${device} ${metric} ${newest_ms - START_MS}`),
              );
            const newest = new Map([...keys].sort().map((key) => [key.slice(0, key.lastIndexOf(" ")), key]));
            expect(listed.sort()).toEqual([...newest.values()].sort());
            expect(fresh.store.countBatches(GATEWAY, "x", START_MS, START_MS + 1000, 1000).size).toBe(0);
          } finally {
            fresh.dispose();
          }
        }),
        { numRuns: 25 },
      );
    });

    test("the ranges are exactly the numbers committed, in any order and any division into commits", () => {
      fc.assert(
        fc.property(
          fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 12 }), { maxLength: 8 }),
          (commits) => {
            const fresh = make(now);
            try {
              const id = fresh.store.putBirth({ gateway: GATEWAY, epoch: "e1", device: "incomer", metrics: [] }, null);
              for (const numbers of commits) {
                fresh.store.commitBatches(numbers.map((number) => batch(number, { birthId: id })));
              }
              expect(fresh.store.batchRanges(GATEWAY, "e1")).toEqual(rangesOf(new Set(commits.flat())));
            } finally {
              fresh.dispose();
            }
          },
        ),
        { numRuns: 25 },
      );
    });

    test("an interval comes back as it went in, evidence and all", () => {
      const tooBig = interval(1, { ticks: 2n ** 60n, coverage: 1 - 1 / 3, flag: "X", cause: "meter-silent" });
      const unknown = interval(2, { ticks: null, coverage: 0, flag: "X", opening: null, closing: null });
      store.commitBatches([batch(3, { intervals: [interval(0), tooBig, unknown] })]);
      const where = { gateway: GATEWAY, epoch: "e1", batch: 3, verification: "pending" };
      const all = [interval(0), tooBig, unknown].map((one) => ({ ...one, ...where }));
      expect(heldIntervals()).toEqual(all);
      const newest = (limit: number) =>
        store.intervals(
          GATEWAY,
          "incomer",
          "active_energy_import_total",
          0,
          START_MS + 2 * QUARTER_MS,
          limit,
          "newest",
        );
      expect(newest(5)).toEqual([all[1], all[0]]);
      expect(newest(1)).toEqual([all[1]]);
      expect(store.intervals(GATEWAY, "nobody", "active_energy_import_total", 0, START_MS, 9)).toEqual([]);
      expect(store.intervalSpan(GATEWAY, "incomer")).toEqual({ from_ms: START_MS, to_ms: START_MS + 3 * QUARTER_MS });
      expect(store.intervalSpan(GATEWAY, "nobody")).toBeNull();
    });

    test("a boundary comes back with the readings on both sides of it, or on either", () => {
      const before = { fc: 4 as const, address: 12, hex: "00ABCDEF", at_ms: START_MS - 250 };
      const after = { fc: 4 as const, address: 12, hex: "00ABCDF1", at_ms: START_MS + 750 };
      const both = interval(0, {
        opening: { count: 7n, words: before, across: after },
        closing: { count: 9n, words: null, across: before },
      });
      const one = interval(1, {
        opening: { count: 9n, words: after, across: null },
        closing: { count: 9n, words: null, across: null },
      });
      store.commitBatches([batch(1, { intervals: [both, one] })]);
      expect(heldIntervals()).toMatchObject([both, one]);
    });

    test("a measured figure is final: a later, different one is an alarm and changes nothing", () => {
      store.commitBatches([batch(1, { intervals: [interval(0)], emissions: [emission(0)] })]);
      const second = batch(2, { intervals: [interval(0, { ticks: 250_001n })], emissions: [emission(0, { mg: 5n })] });
      expect(store.commitBatches([second])).toEqual(["stored"]);
      expect(heldIntervals()).toMatchObject([{ ticks: 250_000n, batch: 1 }]);
      expect(store.sumEmissions(incomer, [hour(0)])).toMatchObject([{ mg: 164_800_000n, entries: 1 }]);
      expect(store.alarms(10).map((alarm) => alarm.code)).toEqual(["EMISSION_REDEFINED", "INTERVAL_REDEFINED"]);
    });

    test("the same figure with other circumstances is no redefinition", () => {
      store.commitBatches([batch(1, { intervals: [interval(0)], emissions: [emission(0)] })]);
      const again = interval(0, { pollsAnswered: 3, cause: "not-polled", opening: null });
      store.commitBatches([batch(2, { intervals: [again], emissions: [emission(0)] })]);
      expect(heldIntervals()).toMatchObject([{ pollsAnswered: 900, batch: 1 }]);
      expect(store.alarms(10)).toEqual([]);
    });

    test("a better figure takes the place of a shared or missing one, its emissions follow, and the old stay readable", () => {
      const poor = interval(0, { ticks: 100_000n, flag: "X", coverage: 0.5, cause: "first-reading" });
      store.commitBatches([batch(1, { intervals: [poor], emissions: [emission(0, { mg: 65_920_000n })] })]);
      const old = store.emissions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 10)[0]!;
      now.ms += 60_000;
      store.commitBatches([batch(2, { intervals: [interval(0)], emissions: [emission(0)] })]);

      expect(heldIntervals()).toMatchObject([{ flag: "M", ticks: 250_000n, batch: 2 }]);
      const current = store.emissions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 10);
      expect(current).toMatchObject([{ mg: 164_800_000n, version: 2, supersededBy: null, knownFrom_ms: now.ms }]);
      expect(store.emission(old.id)).toEqual({ ...old, supersededBy: current[0]?.id });
      expect(store.sumEmissions(incomer, [hour(0)])).toMatchObject([{ mg: 164_800_000n, entries: 1 }]);
      expect(store.sumEmissions(incomer, [hour(0)], now.ms - 1)).toMatchObject([{ mg: 65_920_000n, entries: 1 }]);
      expect(store.sumEmissions(incomer, [hour(0)], now.ms)).toMatchObject([{ mg: 164_800_000n, entries: 1 }]);
      expect(store.sumEmissions(incomer, [hour(0)], START_MS - 1)).toEqual([]);
      expect(store.alarms(10)).toEqual([]);
      // And not back again.
      store.commitBatches([batch(3, { intervals: [poor] })]);
      expect(heldIntervals()).toMatchObject([{ flag: "M" }]);
      expect(store.alarms(10)).toMatchObject([{ code: "INTERVAL_REDEFINED" }]);
    });

    test("energy sums: a bucket without rows gives none, estimates and holes are told, quantities can be chosen", () => {
      const exported = { quantity: "active_energy_export_total" } as const;
      store.commitBatches([
        batch(1, {
          intervals: [
            interval(0),
            interval(1, { flag: "S", coverage: 0.25, ticks: 10n }),
            interval(2, { flag: "X", coverage: 0, ticks: null }),
            interval(3, { flag: "X", coverage: 0.5, ticks: 7n }),
            interval(8),
            interval(0, exported),
          ],
        }),
      ]);
      const sums = store.sumEnergy(incomer, [hour(0), hour(1), hour(2)], ["active_energy_import_total"]);
      expect(sums).toEqual([
        {
          gateway: GATEWAY,
          device: "incomer",
          quantity: "active_energy_import_total",
          bucket: 0,
          tick: { amount: "1", unit: "Wh" },
          ticks: 250_017n,
          estimatedTicks: 10n,
          rows_ms: 4 * QUARTER_MS,
          covered_ms: QUARTER_MS * 1.75,
          rows: 4,
          incomplete: 2,
          unknown: 1,
          disagreed: 0,
        },
        expect.objectContaining({ bucket: 2, ticks: 250_000n, rows: 1, covered_ms: QUARTER_MS, incomplete: 0 }),
      ]);
      expect(store.sumEnergy(incomer, [hour(0)]).map((sum) => sum.quantity)).toEqual([
        "active_energy_import_total",
        "active_energy_export_total",
      ]);
      expect(store.sumEnergy([{ ...GATEWAY, device: "nobody" }], [hour(0)])).toEqual([]);
      expect(store.sumEnergy(incomer, [])).toEqual([]);
    });

    test("what is not whole is counted by its cause", () => {
      const silent = { flag: "S", coverage: 0.5, cause: "meter-silent" } as const;
      store.commitBatches([
        batch(1, {
          intervals: [
            interval(0, { cause: "meter-silent" }),
            interval(1, silent),
            interval(2, silent),
            interval(3, { ...silent, cause: "clock" }),
            interval(4, { ...silent, cause: null }),
            interval(1, { ...silent, quantity: "active_energy_export_total" }),
          ],
        }),
      ]);
      const counts = store.countCauses(incomer, [hour(0), hour(1)], ["active_energy_import_total"]);
      const read = counts.map(({ bucket, cause, intervals }) => [bucket, cause, intervals]);
      expect(read).toHaveLength(3);
      expect(read).toEqual(
        expect.arrayContaining([
          [0, "meter-silent", 2],
          [0, "clock", 1],
          [1, null, 1],
        ]),
      );
      expect(store.countCauses(incomer, [hour(9)])).toEqual([]);
    });

    test("a bucket whose rows differ in tick, or in factor, is given in parts that are not mixed", () => {
      const kWh = { tick: { amount: "1", unit: "kWh" }, flag: "S", coverage: 0, ticks: 3n } as const;
      store.commitBatches([
        batch(1, {
          intervals: [interval(0), interval(1, kWh), interval(2, kWh)],
          emissions: [emission(0), emission(1, { factorVersion: "2024", match: "exact", mg: 9n }), emission(2)],
        }),
      ]);
      const parts = store.sumEnergy(incomer, [hour(0)]);
      expect(parts.map(({ tick, ticks, estimatedTicks, rows }) => [tick.unit, ticks, estimatedTicks, rows])).toEqual([
        ["Wh", 250_000n, 0n, 1],
        ["kWh", 6n, 6n, 2],
      ]);
      const emissions = store.sumEmissions(incomer, [hour(0)]);
      expect(emissions.map(({ factorVersion, mg, entries }) => [factorVersion, mg, entries])).toEqual([
        ["2023", 329_600_000n, 2],
        ["2024", 9n, 1],
      ]);
      expect(store.sumEmissions(incomer, [hour(0)], now.ms)).toEqual(emissions);
    });

    test("sums over any division of a period agree to the tick and the milligram", () => {
      const count = 48;
      store.commitBatches([
        batch(1, {
          intervals: Array.from({ length: count }, (_, at) => interval(at, { ticks: BigInt(at * at + 1) })),
          emissions: Array.from({ length: count }, (_, at) => emission(at, { mg: BigInt(at * 7 + 3) })),
        }),
      ]);
      const wholeTicks = Array.from({ length: count }, (_, at) => BigInt(at * at + 1)).reduce((a, b) => a + b);
      const wholeMg = Array.from({ length: count }, (_, at) => BigInt(at * 7 + 3)).reduce((a, b) => a + b);
      fc.assert(
        fc.property(fc.uniqueArray(fc.integer({ min: 1, max: count * QUARTER_MS - 1 }), { maxLength: 30 }), (cuts) => {
          const edges = [0, ...cuts.sort((a, b) => a - b), count * QUARTER_MS].map((at) => START_MS + at);
          const divided = edges.slice(1).map((to_ms, at) => ({ from_ms: edges[at]!, to_ms }));
          expect(store.sumEnergy(incomer, divided).reduce((sum, one) => sum + one.ticks, 0n)).toBe(wholeTicks);
          expect(store.sumEmissions(incomer, divided).reduce((sum, one) => sum + one.mg, 0n)).toBe(wholeMg);
        }),
        { numRuns: 40 },
      );
    });

    test("verification: pending ones in order up to a batch, a verdict sticks, a superseding figure is pending again", () => {
      const poor = interval(1, { flag: "S", coverage: 0 });
      store.commitBatches([
        batch(2, { intervals: [poor] }),
        batch(1, { intervals: [interval(0)] }),
        batch(3, { intervals: [interval(2)] }),
      ]);
      const pending = (through: number, limit = 10) => store.intervalsToVerify(GATEWAY, "e1", through, limit);
      expect(pending(2).map((one) => one.batch)).toEqual([1, 2]);
      expect(pending(3, 1).map((one) => one.batch)).toEqual([1]);
      expect(store.intervalsToVerify(GATEWAY, "e7", 9, 9)).toEqual([]);
      const [first, second] = pending(2);
      store.setVerifications([
        [first!, "agreed"],
        [second!, "disagreed"],
      ]);
      expect(heldIntervals().map((one) => one.verification)).toEqual(["agreed", "disagreed", "pending"]);
      expect(store.sumEnergy(incomer, [hour(0)])).toMatchObject([{ disagreed: 1, rows: 3 }]);
      const quantity = "active_energy_import_total";
      const oldest_ms = START_MS + QUARTER_MS;
      expect(store.disagreements()).toEqual([
        { gateway: GATEWAY, device: "incomer", quantity, intervals: 1, oldest_ms },
      ]);

      store.commitBatches([batch(4, { intervals: [interval(1)] })]);
      store.setVerifications([[second!, "disagreed"]]);
      expect(pending(9).map((one) => one.batch)).toEqual([3, 4]);
      expect(store.disagreements()).toEqual([]);
    });

    test("batches are found by time, also those that straddle it", () => {
      const at = (number: number, from: number, to: number) =>
        batch(number, { from_ms: START_MS + from, to_ms: START_MS + to });
      store.commitBatches([at(1, 0, 0), at(2, 1000, 4000), at(3, 6000, 6000), at(4, 8000, 9000)]);
      const found = (from: number, to: number, limit = 9) =>
        store.batches(GATEWAY, "incomer", START_MS + from, START_MS + to, limit).map((one) => one.number);
      expect(found(2000, 3000)).toEqual([2]);
      expect(found(4000, 6000)).toEqual([2, 3]);
      expect(found(4001, 5999)).toEqual([]);
      expect(found(0, 99_999, 2)).toEqual([1, 2]);
      const before = (time: number) => store.batchAtOrBefore(GATEWAY, "incomer", START_MS + time)?.number ?? null;
      const after = (time: number) => store.batchAtOrAfter(GATEWAY, "incomer", START_MS + time)?.number ?? null;
      expect([-1, 0, 999, 2000, 5000, 7999, 8500, 99_999].map(before)).toEqual([null, 1, 1, 2, 2, 3, 4, 4]);
      expect([-1, 0, 1, 2000, 4001, 8500, 9001].map(after)).toEqual([1, 1, 2, 2, 3, 4, null]);
      expect(store.batchAtOrBefore(GATEWAY, "nobody", START_MS)).toBeNull();
    });

    test("what a gateway reports of itself is kept once, found by the time it speaks of, and what it lost is known", () => {
      const loss = {
        kind: "loss",
        at_ms: START_MS + 5000,
        epoch: "00000000000000e0",
        device: null,
        from_ms: START_MS,
        to_ms: START_MS + 1000,
        count: 4,
        what: "samples",
        why: "size-bound",
        batches: [
          { first: 3, last: 5 },
          { first: 9, last: 9 },
        ],
      } as const;
      const clock = {
        kind: "clock",
        at_ms: START_MS,
        epoch: "00000000000000e0",
        boot: 2,
        batches: [{ first: 1, last: 2 }],
        offset_ms: -7000,
      } as const;
      const report = (number: number, record: NewBatch["record"]) =>
        batch(number, { device: NODE_DEVICE, birthId: nodeBirthId, crc32c: number, record });
      const nodeBirthId = store.putBirth({ gateway: GATEWAY, epoch: "e1", device: NODE_DEVICE, metrics: [] }, null);
      expect(store.commitBatches([report(1, loss), report(2, clock), report(1, loss)])).toEqual([
        "stored",
        "stored",
        "duplicate",
      ]);
      const found = (from: number, to: number) =>
        store.nodeRecords(GATEWAY, "loss", START_MS + from, START_MS + to, 9).map(({ batch: number }) => number);
      expect([found(0, 1), found(1000, 2000), found(1001, 2000), found(-5, 0)]).toEqual([[1], [1], [], []]);
      expect(store.nodeRecords(GATEWAY, "loss", 0, Number.MAX_SAFE_INTEGER, 9)).toEqual([
        { gateway: GATEWAY, epoch: "e1", batch: 1, record: loss },
      ]);
      expect(store.nodeRecords(GATEWAY, "clock", 0, Number.MAX_SAFE_INTEGER, 9)).toMatchObject([{ record: clock }]);
      expect(store.nodeRecords({ ...GATEWAY, edge: "other" }, "clock", 0, Number.MAX_SAFE_INTEGER, 9)).toEqual([]);
      expect(store.lostRanges(GATEWAY, "00000000000000e0")).toEqual([
        [3, 5],
        [9, 9],
      ]);
      expect(store.lostRanges(GATEWAY, "e1")).toEqual([]);
      expect(store.meters()).toEqual([]);
    });

    test("presence in a period begins with the state in force at its start", () => {
      const change = (at: number, state: Presence["state"]) =>
        store.putPresence({ gateway: GATEWAY, at_ms: START_MS + at, state });
      change(0, "online");
      change(10, "offline");
      change(20, "unknown");
      change(30, "online");
      const states = (from: number, to: number) =>
        store.presence(GATEWAY, START_MS + from, START_MS + to).map(({ at_ms, state }) => [at_ms - START_MS, state]);
      expect(states(15, 25)).toEqual([
        [10, "offline"],
        [20, "unknown"],
      ]);
      expect(states(10, 20)).toEqual([[10, "offline"]]);
      expect(states(-5, 10)).toEqual([[0, "online"]]);
      expect(states(40, 50)).toEqual([[30, "online"]]);
      expect(store.presence({ ...GATEWAY, edge: "other" }, 0, Number.MAX_SAFE_INTEGER)).toEqual([]);
    });

    test("gateways, alarms, dead letters and own values are kept", () => {
      const row = gatewayRow();
      store.putGateway(row);
      store.putGateway({ ...row, online: false, epoch: null, clockOffset_ms: -12.5 });
      expect(store.gateways()).toEqual([{ ...row, online: false, epoch: null, clockOffset_ms: -12.5 }]);

      const letter = {
        gateway: GATEWAY,
        topic: "t",
        at_ms: 5,
        code: "WIRE_MALFORMED",
        why: "short",
        payload: new Uint8Array(3),
        content: null,
        batch: { epoch: "e9", number: 4 },
      };
      store.deadLetter(letter);
      expect(store.deadLetterCount(GATEWAY)).toBe(1);
      expect(store.deadLetterCount({ group: "kcn", edge: "other" })).toBe(0);
      expect(store.lostRanges(GATEWAY, "e9")).toEqual([[4, 4]]);

      store.putAlarm({ code: "A", gateway: null, device: null, at_ms: 1, detail: {} });
      store.putAlarm({ code: "B", gateway: GATEWAY, device: "gas", at_ms: 2, detail: { n: 1, why: "x" } });
      expect(store.alarms(1)).toEqual([
        { code: "B", gateway: GATEWAY, device: "gas", at_ms: 2, detail: { n: 1, why: "x" } },
      ]);
      expect(store.alarms(9).map((alarm) => alarm.code)).toEqual(["B", "A"]);

      expect(store.getValue("state")).toBeNull();
      store.setValue("state", "1");
      store.setValue("state", "2");
      expect(store.getValue("state")).toBe("2");
    });

    test("everything is there after a restart, and goes on from there", () => {
      store.putGateway(gatewayRow());
      store.commitBatches([batch(1, { to_ms: START_MS + 60_000, intervals: [interval(0)], emissions: [emission(0)] })]);
      const before = { held: heldIntervals(), sums: store.sumEmissions(incomer, [hour(0)]) };
      store = under.reopen();
      expect({ held: heldIntervals(), sums: store.sumEmissions(incomer, [hour(0)]) }).toEqual(before);
      expect(store.gateways()).toEqual([gatewayRow()]);
      expect(store.batchAtOrBefore(GATEWAY, "incomer", START_MS + 30_000)?.number).toBe(1);
      expect(store.commitBatches([batch(1), batch(2, { emissions: [emission(1)] })])).toEqual(["duplicate", "stored"]);
      expect(store.batchRanges(GATEWAY, "e1")).toEqual([[1, 2]]);
      const ids = store.emissions(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 9).map((one) => one.id);
      expect(new Set(ids).size).toBe(2);
    });
  });
}

function born(name: string, alias: number) {
  return { name, alias, datatype: 4, properties: {} };
}

function meterRow(): MeterRow {
  return {
    gateway: GATEWAY,
    device: "incomer",
    model: "schneider-pm5000",
    modelVersion: "1",
    carrier: "electricity",
    role: "import",
    parent: null,
    interval_ms: QUARTER_MS,
    time_zone: "Asia/Ho_Chi_Minh",
    name: null,
    accuracy: null,
    supplier: null,
  };
}

function gatewayRow(): GatewayRow {
  return {
    gateway: GATEWAY,
    epoch: "e1",
    online: true,
    bdSeq: 3,
    lastSeen_ms: START_MS,
    bornAt_ms: START_MS - 1,
    pending: 0,
    oldestPending_ms: null,
    clockOffset_ms: 12,
    software: "khuxanh 0.1.0",
    duplicates: 2,
    received: 9,
  };
}

function rangesOf(numbers: ReadonlySet<number>): (readonly [number, number])[] {
  const ranges: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}
