import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { allModels } from "./models.ts";

const files = readdirSync(new URL("../../drivers/models/", import.meta.url), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml"))
  .sort();

test("a model's id is its folder and file name", () => {
  expect(allModels().map(({ id }) => id)).toEqual(files.map((file) => file.replace("/", "-").replace(".yaml", "")));
});

test("every model names its sources and is either proven by a vector or says that it is not", () => {
  for (const model of allModels()) {
    expect(model.sources.length).toBeGreaterThan(0);
    expect(model.proven).toBe(model.golden.length > 0);
    for (const vector of model.golden) expect(vector.from).toMatch(/^meter_register_dumps\/\w+\.csv: /);
  }
});

test("exponent and ratio registers that a register names are in the same file", () => {
  for (const { id, registers } of allModels()) {
    for (const register of registers) {
      if (register.scale_exp_address !== undefined) {
        const exponent = registers.find(
          ({ address, kind }) => kind === "scale_exponent" && address === register.scale_exp_address,
        );
        expect(exponent, `${id} ${register.name}`).toBeDefined();
      }
      for (const name of [...(register.multiply_by ?? []), ...(register.divide_by ?? [])]) {
        expect(
          registers.map((one) => one.name),
          `${id} ${register.name}`,
        ).toContain(name);
      }
    }
  }
});
