/**
 * A journal of so many readings beside a small one: time to open, memory, and time until the accounts stand again.
 * `node test/bench/journalStart.ts [READINGS]`, 10 million if not said; prints one JSON document. Writes some 90 MB per 10 million.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openJournal } from "../../agent/journal/journal.ts";
import { sampleEntry } from "../../agent/journal/sample.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import { systemClock, systemRandom } from "../../cli/io/system.ts";
import type { Log } from "../../core/ports.ts";

const READINGS_A_BATCH = 20;
const BATCHES_A_COMMIT = 1000;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

const open = (dir: string) =>
  openJournal({
    disk: sqliteDisk(dir),
    maxBytes: 4 * 1024 ** 3,
    maxAge_ms: 60 * 86_400_000,
    now_ms: systemClock.now_ms,
    random: systemRandom,
    log: SILENT,
  });

const [what = "10000000", dir = ""] = process.argv.slice(2);
if (what === "start") {
  const start_ms = performance.now();
  const journal = open(dir);
  const opened_ms = performance.now() - start_ms;
  journal.read(1, 200);
  journal.status();
  process.stdout.write(JSON.stringify({ opened_ms, rss_MiB: process.memoryUsage.rss() / 1024 ** 2 }));
  journal.close();
} else {
  const sizes = { small: 20_000, large: Number(what) };
  const result: Record<string, unknown> = {};
  for (const [name, readings] of Object.entries(sizes)) {
    const folder = mkdtempSync(join(tmpdir(), "khuxanh-start-"));
    try {
      fill(folder, readings / READINGS_A_BATCH);
      const runs = Array.from({ length: 5 }, () => started(folder)).sort((a, b) => a.opened_ms - b.opened_ms);
      const files = readdirSync(folder);
      const bytes = files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
      const { opened_ms, rss_MiB } = runs[2]!;
      result[name] = {
        readings,
        bytes,
        files: files.length,
        open_ms: Math.round(opened_ms),
        rss_MiB: Math.round(rss_MiB),
      };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  process.stdout.write(`${JSON.stringify({ bench: "journal-start", ...result })}\n`);
}

function fill(folder: string, batches: number): void {
  const journal = open(folder);
  const words = new Uint16Array(2 * READINGS_A_BATCH);
  const at_ms = systemClock.now_ms();
  for (let from = 0; from < batches; from += BATCHES_A_COMMIT) {
    const entries = Array.from({ length: Math.min(BATCHES_A_COMMIT, batches - from) }, (_, i) => {
      for (let at = 0; at < words.length; at++) words[at] = ((from + i) * 40_503 + at * 9973) & 0xffff;
      const blocks = [{ fc: 4 as const, address: 0, words }];
      const sample = { device: `meter-${i % 50}`, at_ms: at_ms + from + i, mono_ms: from + i, blocks, failures: [] };
      return sampleEntry({ sample, definition: "0badcafe", boot: 1, clock: "set" });
    });
    journal.commit({ entries, state: () => [] });
  }
  journal.close();
}

function started(folder: string): { readonly opened_ms: number; readonly rss_MiB: number } {
  const { stdout } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "start", folder], {
    encoding: "utf8",
  });
  return JSON.parse(stdout) as { opened_ms: number; rss_MiB: number };
}
