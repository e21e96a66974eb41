import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { khuxanhRun } from "../e2e/processes.ts";

const FILES = readdirSync(new URL("../../drivers/models/", import.meta.url), {
  recursive: true,
  encoding: "utf8",
}).filter((file) => file.endsWith(".yaml"));

test("models lists the whole library and says what is unproven", async () => {
  const { code, stdout } = await khuxanhRun("models", "--json");
  expect(code).toBe(0);
  const models: { id: string; proven: boolean }[] = JSON.parse(stdout);
  expect(models.map(({ id }) => id).sort()).toEqual(
    FILES.map((file) => file.replace(".yaml", "").replace("/", "-")).sort(),
  );
  const text = (await khuxanhRun("models", "list")).stdout;
  for (const { id, proven } of models)
    expect(text).toMatch(new RegExp(`^${id} .* ${proven ? "proven" : "unproven"}$`, "m"));
});

test("models show prints registers and golden state of one model, from the library or from a file", async () => {
  const byId = await khuxanhRun("models", "show", "eastron-sdm630");
  expect(byId.code).toBe(0);
  expect(byId.stdout).toMatch(/^eastron-sdm630 {3}Eastron .*version [0-9a-f]{8}\n.*proven by a golden vector/);
  expect(byId.stdout).toMatch(/frequency +fc 4 +70 +f32/);
  expect(await khuxanhRun("models", "show", "drivers/models/eastron/sdm630.yaml")).toEqual(byId);
});

test.each([
  [["models", "show"], /needs the id of a model/],
  [["models", "show", "eastron-sdm6300"], /Did you mean eastron-sdm630\?/],
  [["models", "drop"], /there is only list and show/],
])("%j is wrong usage", async (args, words) => {
  const { code, stdout, stderr } = await khuxanhRun(...args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(words);
});
