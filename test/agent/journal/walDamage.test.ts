import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inspectJournal } from "../../../agent/journal/inspect.ts";
import { sqliteDisk } from "../../../agent/journal/sqliteDisk.ts";
import { hasCommitsBehindDamage } from "../../../agent/journal/sqliteWal.ts";
import { all, append, type Disk, disk, lossesIn } from "./fixture.ts";

const FIRST = "000000000001.sqlite";
const FRAME_BYTES = 24 + 1024;

/** A journal of so many commits as a SIGKILL leaves it: the write-ahead file is not folded in. */
function killed(commits: number): Disk {
  const [live, image] = [disk(), disk()];
  const journal = live.open();
  for (let i = 0; i < commits; i++) append(journal, 3, 100);
  journal.confirm(all(1, 6));
  append(journal, 3, 100);
  cpSync(live.dir, image.dir, { recursive: true, filter: (name) => !name.endsWith("-shm") });
  journal.close();
  return image;
}

const wal = ({ dir }: Disk) => join(dir, `${FIRST}-wal`);
const numbersOf = (d: Disk) => {
  const journal = d.open({ random: { unit: () => 0.5, hex: () => "f".repeat(16) } });
  const samples = journal.history(1, 1000).filter(({ kind }) => kind === "sample");
  return { journal, positions: samples.map(({ position }) => position) };
};
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at]! ^= 4;
  writeFileSync(file, bytes);
}

test("what lies behind a damaged frame of the write-ahead file is saved, and the file kept aside with its reason", () => {
  const d = killed(20);
  // The salt of a frame in the middle: SQLite takes it and all behind it for remains of an older round.
  flip(wal(d), 32 + 30 * FRAME_BYTES + 9);
  const damaged = readFileSync(wal(d));
  const { journal, positions } = numbersOf(d);
  expect(positions).toEqual(upTo(63));
  const [aside] = journal.status().setAside;
  expect(readFileSync(join(d.dir, `${aside}-wal`))).toEqual(damaged);
  expect(existsSync(join(d.dir, `${aside}.reason.txt`))).toBe(true);
  expect(d.events).toContain("journal.newest-rebuilt");
  // What was sent under a number after the damage must not get the number of something else.
  expect(journal.epoch).toBe("f".repeat(16));
  expect(journal.read(1, 1)[0]?.position).toBe(7);
  append(journal, 1);
  expect(lossesIn(journal)).toMatchObject([{ what: "unknown", why: "set-aside", count: 0 }]);
});

test.each([
  { what: "header", at: 17 },
  { what: "first frame", at: 32 + 30 },
  { what: "frame in the middle", at: 32 + 30 * FRAME_BYTES + 9 },
])(
  "whoever looks at a write-ahead file whose $what is damaged sees what the agent will, and leaves it as it lies",
  ({ at }) => {
    const d = killed(20);
    flip(wal(d), at);
    const lying = () => readdirSync(d.dir).map((name) => [name, readFileSync(join(d.dir, name)).toString("hex")]);
    const before = lying();
    const seen = inspectJournal(sqliteDisk(d.dir));
    expect(seen).toMatchObject({ nextNumber: 64, unconfirmed: 57, damaged: [FIRST] });
    expect(seen.newest(2, () => true).map(({ position }) => position)).toEqual([62, 63]);
    const records = [...seen.records()].map(({ position, body }) => [position, Buffer.from(body).toString("hex")]);
    expect(seen.unreadable).toEqual({ files: 0, chunks: 0 });
    expect(lying()).toEqual(before);
    const { journal } = numbersOf(d);
    const held = journal.history(1, 1000).filter(({ kind }) => kind === "sample");
    expect(records).toEqual(held.map(({ position, body }) => [position, Buffer.from(body).toString("hex")]));
    // And the record of it.
    expect(journal.unconfirmed()).toBe(seen.unconfirmed + 1);
  },
);

test("a damaged header of the write-ahead file takes nothing with it", () => {
  const d = killed(20);
  flip(wal(d), 17);
  expect(numbersOf(d).positions).toEqual(upTo(63));
});

test("a commit that a power cut tore is no damage: it never was one", () => {
  const d = killed(20);
  const { length } = readFileSync(wal(d));
  truncateSync(wal(d), length - 500);
  const { journal, positions } = numbersOf(d);
  expect(positions).toEqual(upTo(60));
  expect(journal.status()).toMatchObject({ setAside: [], lost: 0, epoch: "0000000000000001" });
});

/** Where the last frame of a write-ahead file of one round begins: that of its last commit. */
const lastFrame = (bytes: Uint8Array) => 32 + FRAME_BYTES * (Math.floor((bytes.length - 32) / FRAME_BYTES) - 1);
/** How many frames the last commit has. */
const lastCommitFrames = (bytes: Buffer) => {
  let frames = 1;
  while (bytes.readUInt32BE(lastFrame(bytes) - frames * FRAME_BYTES + 4) === 0) frames += 1;
  return frames;
};

