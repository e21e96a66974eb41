import type { DiskRow } from "../../core/ports.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import { type Blob, epochNumber, readBlob } from "./blob.ts";
import type { Step } from "./bounds.ts";
import { type HeldRecord, packChunks, unpackChunk } from "./chunk.ts";

/** What is left of a segment after a step of giving way, and what of the unconfirmed went. Batches go whole or not at all. */
export interface Reduced {
  readonly rows: readonly DiskRow[];
  readonly lost: Lost | null;
}

export interface Lost {
  readonly count: number;
  readonly from_ms: number;
  readonly to_ms: number;
  /** Ordinals. */
  readonly ranges: readonly BatchRange[];
}

const QUARTER_MS = 900_000;
const MINUTE_MS = 60_000;

/**
 * Thinning keeps the even minutes of each quarter of an hour: the first and the last among them, so that the readings an
 * interval opens and closes with stay, and the numbers that go are few ranges, not every second one.
 */
export function isKeptByThinning(at_ms: number): boolean {
  return Math.floor((((at_ms % QUARTER_MS) + QUARTER_MS) % QUARTER_MS) / MINUTE_MS) % 2 === 0;
}

/**
 * @param isConfirmed of an ordinal: what is confirmed goes first, and is no loss
 * @param holdsCounter of a sample's record
 */
export function reduce(
  rows: Iterable<DiskRow>,
  step: Step,
  isConfirmed: (ordinal: number) => boolean,
  holdsCounter: (record: HeldRecord) => boolean,
): Reduced {
  const kept: DiskRow[] = [];
  const lost = new BatchRanges();
  let from_ms = Number.POSITIVE_INFINITY;
  let to_ms = Number.NEGATIVE_INFINITY;
  const isKept = (record: HeldRecord): boolean => {
    if (record.kind !== "sample") return step !== "books";
    if (isConfirmed(record.ordinal)) return false;
    if (step === "thinned") return !holdsCounter(record) || isKeptByThinning(record.from_ms);
    return step === "gauges" && holdsCounter(record);
  };
  for (const row of rows) {
    const blob = readBlob(row.blob);
    if (blob.kind === "damaged" || blob.kind === "value" || blob.ordinal !== row.key) continue;
    const records = unpackChunk(blob);
    const stay = records.filter(isKept);
    for (const record of records) {
      if (isConfirmed(record.ordinal) || stay.includes(record)) continue;
      lost.add(record.ordinal);
      from_ms = Math.min(from_ms, record.from_ms);
      to_ms = Math.max(to_ms, record.to_ms);
    }
    if (stay.length === records.length) kept.push(row);
    else kept.push(...repacked(blob, stay));
  }
  return { rows: kept, lost: lost.count === 0 ? null : { count: lost.count, from_ms, to_ms, ranges: lost.toRanges() } };
}

/** Records of one chunk without some of them: a chunk for each run of numbers. */
function repacked({ epoch }: Blob, records: readonly HeldRecord[]): DiskRow[] {
  const rows: DiskRow[] = [];
  for (let from = 0; from < records.length; ) {
    let until = from + 1;
    while (records[until]?.ordinal === records[until - 1]!.ordinal + 1) until += 1;
    const run = records.slice(from, until);
    for (const { ordinal, blob } of packChunks(run, epochNumber(epoch), run[0]!.ordinal))
      rows.push({ key: ordinal, blob });
    from = until;
  }
  return rows;
}
