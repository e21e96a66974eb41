import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isClockSynchronised } from "../../cli/io/system.ts";

test("a clock that a file speaks for was not set before the file is there", () => {
  const dir = mkdtempSync(join(tmpdir(), "khuxanh-test-"));
  try {
    const file = join(dir, "set");
    expect(isClockSynchronised({ kind: "file", file })).toBe(false);
    writeFileSync(file, "");
    expect(isClockSynchronised({ kind: "file", file })).toBe(true);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("of a clock that nobody sets nobody says anything", () => {
  expect(isClockSynchronised({ kind: "nobody" })).toBeNull();
});
