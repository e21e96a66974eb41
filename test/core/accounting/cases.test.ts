import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { calculation } from "../../../cli/commands/calc.ts";
import { loadCalcConfig } from "../../../config/load.ts";

/**
 * Worked examples (W01…W30 of the methods), each a folder: a file for `khuxanh calc` and what must come out. The figures were
 * computed apart from this code and rounded to six significant digits.
 *
 * Cases of performance, targets, tariffs and allocation are kept beside the code they belong to: W11, W16-W19, the balance
 * of W21, W22, W24-W27, the split of the change of W06.
 */
const TOLERANCE = 5e-6;
const NOW_MS = Date.parse("2026-11-22T00:00:00+07:00");
const folder = fileURLToPath(new URL("cases/", import.meta.url));

interface Expectation {
  readonly what: string;
  readonly at: string;
  readonly is: number | boolean;
  readonly per?: number;
}

function valueAt(document: unknown, path: string): unknown {
  return path
    .split(/[.[\]]+/)
    .filter((key) => key !== "")
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], document);
}

describe.each(readdirSync(folder).sort())("%s", (name) => {
  const file = `${folder}${name}/calc.yaml`;
  const { json } = calculation(loadCalcConfig(file), file, NOW_MS);
  const expectations = parse(readFileSync(`${folder}${name}/expected.yaml`, "utf8")) as readonly Expectation[];

  test.each(expectations)("$what is $is", ({ at, is, per = 1 }) => {
    const value = valueAt(json, at);
    if (typeof is === "boolean") {
      expect(value).toBe(is);
      return;
    }
    expect(typeof value).toBe("number");
    expect(Math.abs((value as number) / per - is)).toBeLessThanOrEqual(Math.abs(is) * TOLERANCE);
  });
});
