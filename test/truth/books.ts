import type { GatewayKey, ZoneStore } from "../../cloud/store/store.ts";
import { CARRIERS } from "../../core/emission/carriers.ts";
import type { CounterWords, Interval, IntervalFlag } from "../../core/interval/interval.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { UnitNotation } from "../../core/units/units.ts";

/** One interval of anybody's books, as the checker takes it. */
export interface BookInterval {
  /** Name of the meter in the truth. */
  readonly meter: string;
  readonly quantity: QuantityId;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly tick: { readonly amount: string; readonly unit: UnitNotation };
  /** null = nothing is known, which is not zero. */
  readonly ticks: bigint | null;
  readonly flag: IntervalFlag;
  /** Why it is not whole; null = nobody says. */
  readonly cause: string | null;
  readonly opening: BookBoundary | null;
  readonly closing: BookBoundary | null;
}

/** The count at a boundary and the readings around it. */
export interface BookBoundary {
  readonly count: bigint;
  readonly words: CounterWords | null;
  readonly across: CounterWords | null;
}

/** Intervals of one meter in one answer of the store. */
const ROWS_MAX = 1_000_000;

/**
 * The books of a zone's store: the counters that each meter's carrier accounts.
 * @param nameOf the truth's name of a meter; null = not judged.
 */
export function booksOfStore(
  store: Pick<ZoneStore, "meters" | "intervals">,
  nameOf: (gateway: GatewayKey, device: string) => string | null,
  { from_ms, to_ms }: { readonly from_ms: number; readonly to_ms: number },
): readonly BookInterval[] {
  return store.meters().flatMap(({ gateway, device, carrier }) => {
    const name = nameOf(gateway, device);
    if (name === null) return [];
    const { counters } = CARRIERS[carrier];
    return counters.flatMap((quantity) =>
      store.intervals(gateway, device, quantity, from_ms, to_ms, ROWS_MAX).map((interval) => bookOf(name, interval)),
    );
  });
}

/** An interval of the engine, the journal or the store. */
export function bookOf(meter: string, interval: Interval): BookInterval {
  const { quantity, from_ms, to_ms, tick, ticks, flag, cause, opening, closing } = interval;
  return { meter, quantity, from_ms, to_ms, tick, ticks, flag, cause, opening, closing };
}
