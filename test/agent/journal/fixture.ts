import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Journal, type JournalEntry, type JournalOptions, openJournal } from "../../../agent/journal/journal.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import type { Log } from "../../../core/ports.ts";
import { type LossRecord, parseNodeRecord } from "../../../core/wire/nodeRecord.ts";
import type { BatchRange } from "../../../core/wire/ranges.ts";

export const T = 1_760_000_000_000;
export const DAY_MS = 86_400_000;

/** A folder of its own that is gone when the test is. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface Disk {
  readonly dir: string;
  /** Log events of all journals opened on it. */
  readonly events: string[];
  now_ms: number;
  open(options?: Partial<JournalOptions>): Journal;
  /** Takes a file away, as somebody might. */
  remove(name: string): void;
}

/** A folder with journals on it, each drawing another epoch: 1, 2, 3 … */
export function disk(): Disk {
  const dir = tempDir();
  const events: string[] = [];
  const note = (event: string): void => void events.push(event);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  let drawn = 0;
  const self: Disk = {
    dir,
    events,
    now_ms: T,
    remove: (name) => rmSync(join(dir, name)),
    open(options = {}) {
      const journal = openJournal({
        disk: sqliteDisk(dir),
        maxBytes: 1e9,
        maxAge_ms: 30 * DAY_MS,
        now_ms: () => self.now_ms,
        random: { unit: () => 0.5, hex: (bytes) => String(++drawn).padStart(bytes * 2, "0") },
        log,
        ...options,
      });
      let isOpen = true;
      const close = journal.close.bind(journal);
      journal.close = () => {
        isOpen = false;
        close();
      };
      onTestFinished(() => {
        if (isOpen) close();
      });
      return journal;
    },
  };
  return self;
}

export function entry(at_s = 0, bytes = 10): JournalEntry {
  const at_ms = T + at_s * 1000;
  return { device: "meter", from_ms: at_ms, to_ms: at_ms, kind: "sample", body: new Uint8Array(bytes).fill(7) };
}

export function append(journal: Journal, count: number, bytes = 10): readonly number[] {
  return journal.commit({ entries: Array.from({ length: count }, (_, i) => entry(i, bytes)), state: () => [] });
}

export function all(first: number, last: number): BatchRange[] {
  return [{ first, last }];
}

/** The loss records that the journal holds, oldest first. */
export function lossesIn(journal: Journal): LossRecord[] {
  return journal
    .history(1, 100_000)
    .filter(({ kind }) => kind === "node")
    .map(({ body }) => parseNodeRecord(new TextDecoder().decode(body)))
    .filter((record) => record.kind === "loss");
}
