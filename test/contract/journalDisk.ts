import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Blob, blankBlob, carve, HEADER_BYTES, seal } from "../../agent/journal/blob.ts";
import type { DiskRow, DiskSegment, JournalDisk } from "../../core/ports.ts";

/** A medium: each call gives a disk on the same files, as a process that starts anew would have it. */
export interface Medium {
  disk(): JournalDisk;
}

const A = "000000000001.sqlite";
const B = "000000000200.sqlite";
const MAX_KEY = Number.MAX_SAFE_INTEGER;

/** What every disk of the journal does. A disk that can be torn, filled or flipped has its own tests for that beside these. */
export function journalDiskContract(name: string, make: () => Medium): void {
  const keysOf = (segment: DiskSegment, from = 0, limit = 1000) => segment.rows(from, limit).map(({ key }) => key);

  describe(`${name}, a disk of the journal,`, () => {
    test("is empty at first, and names what was created", () => {
      const disk = make().disk();
      expect(disk.list()).toEqual([]);
      disk.create(B, []);
      disk.create(A, []);
      expect(disk.list().map((file) => file.name)).toEqual([A, B]);
      for (const { bytes } of disk.list()) expect(bytes).toBeGreaterThan(0);
    });

    test("says that a segment which is not there cannot be read, and does not make it", () => {
      const disk = make().disk();
      for (const access of ["write", "read"] as const) {
        expect(() => disk.open(A, access)).toThrow(expect.objectContaining({ code: "JOURNAL_DAMAGED" }));
      }
      expect(disk.list()).toEqual([]);
    });

    test("gives back rows and values byte for byte, also to the next process", () => {
      const medium = make();
      const disk = medium.disk();
      const blob = Uint8Array.from({ length: 300 }, (_, i) => i);
      disk.create(A, [{ rows: [{ key: 1, blob }], values: [{ name: "máy", blob: Uint8Array.of(1) }] }]);
      const segment = disk.open(A, "write");
      segment.append({ rows: [{ key: 9, blob: Uint8Array.of(0) }], values: [{ name: "b", blob: Uint8Array.of(2) }] });
      const expectAll = (opened: DiskSegment) => {
        expect(opened.rows(0, 10).map(plain)).toEqual([
          { key: 1, blob },
          { key: 9, blob: Uint8Array.of(0) },
        ]);
        expect(new Map(opened.values().map((value) => [value.name, Uint8Array.from(value.blob)]))).toEqual(
          new Map([
            ["máy", Uint8Array.of(1)],
            ["b", Uint8Array.of(2)],
          ]),
        );
      };
      expectAll(segment);
      segment.close();
      const again = medium.disk().open(A, "read");
      expectAll(again);
      again.close();
    });

    test("reads from the row that reaches to the key asked for, at most so many", () => {
      const disk = make().disk();
      disk.create(A, [{ rows: [3, 10, 11, 40].map((key) => row(key)), values: [] }]);
      const segment = disk.open(A, "read");
      expect(keysOf(segment, 0)).toEqual([3, 10, 11, 40]);
      expect(keysOf(segment, 3)).toEqual([3, 10, 11, 40]);
      expect(keysOf(segment, 9)).toEqual([3, 10, 11, 40]);
      expect(keysOf(segment, 12, 1)).toEqual([11]);
      expect(keysOf(segment, 39, 2)).toEqual([11, 40]);
      expect(keysOf(segment, MAX_KEY)).toEqual([40]);
      segment.close();
    });

    test("replaces a value of the same name", () => {
      const disk = make().disk();
      disk.create(A, [{ rows: [], values: [{ name: "next", blob: Uint8Array.of(1) }] }]);
      const segment = disk.open(A, "write");
      segment.append({ rows: [], values: [{ name: "next", blob: Uint8Array.of(2, 3) }] });
      expect(segment.values().map(({ name: key, blob }) => [key, [...blob]])).toEqual([["next", [2, 3]]]);
      segment.close();
    });

    test("writes all of a transaction or nothing: a key used twice undoes the rest", () => {
      const disk = make().disk();
      disk.create(A, [{ rows: [row(1)], values: [] }]);
      const segment = disk.open(A, "write");
      expect(() =>
        segment.append({ rows: [row(2), row(1)], values: [{ name: "x", blob: Uint8Array.of(1) }] }),
      ).toThrow();
      expect(keysOf(segment)).toEqual([1]);
      expect(segment.values()).toEqual([]);
      segment.append({ rows: [row(2)], values: [] });
      expect(keysOf(segment)).toEqual([1, 2]);
      segment.close();
    });

    test("lets a reader see each transaction beside the writer, in another process too", () => {
      const medium = make();
      const disk = medium.disk();
      disk.create(A, []);
      const writer = disk.open(A, "write");
      const reader = medium.disk().open(A, "read");
      for (const key of [1, 2, 3]) {
        writer.append({ rows: [row(key)], values: [] });
        expect(keysOf(reader, MAX_KEY, 1)).toEqual([key]);
      }
      expect(() => reader.append({ rows: [row(4)], values: [] })).toThrow();
      reader.close();
      writer.append({ rows: [row(4)], values: [] });
      writer.close();
    });

    test("puts a whole segment in place of one of the same name", () => {
      const disk = make().disk();
      disk.create(A, [{ rows: [row(1), row(2)], values: [{ name: "old", blob: Uint8Array.of(1) }] }]);
      const old = disk.open(A, "write");
      old.append({ rows: [row(3)], values: [] });
      old.close();
      disk.create(A, [
        { rows: [row(2)], values: [] },
        { rows: [row(7)], values: [{ name: "new", blob: Uint8Array.of(1) }] },
      ]);
      const segment = disk.open(A, "write");
      expect(keysOf(segment)).toEqual([2, 7]);
      expect(segment.values().map((value) => value.name)).toEqual(["new"]);
      segment.close();
      expect(disk.list()).toHaveLength(1);
    });

    test("leaves what was there if a segment cannot be created", () => {
      const disk = make().disk();
      disk.create(A, [{ rows: [row(1)], values: [] }]);
      function* breaking() {
        yield { rows: [row(5)], values: [] };
        throw new RangeError("no more");
      }
      expect(() => disk.create(A, breaking())).toThrow();
      expect(disk.list().map((file) => file.name)).toEqual([A]);
      const segment = disk.open(A, "read");
      expect(keysOf(segment)).toEqual([1]);
      segment.close();
    });

    test("keeps a copy aside that later changes do not touch", () => {
      const disk = make().disk();
      disk.create(A, [{ rows: [row(1)], values: [] }]);
      disk.copyAside(A, `${A}.aside-1`, "a test wants it");
      expect(disk.list().map((file) => file.name)).toEqual([A, `${A}.aside-1`]);
      disk.create(A, [{ rows: [row(2)], values: [] }]);
      expect(carved(disk, `${A}.aside-1`).map(({ ordinal }) => ordinal)).toEqual([1]);
      disk.remove(A);
      expect(disk.list().map((file) => file.name)).toEqual([`${A}.aside-1`]);
      disk.remove(`${A}.aside-1`);
      expect(disk.list()).toEqual([]);
    });

    test.each([1, 300, 980, 1000, 2000, 5000, 100_000])(
      "shows a blob with %i bytes of body in its raw bytes, whether just written or closed",
      (length) => {
        const disk = make().disk();
        disk.create(A, [{ rows: [row(1, length)], values: [{ name: "v", blob: blobOf(77, length, "value") }] }]);
        const segment = disk.open(A, "write");
        segment.append({ rows: [row(2, length)], values: [{ name: "w", blob: blobOf(88, length, "value") }] });
        const expectAll = () =>
          expect([...new Set(carved(disk, A).map(({ ordinal }) => ordinal))].sort((a, b) => a - b)).toEqual([
            1, 2, 77, 88,
          ]);
        expectAll();
        segment.close();
        expectAll();
        expect(disk.raw(A, "what-reads").map(plainBytes)).toEqual(disk.raw(A).map(plainBytes));
      },
    );

    test("says how much it holds", () => {
      const disk = make().disk();
      disk.create(A, []);
      const segment = disk.open(A, "write");
      const before = segment.bytes();
      segment.append({ rows: [row(1, 100_000)], values: [] });
      expect(segment.bytes()).toBeGreaterThan(before + 100_000);
      segment.close();
      expect(disk.list()[0]!.bytes).toBeGreaterThan(100_000);
      const { free_bytes, total_bytes } = disk.space() ?? { free_bytes: 0, total_bytes: 0 };
      expect(free_bytes).toBeGreaterThanOrEqual(0);
      expect(total_bytes).toBeGreaterThanOrEqual(free_bytes);
    });

    test("law: whatever is appended, however often it is opened, reads back in order", () => {
      const step = fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant("reopen" as const));
      fc.assert(
        fc.property(fc.array(step, { maxLength: 12 }), fc.integer({ min: 1, max: 1500 }), (steps, length) => {
          const medium = make();
          medium.disk().create(A, []);
          let segment = medium.disk().open(A, "write");
          let next = 1;
          for (const what of steps) {
            if (what === "reopen") {
              segment.close();
              segment = medium.disk().open(A, "write");
              continue;
            }
            segment.append({ rows: Array.from({ length: what }, () => row(next++, length)), values: [] });
          }
          expect(keysOf(segment)).toEqual(Array.from({ length: next - 1 }, (_, i) => i + 1));
          segment.close();
        }),
        { numRuns: 15 },
      );
    });
  });
}

function row(key: number, length = 10): DiskRow {
  return { key, blob: blobOf(key, length, "telemetry") };
}

function blobOf(ordinal: number, length: number, kind: "telemetry" | "value"): Uint8Array {
  const blob = blankBlob(length);
  for (let i = 0; i < length; i++) blob[HEADER_BYTES + i] = (i * 7 + ordinal) & 0xff;
  return seal(blob, { epoch: 1n, ordinal, kind, count: 1, layout: "rows" });
}

function carved(disk: JournalDisk, name: string): Blob[] {
  return disk.raw(name).flatMap((bytes) => [...carve(bytes)]);
}

const plainBytes = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

function plain({ key, blob }: DiskRow): DiskRow {
  return { key, blob: Uint8Array.from(blob) };
}
