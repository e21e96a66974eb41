import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encodeSample } from "../../agent/journal/record.ts";
import { openJournal } from "../../agent/journal/journal.ts";
import { systemClock, systemRandom } from "../../cli/io/system.ts";
import type { Log } from "../../core/ports.ts";
import type { Sample } from "../../core/reading/reading.ts";
import type { Bench } from "./contest.ts";

const SAMPLES = 25;
/** Head that the journal puts before each body (`agent/journal/record.ts`). */
const HEAD_BYTES = 32;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A poll of a three-phase meter: two blocks, 60 registers. */
const sample: Sample = {
  device: "furnace",
  at_ms: Date.UTC(2026, 2, 2),
  mono_ms: 1_000_000,
  blocks: [
    { fc: 4, address: 0, words: new Uint16Array(36).fill(0x4366) },
    { fc: 4, address: 72, words: new Uint16Array(24).fill(0x4366) },
  ],
  failures: [],
};

export const journal: Bench = {
  summary: `synced commits of ${SAMPLES} samples`,
  limit: "node:sqlite itself: the same bytes in one row each, one transaction, WAL and synchronous=FULL",
  async open() {
    const dir = mkdtempSync(join(tmpdir(), "khuxanh-bench-"));
    const ours = openJournal({
      dir: join(dir, "ours"),
      maxBytes: 4 * 1024 ** 3,
      maxAge_ms: 60 * 86_400_000,
      now_ms: systemClock.now_ms,
      random: systemRandom,
      log: SILENT,
    });
    const bare = bareJournal(join(dir, "bare.sqlite"));
    const bodyBytes = encodeSample({ sample, definition: "0badcafe", boot: 1 }).length;
    return {
      contests: [
        {
          name: "samples_per_s",
          ours: () => {
            const entries = Array.from({ length: SAMPLES }, () => ({
              device: sample.device,
              from_ms: sample.at_ms,
              to_ms: sample.at_ms,
              kind: "sample" as const,
              body: encodeSample({ sample, definition: "0badcafe", boot: 1 }),
            }));
            return ours.commit({ entries, state: () => [] }).length;
          },
          limit: () => bare.commit(HEAD_BYTES + bodyBytes),
        },
      ],
      async close() {
        ours.close();
        bare.close();
        rmSync(dir, { recursive: true });
      },
    };
  },
};

function bareJournal(file: string): { commit(bytes: number): number; close(): void } {
  const db = new DatabaseSync(file);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  db.exec("CREATE TABLE records (number INTEGER PRIMARY KEY, blob BLOB NOT NULL)");
  const insert = db.prepare("INSERT INTO records (blob) VALUES (?)");
  return {
    commit(bytes) {
      const blob = new Uint8Array(bytes);
      db.exec("BEGIN IMMEDIATE");
      for (let i = 0; i < SAMPLES; i++) insert.run(blob);
      db.exec("COMMIT");
      return SAMPLES;
    },
    close: () => db.close(),
  };
}
