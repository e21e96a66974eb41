import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import type { Journal } from "../../../agent/journal/journal.ts";
import { all, append, type Disk, disk, entry, lossesIn, T } from "./fixture.ts";

const FIRST = "000000000001.sqlite";

function overwrite(dir: string, name: string, at: number, length = 64): void {
  const bytes = readFileSync(join(dir, name));
  bytes.fill(0xa5, at, Math.min(at + length, bytes.length));
  writeFileSync(join(dir, name), bytes);
}

function sql({ dir }: Disk, statement: string): void {
  const other = new DatabaseSync(join(dir, FIRST));
  other.exec(`${statement}; VACUUM`);
  other.close();
}

const positionsOf = (journal: Journal) => journal.history(1, 1000).map(({ position }) => position);
const asidesIn = (dir: string) => readdirSync(dir).filter((name) => /\.aside-\d+$/.test(name));

/** Journal of segments of one batch each, closed. */
function threeSegments(d: Disk): void {
  const journal = d.open({ segmentBytes: 100 });
  for (let i = 0; i < 3; i++) append(journal, 1, 200);
  journal.close();
}

describe("a batch whose checksum fails", () => {
  test("is named in a loss record with its time, its file set aside, and everything else stays", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 3; i++) journal.commit({ entries: [entry(i, 700)], state: () => [] });
    journal.close();
    const other = new DatabaseSync(join(d.dir, FIRST));
    other.exec("UPDATE rows SET blob = zeroblob(length(blob)) WHERE key = 2");
    other.exec("VACUUM");
    other.close();
    const again = d.open();
    expect(positionsOf(again)).toEqual([1, 3, 4]);
    expect(again.read(1, 10).map(({ number }) => number)).toEqual([1, 3, 4]);
    expect(lossesIn(again)).toEqual([
      {
        kind: "loss",
        at_ms: T,
        epoch: again.epoch,
        device: null,
        from_ms: T,
        to_ms: T + 2000,
        count: 1,
        what: "unknown",
        why: "damaged",
        batches: [{ first: 2, last: 2 }],
      },
    ]);
    expect(again.isConfirmed(2)).toBe(true);
    expect(again.status()).toMatchObject({ lost: 1, setAside: [`${FIRST}.aside-${T}`] });
    expect(readFileSync(join(d.dir, `${FIRST}.aside-${T}.reason.txt`), "utf8")).toMatch(/1 hole/);
    again.close();
    expect(positionsOf(d.open())).toEqual([1, 3, 4]);
  });

  test("is carved from the raw bytes if it is still there", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 40; i++) journal.commit({ entries: [entry(i, 700)], state: () => [] });
    journal.close();
    // The page that leads to the leaves: SQLite cannot find its rows any more, but they lie there.
    const other = new DatabaseSync(join(d.dir, FIRST), { readOnly: true });
    const root = other.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'rows'").get()?.rootpage as number;
    other.close();
    overwrite(d.dir, FIRST, (root - 1) * 1024 + 8, 1016);
    const again = d.open();
    expect(positionsOf(again)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(lossesIn(again)).toEqual([]);
    expect(again.epoch).toBe("0000000000000001");
    expect(append(again, 1)).toEqual([41]);
  });

  test("that was confirmed is a loss of history: told by itself, and without numbers, as the host holds it", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 6; i++) journal.commit({ entries: [entry(i, 700)], state: () => [] });
    journal.confirm(all(1, 6));
    journal.close();
    sql(d, "UPDATE rows SET blob = zeroblob(length(blob)) WHERE key IN (2, 5)");
    const again = d.open();
    expect(positionsOf(again)).toEqual([1, 3, 4, 6, 7, 8]);
    const history = { device: null, count: 1, what: "history", why: "damaged", batches: null };
    expect(lossesIn(again)).toMatchObject([
      { ...history, from_ms: T, to_ms: T + 2000 },
      { ...history, from_ms: T + 3000, to_ms: T + 5000 },
    ]);
    expect(again.status()).toMatchObject({ lost: 2, unconfirmed: 2 });
    const reason = readFileSync(join(d.dir, `${FIRST}.aside-${T}.reason.txt`), "utf8");
    expect(reason).toMatch(/batches 2-2 .*2025-10-09T08:53:20.000Z to 2025-10-09T08:53:22.000Z/);
    expect(reason).toMatch(/batches 5-5 /);
    again.close();
    const third = d.open();
    expect(lossesIn(third)).toHaveLength(2);
    expect(third.status().lost).toBe(2);
  });

  test("is told once: what an earlier damage took is not counted with what the next one takes", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 6; i++) journal.commit({ entries: [entry(i, 700)], state: () => [] });
    journal.confirm(all(1, 6));
    journal.close();
    for (const key of [3, 4]) {
      sql(d, `UPDATE rows SET blob = zeroblob(length(blob)) WHERE key = ${key}`);
      d.open().close();
    }
    const last = d.open();
    expect(lossesIn(last).map(({ count, what }) => [count, what])).toEqual([
      [1, "history"],
      [1, "history"],
    ]);
    expect(last.status().lost).toBe(2);
  });

  test("and stood between confirmed and open ones is told as what it was: history, and batches nobody need wait for", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 6; i++) journal.commit({ entries: [entry(i, 700)], state: () => [] });
    journal.confirm(all(1, 3));
    journal.close();
    sql(d, "DELETE FROM rows WHERE key BETWEEN 2 AND 5");
    const again = d.open();
    expect(lossesIn(again).map(({ what, count, batches }) => [what, count, batches])).toEqual([
      ["unknown", 2, [{ first: 4, last: 5 }]],
      ["history", 2, null],
    ]);
  });
});

