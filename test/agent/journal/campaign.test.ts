import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Journal, openJournal, type StoredRecord } from "../../../agent/journal/journal.ts";
import { sampleEntry } from "../../../agent/journal/sample.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { lossesIn, T, tempDir } from "./fixture.ts";

/**
 * One bit turned at a time, over a sample of the places of a journal's files: each start reads all, or names what it lost.
 * `KHUXANH_BITS=50000 vitest run test/agent/journal/campaign.test.ts` takes more places than this.
 */
const PLACES = Number(process.env.KHUXANH_BITS ?? 120);
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

let drawn = 0;

function open(dir: string, segmentBytes = 9000) {
  return openJournal({
    disk: sqliteDisk(dir),
    maxBytes: 1e9,
    maxAge_ms: 1e12,
    now_ms: () => T + 1_000_000,
    random: { unit: () => 0.5, hex: (bytes) => String(++drawn).padStart(bytes * 2, "0") },
    log: QUIET,
    segmentBytes,
  });
}

/** Samples, books and state, part of them confirmed; the journal is still open. */
function filled(dir: string, segmentBytes: number): Journal {
  const journal = open(dir, segmentBytes);
  for (let tick = 0; tick < 45; tick++) {
    const entries = Array.from({ length: 4 }, (_, i) =>
      sampleEntry({
        sample: {
          device: `m${i}`,
          at_ms: T + tick * 1000 + i,
          mono_ms: tick * 1000,
          blocks: [{ fc: 3, address: 10, words: Uint16Array.from({ length: 30 }, (_, at) => tick * 977 + at * i) }],
          failures: [],
        },
        definition: "0badcafe",
        boot: 1,
        clock: "set",
      }),
    );
    const long = {
      device: "m0",
      from_ms: T,
      to_ms: T + tick,
      kind: "content" as const,
      body: new Uint8Array(1500).fill(tick),
    };
    journal.commit({
      entries: tick % 15 === 7 ? [...entries, long] : entries,
      state: () => [
        ["account:m0", `as of ${tick} ${"x".repeat(300)}`],
        ["bdSeq", String(tick)],
      ],
    });
    if (tick === 20) journal.confirm([{ first: 1, last: 30 }]);
  }
  return journal;
}

/** Over three segments, with nothing left in a write-ahead file. */
function fillAndClose(dir: string): void {
  filled(dir, 9000).close();
}

/** As a SIGKILL leaves it: in one segment, nearly all of it in the write-ahead file. */
function fillAndKill(dir: string): void {
  const live = tempDir();
  const journal = filled(live, 1e6);
  cpSync(live, dir, { recursive: true, filter: (name) => !name.endsWith("-shm") });
  journal.close();
}

function same(a: StoredRecord | undefined, b: StoredRecord): boolean {
  return (
    a !== undefined &&
    a.kind === b.kind &&
    a.device === b.device &&
    a.from_ms === b.from_ms &&
    Buffer.compare(a.body, b.body) === 0
  );
}

/** What is wrong with a journal that was opened on a damaged image; empty if nothing. */
function wrongIn(dir: string, truth: ReadonlyMap<number, StoredRecord>, confirmed: number): string[] {
  const journal = open(dir);
  const wrong: string[] = [];
  const held = new Set<number>();
  const read = () => journal.history(1, 100_000);
  read();
  journal.commit({ entries: [], state: () => [] });
  const records = read();
  const base = (records.at(-1)?.position ?? 0) - (records.at(-1)?.number ?? 0);
  for (const record of records) {
    if (record.kind === "node") continue;
    held.add(record.position);
    if (!same(truth.get(record.position), record)) wrong.push(`${record.position} is not what was written`);
  }
  const losses = lossesIn(journal);
  const named = losses
    .flatMap(({ batches }) => batches ?? [])
    .map(({ first, last }) => [first + base, last + base] as const);
  const isTailUnknown = losses.some(
    ({ what, why, batches }) => what === "unknown" && why === "set-aside" && batches === null,
  );
  const last = Math.max(0, ...held);
  for (const position of truth.keys()) {
    if (held.has(position) || position <= confirmed) continue;
    if (named.some(([first, to]) => first <= position && position <= to)) continue;
    if (!(isTailUnknown && position > last)) wrong.push(`${position} is a silent hole`);
  }
  const next = journal.nextNumber();
  if (journal.commit({ entries: [[...truth.values()][0]!], state: () => [] })[0] !== next) wrong.push("numbers jump");
  journal.close();
  return wrong;
}

test.each([
  { fill: fillAndClose, files: 3, how: "closed" },
  { fill: fillAndKill, files: 2, how: "killed" },
])(
  "whichever bit of a journal turns that was $how, a start reads every batch or names it as lost, and none is ever wrong",
  {
    timeout: 3_600_000,
  },
  ({ fill, files: fileCount }) => {
    const good = tempDir();
    fill(good);
    const copy = join(tempDir(), "copy");
    cpSync(good, copy, { recursive: true });
    const journal = open(copy);
    const truth = new Map(journal.history(1, 100_000).map((record) => [record.position, record]));
    journal.close();
    expect(truth.size).toBe(183);
    const files = readdirSync(good).map((name) => ({ name, bytes: readFileSync(join(good, name)) }));
    const total = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(files.length).toBe(fileCount);
    const outcomes = { whole: 0, named: 0, newEpoch: 0 };
    const dir = join(tempDir(), "image");
    for (let place = 0; place < PLACES; place++) {
      // A step that shares no factor with pages and rows, so that every kind of place is met.
      let at = Math.floor((place + 0.5) * (total / PLACES));
      const bit = place % 8;
      rmSync(dir, { recursive: true, force: true });
      mkdirSync(dir);
      for (const { name, bytes } of files) {
        const image = Uint8Array.from(bytes);
        if (at >= 0 && at < image.length) image[at]! ^= 1 << bit;
        at -= image.length;
        writeFileSync(join(dir, name), image);
      }
      expect(wrongIn(dir, truth, 30), `bit ${bit} of byte ${Math.floor((place + 0.5) * (total / PLACES))}`).toEqual([]);
      const after = open(dir);
      const { lost, epoch, setAside } = after.status();
      after.close();
      if (epoch !== "0000000000000001") outcomes.newEpoch += 1;
      if (lost > 0) outcomes.named += 1;
      if (setAside.length === 0) outcomes.whole += 1;
    }
    expect(outcomes.whole).toBeGreaterThan(0);
    expect(outcomes.named).toBeGreaterThan(0);
    if (process.env.KHUXANH_BITS !== undefined) process.stderr.write(`${PLACES} bits: ${JSON.stringify(outcomes)}\n`);
  },
);
