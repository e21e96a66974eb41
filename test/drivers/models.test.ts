import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { loadModelLibrary } from "../../config/models.ts";
import { unitFits } from "../../config/notation/unitFamily.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { countWorth } from "../../drivers/ratio.ts";
import { allModels } from "./models.ts";

const loaded = [...loadModelLibrary().values()];

/** As in `config/files/model.ts`: endings of registers that belong to an alternative map. */
const VARIANT = /_(f32|float|u32|hires|v1|xh|primary|secondary|pac4200|short)$/;

const files = readdirSync(new URL("../../drivers/models/", import.meta.url), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml"))
  .sort();

test("a model's id is its folder and file name", () => {
  expect(allModels().map(({ id }) => id)).toEqual(files.map((file) => file.replace("/", "-").replace(".yaml", "")));
});

test("every model names its sources and is either proven by a vector or says that it is not", () => {
  for (const model of allModels()) {
    expect(model.sources.length).toBeGreaterThan(0);
    if (model.proven) expect(model.golden.length, model.id).toBeGreaterThan(0);
    for (const vector of model.golden) {
      expect(vector.from).toMatch(/^(meter_register_dumps\/\w+\.csv|reference\/meters\/[\w-]+\.yaml): /);
    }
  }
});

test("a vector of settings alone does not prove a model", () => {
  const withVector = allModels().filter(({ golden }) => golden.length > 0);
  expect(withVector.map(({ id, proven }) => `${id} ${proven}`)).toEqual([
    "chint-dtsu666 false",
    "eastron-sdm120 true",
    "eastron-sdm630 true",
    "schneider-pm5000 true",
  ]);
});

test("all 33 models of the library pass the schema, units fitting their quantities and no address twice", () => {
  const models = loaded;
  expect(models).toHaveLength(33);
  // The checks are the schema's own; this makes sure that they were made on every file.
  expect(models.map(({ id }) => id).sort()).toEqual(
    allModels()
      .map(({ id }) => id)
      .sort(),
  );
  for (const model of models) {
    for (const { name, quantity, unit } of model.registers) {
      if (quantity !== undefined) expect(unitFits(unit, QUANTITIES[quantity].unit), `${model.id} ${name}`).toBe(true);
    }
  }
});

test("registers of one variant of one model never overlap", () => {
  for (const { id, registers } of loaded) {
    const spaces = Map.groupBy(registers, ({ name, fc }) => `${fc} ${VARIANT.exec(name)?.[1] ?? ""}`);
    for (const space of spaces.values()) {
      const sorted = [...space].sort((a, b) => a.address - b.address);
      for (const [i, register] of sorted.slice(1).entries()) {
        const before = sorted[i]!;
        expect(register.address, `${id}: ${before.name} and ${register.name}`).toBeGreaterThanOrEqual(
          before.address + before.words,
        );
      }
    }
  }
});

test("every counter says what a count is worth, or that the site must say it", () => {
  for (const { id, registers } of loaded) {
    for (const register of registers.filter(({ kind }) => kind === "counter")) {
      expect(register.scale, `${id} ${register.name}`).toBeGreaterThan(0);
      const settings = { ct_ratio: 1, vt_ratio: 1, ...(register.unit === "count" ? { m3_per_count: 0.1 } : {}) };
      if (register.quantity !== undefined) {
        expect(countWorth(register, settings), `${id} ${register.name}`).not.toBeNull();
      }
      if (register.unit === "count") expect(countWorth(register, { ct_ratio: 1, vt_ratio: 1 })).toBeNull();
    }
  }
});

test("a value that identifies a model never identifies another one", () => {
  const answers = new Map<string, string>();
  for (const { id, identify } of loaded) {
    const deciding = identify.filter((read) => read.equals !== undefined || read.one_of !== undefined);
    const combined = deciding.map((read) => ({
      where: `${read.fc}/${read.address}/${read.type}`,
      values: read.one_of ?? [read.equals!],
    }));
    for (const { where, values } of combined) {
      for (const value of values) {
        const before = answers.get(`${where}=${value}`);
        expect(before, `${id} and ${before} both answer ${value} at ${where}`).toBeUndefined();
        answers.set(`${where}=${value}`, id);
      }
    }
  }
  expect(answers.size).toBeGreaterThan(20);
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
