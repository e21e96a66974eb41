import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MUTATIONS } from "./mutations.ts";

test.each(Object.entries(MUTATIONS))("the mutation %s still fits the code it breaks", (_name, { edits }) => {
  expect(edits.length).toBeGreaterThan(0);
  for (const { file, from, to } of edits) {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
    expect(source.split(from), `${file}: ${from}`).toHaveLength(2);
    expect(to).not.toBe(from);
  }
});