test.each([
  { what: "its last page", torn: () => 0, bytes: 1024 },
  { what: "half of its last page", torn: () => 0, bytes: 512 },
  { what: "its first page", torn: (frames: number) => frames - 1, bytes: 1024 },
])("a commit of which $what did not reach the disk is no damage, though its last frame says it is one", (page) => {
  const d = killed(20);
  const bytes = readFileSync(wal(d));
  const frames = lastCommitFrames(bytes);
  expect(frames).toBeGreaterThan(1);
  const at = lastFrame(bytes) - page.torn(frames) * FRAME_BYTES + 24;
  // Remains of an older round, as SQLite writes the file from its beginning again and again.
  bytes.copy(bytes, at + 1024 - page.bytes, 32 + 24, 32 + 24 + page.bytes);
  writeFileSync(wal(d), bytes);
  const { journal, positions } = numbersOf(d);
  expect(positions).toEqual(upTo(60));
  expect(journal.status()).toMatchObject({ setAside: [], lost: 0, epoch: "0000000000000001" });
  expect(append(journal, 1)).toEqual([61]);
});

test("any one bit of the last commit's frames is damage, not a commit that was never there", () => {
  const bytes = readFileSync(wal(killed(3)));
  const from = lastFrame(bytes) - (lastCommitFrames(bytes) - 1) * FRAME_BYTES;
  // A step that shares no factor with words, headers and pages.
  for (let bit = 8 * from; bit < 8 * bytes.length; bit += 37) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    expect(hasCommitsBehindDamage(bytes, 1024), `bit ${bit & 7} of byte ${(bit >> 3) - from}`).toBe(true);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
  expect(hasCommitsBehindDamage(bytes, 1024)).toBe(false);
});

test("what is lost before the last commit is damage, however much it is", () => {
  const bytes = readFileSync(wal(killed(3)));
  const at = lastFrame(bytes) - lastCommitFrames(bytes) * FRAME_BYTES;
  bytes.fill(0, at + 24, at + FRAME_BYTES);
  expect(hasCommitsBehindDamage(bytes, 1024)).toBe(true);
});

test("remains of an older round in the write-ahead file are no damage", () => {
  const live = disk();
  const image = disk();
  const journal = live.open();
  let before = 0;
  let commits = 0;
  // Until SQLite has folded it in and begins it anew.
  for (let headers = new Set<string>(); headers.size < 2; commits++) {
    append(journal, 3, 900);
    const bytes = readFileSync(wal(live));
    headers.add(bytes.toString("hex", 16, 24));
    before = bytes.length;
  }
  expect(before).toBeGreaterThan(500 * 1024);
  cpSync(live.dir, image.dir, { recursive: true, filter: (name) => !name.endsWith("-shm") });
  journal.close();
  const again = numbersOf(image);
  expect(again.journal.position()).toBe(3 * commits);
  expect(again.journal.status()).toMatchObject({ setAside: [], lost: 0 });
});

test.each([
  { what: "empty", harm: (file: string) => writeFileSync(file, "") },
  { what: "gone", harm: (file: string) => rmSync(file) },
  { what: "something else", harm: (file: string) => writeFileSync(file, "a page of HTML\n".repeat(300)) },
])(
  "a main file that is $what leaves the write-ahead file to be saved, and looking at it changes nothing",
  ({ harm }) => {
    const d = killed(20);
    harm(join(d.dir, FIRST));
    const lying = readdirSync(d.dir);
    const bytes = readFileSync(wal(d));
    const inspection = inspectJournal(sqliteDisk(d.dir));
    expect([...inspection.records()].map(({ position }) => position)).toEqual(upTo(63));
    expect(inspection).toMatchObject({ damaged: [FIRST], unreadable: { files: 0, chunks: 0 }, nextNumber: 64 });
    expect(readdirSync(d.dir)).toEqual(lying);
    expect(readFileSync(wal(d))).toEqual(bytes);
    const { journal, positions } = numbersOf(d);
    expect(positions).toEqual(upTo(63));
    const [aside] = journal.status().setAside;
    expect(readFileSync(join(d.dir, `${aside}-wal`))).toEqual(bytes);
    expect(d.events).toContain("journal.segment-set-aside");
  },
);

test("a write-ahead file too short for a frame holds nothing", () => {
  expect(hasCommitsBehindDamage(new Uint8Array(0), 1024)).toBe(false);
  expect(hasCommitsBehindDamage(new Uint8Array(32), 1024)).toBe(false);
  expect(hasCommitsBehindDamage(new Uint8Array(900), 1024)).toBe(false);
});
