import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type JournalEntry, openJournal } from "../../agent/journal/journal.ts";
import { sampleEntry } from "../../agent/journal/sample.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import { systemClock, systemRandom } from "../../cli/io/system.ts";
import type { Log } from "../../core/ports.ts";
import type { Sample } from "../../core/reading/reading.ts";
import { type Bench, type BenchResult, machine, median } from "./contest.ts";
import { spentBy } from "./gateway/proc.ts";

const BATCHES = 25;
const READINGS = 20;
/** Polls made beforehand: what makes them is no part of the journal. */
const POLLS = 1000;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
const AT_MS = Date.UTC(2026, 2, 2);

/** Of each quantity of a three-phase meter the least and the most: voltages, currents, powers, power factors, frequency, energy. */
const RANGES: readonly (readonly [count: number, from: number, to: number])[] = [
  [3, 226, 234],
  [3, 5, 400],
  [4, 1e3, 270e3],
  [4, -20e3, 90e3],
  [4, 0.7, 0.99],
  [1, 49.9, 50.1],
  [1, 1e5, 1e6],
];
const QUANTITIES = RANGES.flatMap(([count, from, to]) => Array.from({ length: count }, () => ({ from, to })));

/** A poll of a meter's block of twenty float32 values, no two polls alike: each value is anywhere in its quantity's range. */
function poll(i: number): Sample {
  const words = new Uint16Array(2 * READINGS);
  const float = new DataView(new ArrayBuffer(4));
  for (const [at, { from, to }] of QUANTITIES.entries()) {
    float.setFloat32(0, from + (to - from) * (((i * 40_503 + at * 9973) % 65_537) / 65_537));
    words[2 * at] = float.getUint16(0);
    words[2 * at + 1] = float.getUint16(2);
  }
  const at_ms = AT_MS + Math.floor(i / BATCHES) * 1000 + (i % BATCHES) * 7;
  return {
    device: `meter-${i % BATCHES}`,
    at_ms,
    mono_ms: 1_000_000 + i * 40,
    blocks: [{ fc: 4, address: 0, words }],
    failures: [],
  };
}

export const journal: Bench = {
  summary: `synced commits of ${BATCHES} batches of ${READINGS} readings`,
  limit:
    "node:sqlite itself: the bytes of the same batches as they are, in one row each, one transaction, WAL of a MiB and synchronous=FULL",
  async open() {
    const dir = mkdtempSync(join(tmpdir(), "khuxanh-bench-"));
    const ours = ourSide(join(dir, "ours"));
    const bare = bareSide(join(dir, "bare.sqlite"));
    return {
      contests: [{ name: "readings_per_s", ours: ours.commit, limit: bare.commit }],
      async close() {
        ours.close();
        bare.close();
        rmSync(dir, { recursive: true });
      },
    };
  },
};

const TURNS = 9;
const COMMITS_A_TURN = 400;

interface Turn {
  readonly readings_per_s: number;
  readonly cpu_us_per_reading: number;
  /** What the kernel was made to write, checkpoints and all. */
  readonly written_bytes_per_reading: number;
}

/** With the processor time and the bytes on disk that a reading takes. */
export async function runJournal(): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-bench-"));
  const ours = ourSide(join(dir, "ours"));
  const bare = bareSide(join(dir, "bare.sqlite"));
  const turns: { readonly ours: Turn; readonly limit: Turn }[] = [];
  try {
    turnOf(ours.commit);
    turnOf(bare.commit);
    for (let turn = 0; turn < TURNS; turn++) turns.push({ ours: turnOf(ours.commit), limit: turnOf(bare.commit) });
    ours.close();
    bare.close();
    const readings = (TURNS + 1) * COMMITS_A_TURN * BATCHES * READINGS;
    const middle = (of: (turn: (typeof turns)[number]) => number): number =>
      Number(median(turns.map(of)).toPrecision(4));
    return {
      bench: "journal",
      ours: {
        readings_per_s: Math.round(middle((turn) => turn.ours.readings_per_s)),
        cpu_us_per_reading: middle((turn) => turn.ours.cpu_us_per_reading),
        written_bytes_per_reading: middle((turn) => turn.ours.written_bytes_per_reading),
        bytes_per_reading: Number((bytesIn(join(dir, "ours")) / readings).toFixed(2)),
      },
      limit: {
        readings_per_s: Math.round(middle((turn) => turn.limit.readings_per_s)),
        cpu_us_per_reading: middle((turn) => turn.limit.cpu_us_per_reading),
        written_bytes_per_reading: middle((turn) => turn.limit.written_bytes_per_reading),
        bytes_per_reading: Number((statSync(join(dir, "bare.sqlite")).size / readings).toFixed(2)),
      },
      ratio: {
        readings_per_s: middle((turn) => turn.ours.readings_per_s / turn.limit.readings_per_s),
        cpu_us_per_reading: middle((turn) => turn.ours.cpu_us_per_reading / turn.limit.cpu_us_per_reading),
      },
      turns: TURNS,
      machine: machine(),
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function turnOf(commit: () => number): Turn {
  const written = spentBy(process.pid).write_bytes;
  const cpu = process.cpuUsage();
  const start_ms = performance.now();
  let readings = 0;
  for (let i = 0; i < COMMITS_A_TURN; i++) readings += commit();
  const elapsed_ms = performance.now() - start_ms;
  const { user, system } = process.cpuUsage(cpu);
  return {
    readings_per_s: (readings / elapsed_ms) * 1000,
    cpu_us_per_reading: (user + system) / readings,
    written_bytes_per_reading: (spentBy(process.pid).write_bytes - written) / readings,
  };
}

function entryOf(sample: Sample): JournalEntry {
  return sampleEntry({ sample, definition: "0badcafe", boot: 1, clock: "set" });
}

interface Side {
  /** One synced commit; the readings in it. */
  commit(): number;
  close(): void;
}

function ourSide(dir: string): Side {
  const held = openJournal({
    disk: sqliteDisk(dir),
    maxBytes: 4 * 1024 ** 3,
    maxAge_ms: 60 * 86_400_000,
    now_ms: systemClock.now_ms,
    random: systemRandom,
    log: SILENT,
  });
  const polls = Array.from({ length: POLLS }, (_, i) => poll(i));
  let polled = 0;
  return {
    commit() {
      const entries: JournalEntry[] = [];
      for (let i = 0; i < BATCHES; i++) entries.push(entryOf(polls[polled++ % POLLS]!));
      return held.commit({ entries, state: () => [] }).length * READINGS;
    },
    close: () => held.close(),
  };
}

function bareSide(file: string): Side {
  const db = new DatabaseSync(file);
  // As the journal does: its log is folded in when it is a MiB long, here of pages of 4 KiB.
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 250");
  db.exec("CREATE TABLE records (number INTEGER PRIMARY KEY, blob BLOB NOT NULL)");
  const insert = db.prepare("INSERT INTO records (blob) VALUES (?)");
  const bodies = Array.from({ length: POLLS }, (_, i) => entryOf(poll(i)).body);
  let polled = 0;
  return {
    commit() {
      db.exec("BEGIN IMMEDIATE");
      for (let i = 0; i < BATCHES; i++) insert.run(bodies[polled++ % POLLS]!);
      db.exec("COMMIT");
      return BATCHES * READINGS;
    },
    close: () => db.close(),
  };
}

function bytesIn(dir: string): number {
  return readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
}
