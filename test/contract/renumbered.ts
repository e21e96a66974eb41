import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GatewayKey, NewBatch, ZoneStore } from "../../cloud/store/store.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { decodePayload, encodeCanonical, type Metric } from "../../core/wire/payload.ts";
import { emission, GATEWAY, interval, START_MS, type StoreUnderTest } from "./store.ts";

const NAMES = ["Energy/Active/Import/Total", "Power/Active/Total", "Voltage/L1"] as const;
const EPOCHS = ["00000000000000e1", "00000000000000e2", "00000000000000e3"] as const;

/** Content that a gateway numbers anew under another epoch, as every store treats it. `now` is the clock by which entries become known. */
export function renumberedContract(name: string, make: (now: { ms: number }) => StoreUnderTest): void {
  describe(name, () => {
    let under: StoreUnderTest;
    let store: ZoneStore;
    beforeEach(() => {
      under = make({ ms: START_MS });
      store = under.store;
    });
    afterEach(() => under.dispose());

    /** Aliases of an epoch: the first name has `aliases[0]`. */
    const birthOf = (
      in_: ZoneStore,
      epoch: string,
      aliases: readonly number[],
      gateway: GatewayKey = GATEWAY,
      device = "incomer",
    ) =>
      in_.putBirth(
        {
          gateway,
          epoch,
          device,
          metrics: NAMES.map((metric, i) => ({ name: metric, alias: aliases[i]!, datatype: 10, properties: {} })),
        },
        null,
      );
    /** The poll of a second, whose values follow from it, under these aliases. */
    const poll = (second: number, aliases: readonly number[]): Metric[] =>
      NAMES.map((_, i) => ({
        alias: aliases[i]!,
        timestamp_ms: START_MS + second * 1000,
        doubleValue: second * 10 + i,
      }));
    const batch = (epoch: string, number: number, birthId: number, metrics: readonly Metric[]): NewBatch => {
      const payload = encodeCanonical(metrics);
      const at_ms = metrics[0]?.timestamp_ms ?? START_MS;
      const content = { from_ms: at_ms, to_ms: at_ms, payload, crc32c: crc32c(payload) };
      const none = { intervals: [], emissions: [], record: null };
      return {
        gateway: GATEWAY,
        epoch,
        number,
        device: "incomer",
        birthId,
        ...content,
        ...none,
        mayBeRenumbered: true,
      };
    };
    const held = (in_ = store) => in_.batches(GATEWAY, "incomer", 0, Number.MAX_SAFE_INTEGER, 10_000);
    const [E1, E2] = EPOCHS;

    test("it is not stored again under other aliases, in another order or later, and its number is held", () => {
      const [a, b] = [birthOf(store, E1, [1, 2, 3]), birthOf(store, E2, [3, 1, 2])];
      const booked = { intervals: [interval(0)], emissions: [emission(0)] };
      expect(store.commitBatches([{ ...batch(E1, 7, a, poll(5, [1, 2, 3])), ...booked }])).toEqual(["stored"]);
      const again = { ...batch(E2, 1, b, poll(5, [3, 1, 2]).reverse()), ...booked };
      expect(store.commitBatches([again, again])).toEqual(["renumbered", "renumbered"]);
      const reopened = under.reopen();
      expect(reopened.commitBatches([again])).toEqual(["renumbered"]);
      expect(reopened.batchRanges(GATEWAY, E2)).toEqual([[1, 1]]);
      expect(held(reopened).map(({ epoch, number }) => [epoch, number])).toEqual([[E1, 7]]);
      expect(reopened.alarms(10)).toEqual([]);
    });

    test("an epoch whose first commit failed is known when it comes again", () => {
      const [a, b] = [birthOf(store, E1, [1, 2, 3]), birthOf(store, E1, [1, 2, 3], GATEWAY, "beside")];
      store.commitBatches([batch(E1, 1, a, poll(1, [1, 2, 3]))]);
      const gateway = { ...GATEWAY, edge: "gw-02" };
      const stray = { ...batch(E1, 1, b, poll(9, [1, 2, 3])), gateway };
      expect(() => store.commitBatches([stray, batch(E2, 1, 424_242, poll(1, [1, 2, 3]))])).toThrow();
      const again = birthOf(store, E2, [3, 1, 2]);
      expect(store.commitBatches([batch(E2, 1, again, poll(1, [3, 1, 2]))])).toEqual(["renumbered"]);
    });

    test("one batch of a commit is known to the next", () => {
      const [a, b] = [birthOf(store, E1, [1, 2, 3]), birthOf(store, E2, [1, 2, 3])];
      const outcomes = store.commitBatches([batch(E1, 1, a, poll(1, [1, 2, 3])), batch(E2, 1, b, poll(1, [1, 2, 3]))]);
      expect(outcomes).toEqual(["stored", "renumbered"]);
    });

    test.each([
      {
        what: "another value",
        change: (metrics: Metric[]) => [{ ...metrics[0]!, doubleValue: 1 }, ...metrics.slice(1)],
      },
      { what: "one metric more", change: (metrics: Metric[]) => [...metrics, { ...metrics[0]!, alias: 9 }] },
      { what: "one metric less", change: (metrics: Metric[]) => metrics.slice(1) },
      {
        what: "no value",
        change: ([first, ...rest]: Metric[]) => [
          { alias: first!.alias!, timestamp_ms: first!.timestamp_ms!, isNull: true },
          ...rest,
        ],
      },
      {
        what: "the values of each other",
        change: ([a, b, ...rest]: Metric[]) => [{ ...a!, alias: b!.alias! }, { ...b!, alias: a!.alias! }, ...rest],
      },
    ])("$what at the same instant is other content: it is stored", ({ change }) => {
      const [a, b] = [birthOf(store, E1, [1, 2, 3]), birthOf(store, E2, [1, 2, 3])];
      store.commitBatches([batch(E1, 1, a, poll(1, [1, 2, 3]))]);
      expect(store.commitBatches([batch(E2, 1, b, change(poll(1, [1, 2, 3])))])).toEqual(["stored"]);
      expect(held()).toHaveLength(2);
    });

    test("the same bytes mean other content where the births differ, and are stored", () => {
      const [a, b] = [birthOf(store, E1, [1, 2, 3]), birthOf(store, E2, [2, 1, 3])];
      store.commitBatches([batch(E1, 1, a, poll(1, [1, 2, 3]))]);
      expect(store.commitBatches([batch(E2, 1, b, poll(1, [1, 2, 3]))])).toEqual(["stored"]);
    });

    test("what was recorded in its own epoch is stored, whatever another one holds; so is what another gateway or meter sent", () => {
      const [a, b] = [birthOf(store, E1, [1, 2, 3]), birthOf(store, E2, [1, 2, 3])];
      store.commitBatches([batch(E1, 1, a, poll(1, [1, 2, 3]))]);
      const here = { ...batch(E2, 1, b, poll(1, [1, 2, 3])), mayBeRenumbered: false };
      const gateway = { ...GATEWAY, edge: "gw-02" };
      const other = birthOf(store, E2, [1, 2, 3], gateway);
      const ofOther = { ...batch(E2, 1, other, poll(1, [1, 2, 3])), gateway };
      const beside = birthOf(store, E2, [1, 2, 3], GATEWAY, "beside");
      const ofBeside = { ...batch(E2, 2, beside, poll(1, [1, 2, 3])), device: "beside" };
      expect(store.commitBatches([here, ofOther, ofBeside])).toEqual(["stored", "stored", "stored"]);
    });

    test("two polls with the same content under one epoch are two polls", () => {
      const a = birthOf(store, E1, [1, 2, 3]);
      const outcomes = store.commitBatches([1, 2].map((number) => batch(E1, number, a, poll(1, [1, 2, 3]))));
      expect(outcomes).toEqual(["stored", "stored"]);
    });

    test("a number whose content another epoch holds may come with content that nobody holds: that is stored", () => {
      const [a, b] = [birthOf(store, E1, [1, 2, 3]), birthOf(store, E2, [1, 2, 3])];
      store.commitBatches([batch(E1, 1, a, poll(1, [1, 2, 3])), batch(E2, 1, b, poll(1, [1, 2, 3]))]);
      expect(store.commitBatches([batch(E2, 1, b, poll(2, [1, 2, 3]))])).toEqual(["stored"]);
      expect(store.batchRanges(GATEWAY, E2)).toEqual([[1, 1]]);
    });

    test("over three epochs with aliases of their own each poll is stored once, whatever arrives under which of them and in what order", () => {
      const aliases = fc.constantFrom([1, 2, 3], [2, 3, 1], [3, 2, 1], [11, 12, 13]);
      const sending = fc.record({ epoch: fc.nat(2), second: fc.nat(12) });
      fc.assert(
        fc.property(
          fc.tuple(aliases, aliases, aliases),
          fc.tuple(fc.nat(4), fc.nat(4)),
          fc.array(fc.array(sending, { maxLength: 8 }), { maxLength: 8 }),
          (aliasesOf, [more, evenMore], commits) => {
            const fresh = make({ ms: START_MS });
            try {
              const births = EPOCHS.map((epoch, i) => birthOf(fresh.store, epoch, aliasesOf[i]!));
              // Number = position less the base of the epoch: a poll has one in each epoch that began before it.
              const bases = [0, more, more + evenMore];
              const sent = new Set<number>();
              for (const commit of commits) {
                const batches = commit
                  .filter(({ epoch, second }) => second >= bases[epoch]!)
                  .map(({ epoch, second }) => {
                    sent.add(second);
                    const number = second - bases[epoch]! + 1;
                    return batch(EPOCHS[epoch]!, number, births[epoch]!, poll(second, aliasesOf[epoch]!));
                  });
                expect(fresh.store.commitBatches(batches)).not.toContain("differs");
              }
              const seconds = held(fresh.store).map(({ to_ms, payload }) => {
                expect(decodePayload(payload).metrics).toHaveLength(NAMES.length);
                return (to_ms - START_MS) / 1000;
              });
              expect(seconds).toEqual([...sent].sort((a, b) => a - b));
            } finally {
              fresh.dispose();
            }
          },
        ),
        { numRuns: 50 },
      );
    });
  });
}