describe("the time of a loss", () => {
  test("ends with what was written after it, not where an account that began earlier begins", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 3; i++) journal.commit({ entries: [entry(i, 700)], state: () => [] });
    journal.commit({ entries: [{ ...entry(-60, 20), kind: "node", device: "", to_ms: T + 3000 }], state: () => [] });
    journal.close();
    sql(d, "DELETE FROM rows WHERE key = 3");
    expect(lossesIn(d.open())).toMatchObject([{ from_ms: T + 1000, to_ms: T + 3000 }]);
  });

  test("does not end with an interval that was over before, as long as a sample follows", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 3; i++) journal.commit({ entries: [entry(i, 700)], state: () => [] });
    const books = { ...entry(-900, 20), kind: "content", to_ms: T + 1500 } as const;
    journal.commit({ entries: [books, entry(4)], state: () => [] });
    journal.close();
    sql(d, "DELETE FROM rows WHERE key = 3");
    expect(lossesIn(d.open())).toMatchObject([{ from_ms: T + 1000, to_ms: T + 4000 }]);
  });

  test("is that between its neighbours where it lies at the end of a file, and never empty", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 1500 });
    for (let i = 0; i < 8; i++) {
      d.now_ms = T + i * 1000;
      journal.commit({ entries: [entry(i, 700)], state: () => [] });
    }
    journal.close();
    const [, second] = readdirSync(d.dir).filter((name) => name.endsWith(".sqlite"));
    const first = Number.parseInt(second!, 10);
    const other = new DatabaseSync(join(d.dir, second!));
    other.exec(`DELETE FROM rows WHERE key = ${first}; VACUUM`);
    other.close();
    sql(d, `DELETE FROM rows WHERE key = ${first - 1}`);
    const again = d.open();
    again.read(1, 100);
    append(again, 1);
    const times = lossesIn(again).map(({ batches, from_ms, to_ms }) => [batches?.[0]?.first, from_ms - T, to_ms - T]);
    expect(times).toEqual([
      [first - 1, (first - 3) * 1000, (first - 1) * 1000],
      [first, (first - 3) * 1000, first * 1000],
    ]);
    again.close();
    for (const name of readdirSync(d.dir)) if (name !== FIRST) d.remove(name);
    sql(d, "DELETE FROM rows");
    d.now_ms = T;
    for (const { from_ms, to_ms } of lossesIn(d.open())) expect(to_ms).toBeGreaterThan(from_ms);
  });
});

