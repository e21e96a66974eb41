import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { JournalDisk, Log, Random } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { LossRecord } from "../../core/wire/nodeRecord.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import type { Step } from "./bounds.ts";
import type { JournalEntry, RecordKind } from "./chunk.ts";
import { DiskJournal } from "./diskJournal.ts";

/**
 * The journal: numbered immutable batches on disk, in segments that are deleted whole.
 *
 * One commit is one synced transaction of one segment; it holds the batches of a tick, the state that was derived from them,
 * and the confirmations that arrived since the last one. A number is never used twice in an epoch.
 *
 * order     behind the numbers stand positions, which go on from epoch to epoch; files are named and rows are kept by them
 * damage    what is not sound is noticed when it is read, carved from the raw bytes, and what is missing then is named in a
 *           loss record; the file is set aside. In doubt about the next number a new epoch begins
 * bounds    see `bounds.ts`: what gives way, in which order. What was unconfirmed and went is a loss record
 */
export interface Journal {
  /** 16 lower-case hex digits; changes with {@link Journal.renew}. */
  readonly epoch: string;
  /** Counts the starts on this journal; together with mono_ms it orders samples across clock jumps. */
  readonly boot: number;
  /**
   * Atomic and synced before it returns. Loss records that wait go before the entries: the numbers returned are the entries'.
   * @throws {KhuXanhError} DISK_FULL or DISK_UNUSABLE: nothing was written.
   */
  commit(write: JournalWrite): readonly number[];
  /** Takes confirmations in memory; the next commit keeps them. Losing some costs a duplicate, never a batch. */
  confirm(ranges: readonly BatchRange[]): void;
  /**
   * The collector confirmed these numbers and does not hold them: its store went back in time. What is still held here is to be
   * sent again, the rest is a loss that the next commit tells; not while the collector may still hear of other losses, for these
   * may be the same, and never of what the disk refuses to read. Numbers that are not confirmed count for nothing.
   * @param atMost so many are opened, and those that lie together with them
   */
  reopen(ranges: readonly BatchRange[], atMost: number): Reopened;
  /** Confirmed by the collector, or lost: not to be sent. */
  isConfirmed(number: number): boolean;
  /** The number the next batch will get. */
  nextNumber(): number;
  /** How many batches are not confirmed. */
  unconfirmed(): number;
  /** Batches with numbers ≥ from, ascending, at most `limit`; confirmed ones included as long as they are held. */
  read(from: number, limit: number): readonly StoredRecord[];
  /** The same by position, over all epochs: positions are never used again. */
  history(fromPosition: number, limit: number): readonly StoredRecord[];
  /** Position of the newest batch; 0 before the first. */
  position(): number;
  definition(hash: string): DeviceDefinition | null;
  /** Its hash; on disk with the next commit at the latest. */
  putDefinition(definition: DeviceDefinition): string;
  getState(key: string): string | null;
  /** Takes a value in memory; the next commit keeps it. For what may be lost; else give it to a commit. */
  setState(key: string, value: string): void;
  /** Something was lost before it could be written, or cannot be sent: a loss record goes with the next commit. */
  noteLoss(loss: Loss): void;
  /**
   * Begins a new epoch: what is unconfirmed gets numbers from 1 again, in its order. For a journal that went back in time
   * (the host names numbers it never gave). Whoever keeps numbers has to forget them.
   * @throws {KhuXanhError} DISK_FULL or DISK_UNUSABLE: the old epoch goes on.
   */
  renew(why: string): void;
  status(): JournalStatus;
  close(): void;
}

export type { JournalEntry, RecordKind } from "./chunk.ts";

/** What became of numbers that the collector does not hold, as ascending ranges; what is in none of them is not confirmed, or not to be read now. */
export interface Reopened {
  readonly opened: readonly BatchRange[];
  /** Gone here too: a loss. */
  readonly told: readonly BatchRange[];
  /** Not looked for yet. */
  readonly left: readonly BatchRange[];
}

export interface JournalWrite {
  readonly entries: readonly JournalEntry[];
  /** Derived state to keep with them; given the numbers the entries got and the position of the last of them. */
  readonly state: (numbers: readonly number[], position: number) => Iterable<readonly [key: string, value: string]>;
}

export interface StoredRecord extends JournalEntry {
  /** Of this epoch; below 1 for what an earlier one held. */
  readonly number: number;
  readonly position: number;
  /** The journal's when it was written. */
  readonly epoch: string;
  readonly kind: RecordKind;
}

/** Without a number of its own: it never had one, or `batches` names them. */
export type Loss = Pick<LossRecord, "device" | "from_ms" | "to_ms" | "count" | "what" | "why" | "batches">;

export interface JournalStatus {
  readonly epoch: string;
  readonly nextNumber: number;
  readonly unconfirmed: number;
  /** Acquisition time of the oldest unconfirmed batch; null if all are confirmed. */
  readonly oldestUnconfirmed_ms: EpochMs | null;
  readonly bytes: number;
  /** What it may take: the configured size, or less on a small disk. */
  readonly bound_bytes: number;
  readonly segments: number;
  /** Files that were set aside with their reason. */
  readonly setAside: readonly string[];
  readonly isBeyondBound: boolean;
  /** Batches and samples that were lost in all, each in a loss record. */
  readonly lost: number;
  /** How far down the order of giving way the journal had to go since it began; null: nothing has given way. */
  readonly gaveWay: Step | null;
  /** What is unconfirmed fills half of what the journal may take: telemetry will give way, and books after it. */
  readonly isBacklogAlarming: boolean;
  /** The last commit failed; what was recorded since is in memory only. */
  readonly isWritable: boolean;
}

export interface JournalOptions {
  readonly disk: JournalDisk;
  /** Null: 4 GiB, or a quarter of what the disk has left for it if that is less. */
  readonly maxBytes: number | null;
  /** Of confirmed samples. Books are kept for 60 days at least. */
  readonly maxAge_ms: number;
  readonly now_ms: () => EpochMs;
  readonly random: Random;
  readonly log: Log;
  /** Size at which a new segment begins; 16 MiB unless a test asks for less. */
  readonly segmentBytes?: number;
}

/** @throws {KhuXanhError} DISK_FULL or DISK_UNUSABLE. Damage is no reason: see {@link Journal}. */
export function openJournal(options: JournalOptions): Journal {
  return new DiskJournal(options);
}
