import type { EpochMs } from "../../core/reading/reading.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import type { HeldRecord } from "./chunk.ts";
import type { Losses } from "./losses.ts";
import type { Mender } from "./mender.ts";
import type { Numbering } from "./numbering.ts";

/** Open batches that are looked through for records of losses; with more of them nothing is told as lost. */
const LOOKED_THROUGH_MAX = 5000;

interface Parts {
  readonly numbers: Numbering;
  readonly mender: Pick<Mender, "look">;
  readonly losses: Losses;
  readonly now_ms: () => EpochMs;
}

/** As {@link Journal.reopen}: what was confirmed and is not held by the collector is open again, or a loss. */
export function reopened(ranges: readonly BatchRange[], parts: Parts): number | null {
  const { numbers, mender, losses, now_ms } = parts;
  const confirmed = ranges.flatMap(({ first, last }) =>
    numbers.confirmedIn(numbers.positionOf(first), numbers.positionOf(last)),
  );
  const held = new BatchRanges();
  for (const range of confirmed) eachIn(mender, range, ({ ordinal }) => held.add(ordinal));
  numbers.reopen(held.toRanges());
  const gone = confirmed.flatMap(({ first, last }) => held.missingIn(first, last));
  // What was lost before it was confirmed is told by a record that may not have arrived yet.
  if (gone.length > 0 && !isAnyLossOpen(parts)) {
    const of = { device: null, from_ms: 0, to_ms: now_ms(), what: "unknown", why: "age-bound" } as const;
    const count = gone.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    losses.note({ ...of, count, batches: null }, gone);
  }
  const [lowest] = held.toRanges();
  return lowest === undefined ? null : numbers.numberOf(lowest.first);
}

/** What can be read of these positions. */
function eachIn(mender: Parts["mender"], { first, last }: BatchRange, take: (record: HeldRecord) => void): void {
  for (let position = first; position <= last; ) {
    const look = mender.look(position);
    if (look.kind === "none") return;
    for (const record of look.records) if (record.ordinal >= position && record.ordinal <= last) take(record);
    position = look.records.at(-1)!.ordinal + 1;
  }
}

/** Whether the collector may not have been told of all losses. */
function isAnyLossOpen({ numbers, mender, losses }: Parts): boolean {
  if (!losses.isEmpty || numbers.unconfirmed > LOOKED_THROUGH_MAX) return true;
  let isAny = false;
  for (const range of numbers.unconfirmedIn(numbers.oldestOpen(), numbers.next - 1)) {
    eachIn(mender, range, ({ kind }) => {
      isAny ||= kind === "node";
    });
  }
  return isAny;
}