test("a row that vanished without a trace is noticed when it is read, in an old segment too", () => {
  const d = disk();
  const journal = d.open({ segmentBytes: 2000 });
  for (let i = 0; i < 9; i++) append(journal, 1, 700);
  journal.close();
  const other = new DatabaseSync(join(d.dir, FIRST));
  other.exec("DELETE FROM rows WHERE key = 2; VACUUM");
  other.close();
  const again = d.open();
  expect(again.status().lost).toBe(0);
  expect(again.read(1, 4).map(({ number }) => number)).toEqual([1, 3, 4, 5]);
  expect(again.status().lost).toBe(1);
  append(again, 1);
  expect(lossesIn(again)).toMatchObject([{ count: 1, batches: [{ first: 2, last: 2 }] }]);
});

test("a segment that somebody removed is a loss by its numbers", () => {
  const d = disk();
  threeSegments(d);
  d.remove("000000000002.sqlite");
  let journal = d.open();
  expect(journal.read(1, 10).map(({ number }) => number)).toEqual([1, 3]);
  append(journal, 1);
  expect(lossesIn(journal)).toMatchObject([{ batches: [{ first: 2, last: 2 }] }]);
  journal.close();
  d.remove(FIRST);
  journal = d.open();
  expect(lossesIn(journal).map(({ batches }) => batches)).toEqual([[{ first: 2, last: 2 }], [{ first: 1, last: 1 }]]);
});

describe("an older segment that is no database any more", () => {
  test("gives what can be carved, and the rest is a loss", () => {
    const d = disk();
    const journal = d.open({ segmentBytes: 5000 });
    for (let i = 0; i < 12; i++) append(journal, 1, 700);
    journal.close();
    overwrite(d.dir, FIRST, 0, 4096);
    const again = d.open();
    const read = again.read(1, 100).map(({ number }) => number);
    append(again, 1);
    const lost = lossesIn(again).flatMap(({ batches }) => batches ?? []);
    expect(read.length).toBeGreaterThan(6);
    const named = lost.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    expect([...read, ...named].sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  });
});

describe("a newest segment that is no database any more", () => {
  test("gives what can be carved to a new epoch, because the next number is in doubt", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 12; i++) {
      journal.commit({
        entries: [entry(i, 700)],
        state: () => [
          ["kept", `${i}`],
          ["account:m", "x"],
        ],
      });
    }
    journal.confirm(all(1, 2));
    append(journal, 1, 700);
    journal.close();
    overwrite(d.dir, FIRST, 0, 100);
    const again = d.open();
    expect(again.epoch).toBe("0000000000000002");
    expect(again.boot).toBe(2);
    expect(again.getState("kept")).toBe("11");
    expect(again.getState("account:m")).toBeNull();
    expect(again.read(1, 100).map(({ position }) => position)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(lossesIn(again)).toMatchObject([{ count: 0, what: "unknown", why: "set-aside", batches: null }]);
    expect(d.events).toContain("journal.newest-rebuilt");
    again.close();
    const third = d.open();
    expect(third.epoch).toBe("0000000000000002");
    expect(append(third, 1)).toEqual([13]);
  });

  test("and holds nothing at all costs only itself", () => {
    const d = disk();
    threeSegments(d);
    writeFileSync(join(d.dir, "000000000003.sqlite"), "");
    const journal = d.open();
    expect(journal.epoch).toBe("0000000000000002");
    expect(positionsOf(journal).slice(0, 2)).toEqual([1, 2]);
    expect(journal.unconfirmed()).toBeGreaterThan(1);
    append(journal, 1);
    journal.close();
    expect(asidesIn(d.dir)).toEqual([`000000000003.sqlite.aside-${T}`]);
    expect(d.open().unconfirmed()).toBeGreaterThan(2);
  });

  test("while it is being written is left for a new one, and no commit is lost", () => {
    const d = disk();
    const journal = d.open();
    for (let i = 0; i < 30; i++) append(journal, 1, 700);
    const other = new DatabaseSync(join(d.dir, FIRST));
    other.exec("DROP TABLE rows");
    other.close();
    expect(append(journal, 1, 700).at(-1)).toBeGreaterThan(30);
    append(journal, 1);
    const told = lossesIn(journal);
    const held = positionsOf(journal);
    const lost = told.reduce((sum, { count }) => sum + count, 0);
    expect(held.length + lost).toBe(journal.position());
    expect(journal.epoch).toBe("0000000000000001");
  });
});

