import type { EpochMs } from "../../core/reading/reading.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import type { HeldRecord } from "./chunk.ts";
import type { Reopened } from "./journal.ts";
import type { Losses } from "./losses.ts";
import type { Mender } from "./mender.ts";
import type { Numbering } from "./numbering.ts";

/** Open batches that are looked through for records of losses; with more of them nothing is told as lost. */
const LOOKED_THROUGH_MAX = 5000;
/** Gaps told in one record, which says from when to when they lie: of thinned history about a day. */
const GAPS_TOGETHER = 100;

interface Parts {
  readonly numbers: Numbering;
  readonly mender: Pick<Mender, "look" | "refusals">;
  readonly losses: Losses;
}

/** Positions that are gone, between what is held. */
interface Gap extends BatchRange {
  /** Of what is held before it; 0: nothing is. */
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

/** As {@link Journal.reopen}: what was confirmed and is not held by the collector is open again, or a loss. */
export function reopened(ranges: readonly BatchRange[], atMost: number, parts: Parts): Reopened {
  const { numbers } = parts;
  const look = looking(parts.mender);
  const held = new BatchRanges();
  const gaps: Gap[] = [];
  const left: BatchRange[] = [];
  for (const range of ranges) {
    const [from, to] = [numbers.positionOf(range.first), numbers.positionOf(range.last)];
    for (const { first, last } of numbers.confirmedIn(from, to)) {
      let position = first;
      while (position <= last && held.count < atMost) {
        const records = look.from(position);
        const next = records?.find(({ ordinal }) => ordinal >= position);
        // The end of what can be read, for now: the host asks again.
        if (records == null || next === undefined) position = Number.POSITIVE_INFINITY;
        else if (next.ordinal > position) {
          const end = Math.min(last, next.ordinal - 1);
          if (!look.isRefused)
            gaps.push({ first: position, last: end, from_ms: look.before_ms(position), to_ms: next.from_ms });
          position = end + 1;
        } else {
          const end = Math.min(last, records.at(-1)!.ordinal);
          for (const { ordinal } of records) if (ordinal >= position && ordinal <= end) held.add(ordinal);
          position = end + 1;
        }
      }
      if (position <= last) left.push({ first: position, last });
    }
  }
  const opened = held.toRanges();
  numbers.reopen(opened);
  // What was lost before it was confirmed is told by a record that may not have arrived yet.
  const told = gaps.length === 0 || isAnyLossOpen(parts) ? [] : gaps;
  for (let from = 0; from < told.length; from += GAPS_TOGETHER) {
    note(parts.losses, told.slice(from, from + GAPS_TOGETHER));
  }
  const numbered = (positions: readonly BatchRange[]): BatchRange[] =>
    positions.map(({ first, last }) => ({ first: numbers.numberOf(first), last: numbers.numberOf(last) }));
  return { opened: numbered(opened), told: numbered(told), left: numbered(left) };
}

function note(losses: Losses, gaps: readonly Gap[]): void {
  const count = gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const from_ms = Math.min(...gaps.map((gap) => gap.from_ms));
  const to_ms = Math.max(...gaps.map((gap) => gap.to_ms));
  const of = { device: null, from_ms, to_ms, what: "unknown", why: "age-bound" } as const;
  losses.note(
    { ...of, count, batches: null },
    gaps.map(({ first, last }) => ({ first, last })),
  );
}

/** Reads on through what is held, a chunk once. */
function looking(mender: Parts["mender"]) {
  let at = Number.POSITIVE_INFINITY;
  let records: readonly HeldRecord[] | null = null;
  let isRefused = false;
  const from = (position: number): readonly HeldRecord[] | null => {
    if (records === null || position < at || records.at(-1)!.ordinal < position) {
      const { refusals } = mender;
      const look = mender.look(position);
      isRefused = mender.refusals > refusals;
      records = look.kind === "records" ? look.records : null;
      at = position;
    }
    return records;
  };
  return {
    /** What lies together with the first record at or after a position; null: nothing that can be read. */
    from,
    /** Whether the disk refused to read on the way there: what lies between may be held. */
    get isRefused() {
      return isRefused;
    },
    /** The end of what is held just before a position; 0: nothing is. */
    before_ms(position: number): EpochMs {
      const look = position > 1 ? mender.look(position - 1) : null;
      const before = look?.kind === "records" ? look.records.findLast(({ ordinal }) => ordinal < position) : undefined;
      return before?.to_ms ?? 0;
    },
  };
}

/** Whether the collector may not have been told of all losses. */
function isAnyLossOpen({ numbers, mender, losses }: Parts): boolean {
  if (!losses.isEmpty || numbers.unconfirmed > LOOKED_THROUGH_MAX) return true;
  const look = looking(mender);
  for (const { first, last } of numbers.unconfirmedIn(numbers.oldestOpen(), numbers.next - 1)) {
    for (let position = first; position <= last; ) {
      const records = look.from(position);
      if (records === null) break;
      if (records.some(({ ordinal, kind }) => ordinal >= position && ordinal <= last && kind === "node")) return true;
      position = records.at(-1)!.ordinal + 1;
    }
  }
  return false;
}
