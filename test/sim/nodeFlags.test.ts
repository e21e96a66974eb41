import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NODE_FLAGS } from "./nodeFlags.ts";

test("`npm run sim` runs worlds with the flags that benchmark and mutations use", () => {
  const { scripts } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(scripts.sim).toBe(`node ${NODE_FLAGS.join(" ")} test/sim/main.ts`);
});