test("what was left of a damaged segment's write-ahead file does not get into the next one", () => {
  const d = disk();
  let journal = d.open();
  append(journal, 1);
  journal.close();
  overwrite(d.dir, FIRST, 0, 64_000);
  writeFileSync(join(d.dir, `${FIRST}-wal`), "left over");
  journal = d.open();
  append(journal, 1);
  journal.close();
  const again = d.open();
  expect(again.history(1, 10).map(({ kind }) => kind)).toEqual(["node", "sample"]);
});

test("a power cut that keeps the write-ahead file whole costs nothing", () => {
  const d = disk();
  const journal = d.open();
  for (let i = 0; i < 20; i++) append(journal, 2, 300);
  const image = disk();
  for (const part of ["", "-wal"]) copyFileSync(join(d.dir, `${FIRST}${part}`), join(image.dir, `${FIRST}${part}`));
  const again = image.open();
  expect(positionsOf(again)).toHaveLength(40);
  expect(again.status()).toMatchObject({ lost: 0, setAside: [] });
});

test("a torn write-ahead file costs the commits at its end and no others", () => {
  const d = disk();
  const journal = d.open();
  for (let i = 0; i < 20; i++) append(journal, 2, 300);
  const image = disk();
  copyFileSync(join(d.dir, FIRST), join(image.dir, FIRST));
  const wal = readFileSync(join(d.dir, `${FIRST}-wal`));
  writeFileSync(join(image.dir, `${FIRST}-wal`), wal.subarray(0, wal.length - 1500));
  const again = image.open();
  const held = positionsOf(again);
  expect(held.length).toBeGreaterThan(30);
  expect(held.length).toBeLessThan(40);
  expect(held).toEqual(held.map((_, i) => i + 1));
  expect(again.epoch).toBe("0000000000000001");
  expect(again.status()).toMatchObject({ lost: 0, setAside: [] });
});

test("files set aside have a bound: the oldest are deleted, and that is logged", () => {
  const d = disk();
  threeSegments(d);
  for (let i = 0; i < 5; i++) writeFileSync(join(d.dir, `${FIRST}.aside-${i}`), new Uint8Array(10_000));
  const journal = d.open({ maxBytes: 100_000 });
  d.now_ms += 2 * 3_600_000;
  append(journal, 1);
  expect(asidesIn(d.dir)).toEqual([`${FIRST}.aside-3`, `${FIRST}.aside-4`]);
  expect(d.events.filter((event) => event === "journal.aside-deleted")).toHaveLength(3);
});

describe("a journal of the first form", () => {
  test("is read as it was, confirmations, state and definitions too, and goes on in today's form", () => {
    const d = disk();
    copyFileSync(new URL("first-form.sqlite", import.meta.url), join(d.dir, FIRST));
    const journal = d.open();
    expect(journal.epoch).toBe("00000000000000aa");
    expect(journal.boot).toBe(4);
    const records = journal.read(1, 10);
    expect(records.map(({ number, kind, device }) => [number, kind, device])).toEqual([
      [1, "sample", "lò 1"],
      [2, "content", "lò 1"],
      [3, "sample", "lò 1"],
    ]);
    expect(journal.isConfirmed(1)).toBe(true);
    expect(journal.unconfirmed()).toBe(2);
    expect(journal.getState("bdSeq")).toBe("7");
    expect(append(journal, 1)).toEqual([4]);
    expect(existsSync(join(d.dir, "000000000004.sqlite"))).toBe(true);
    journal.close();
    expect(d.open().read(1, 10)).toHaveLength(4);
  });
});
