import { BirthReader } from "../../../cloud/collector/births.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import { EDGE, meterName, numbers, placeOf, type Stage, ZONE } from "./stage.ts";

/** Polls of a stretch of time: what meters answered, what of it the collector does not hold, and energy nobody booked. */
export interface BookedPolls {
  readonly answered: number;
  readonly lost: number;
  readonly energyLost_Wh: number;
}

const QUANTITY = "active_energy_import_total";

/** Call it when agent and collector have ended. */
export function booksOf({ storeFile, taps }: Stage, from_ms: number, to_ms: number): BookedPolls {
  const store = openSqliteStore({ path: storeFile });
  const gateway = { group: ZONE, edge: EDGE };
  const births = new BirthReader(store);
  let answered = 0;
  let lost = 0;
  let energyLost_Wh = 0;
  try {
    for (const n of numbers) {
      const { line, unit } = placeOf(n);
      const device = meterName(n);
      const stored = new Set<number>();
      for (const batch of store.batches(gateway, device, from_ms, to_ms, 100_000)) {
        for (const { at_ms, quantity } of births.counts(batch)) {
          if (quantity === QUANTITY && at_ms >= from_ms && at_ms < to_ms) stored.add(at_ms);
        }
      }
      const polls = taps[line]!.polls(unit, from_ms, to_ms);
      answered += polls;
      lost += polls - stored.size;
      const intervals = store.intervals(gateway, device, QUANTITY, 0, Number.MAX_SAFE_INTEGER, 1000).slice(1);
      const booked = intervals.reduce((sum, { ticks }) => sum + (ticks ?? 0n), 0n);
      const first = intervals[0]?.opening?.count;
      const last = intervals.at(-1)?.closing?.count;
      if (first === undefined || last === undefined) throw new Error(`${device} has no interval`);
      energyLost_Wh += Number(last - first - booked);
    }
  } finally {
    store.close();
  }
  return { answered, lost, energyLost_Wh };
}
