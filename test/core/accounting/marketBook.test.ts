import fc from "fast-check";
import { expect, test } from "vitest";
import type { Instrument } from "../../../core/accounting/market.ts";
import { bookMarket, cutDay, type DayOfMeter, energyOf, massesOf } from "../../../core/accounting/marketBook.ts";
import { fraction, fromText, ONE, plus, ZERO } from "../../../core/emission/fraction.ts";

const DAY_MS = 86_400_000;
const dayOf = (at: number, Wh: bigint, meter = "m"): DayOfMeter => ({
  meter,
  site: "a",
  span: { from_ms: at * DAY_MS, to_ms: (at + 1) * DAY_MS },
  MWh: fraction(Wh, 1_000_000n),
  mg: { co2: (Wh * 6592n) / 10n, ch4: Wh / 1000n },
  isSold: false,
});
const instrument = (Wh: bigint, rate = "0.0123"): Instrument => ({
  id: "irec",
  kind: "certificate",
  site: "a",
  MWh: fraction(Wh, 1_000_000n),
  t_per_MWh: fromText(rate),
  source: "statement",
  span: null,
  criteria: { conveysRate: true, soleClaim: true, retired: true, vintage: null, market: null },
});

test("without instruments a day's entries stay as they are", () => {
  const day = dayOf(0, 1234n);
  const [booked] = bookMarket([day], [], null);
  expect(massesOf(booked!.parts)).toEqual(day.mg);
});

test("a day without consumption takes nothing and gives nothing", () => {
  const [empty, full] = bookMarket([dayOf(0, 0n), dayOf(1, 1_000_000n)], [instrument(1_000_000n, "0")], null);
  expect([massesOf(empty!.parts), massesOf(full!.parts)]).toEqual([{ co2: 0n, ch4: 0n }, { co2: 0n }]);
});

test("law: what comes later changes no day that is over", () => {
  const Wh = fc.bigInt({ min: 0n, max: 3_000_000n });
  fc.assert(
    fc.property(fc.array(Wh, { minLength: 1, maxLength: 6 }), Wh, Wh, (loads, amount, later) => {
      const days = loads.map((load, at) => dayOf(at, load));
      const then = bookMarket(days, [instrument(amount)], null);
      const now = bookMarket([...days, dayOf(loads.length, later)], [instrument(amount)], null);
      expect(now.slice(0, -1)).toEqual(then);
    }),
  );
});

test("law: the pieces of a day add up to it, in energy exactly and in mass to the milligram", () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 6 });
  fc.assert(
    fc.property(
      fc.bigInt({ min: 1n, max: 900_000n }),
      fc.bigInt({ min: 0n, max: 900_000n }),
      cuts,
      (Wh, amount, at) => {
        const [booked] = bookMarket([dayOf(0, Wh)], [instrument(amount)], null);
        const edges = [ZERO, ...at.sort((a, b) => a - b).map((part) => fraction(BigInt(part), 100n)), ONE];
        const pieces = edges.slice(1).map((to, piece) => cutDay(booked!.parts, edges[piece]!, to));
        expect(massesOf(pieces.flat())).toEqual(massesOf(booked!.parts));
        expect(pieces.map(energyOf).reduce(plus, ZERO)).toEqual(booked!.day.MWh);
      },
    ),
  );
});
