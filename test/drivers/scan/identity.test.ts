import { expect, test } from "vitest";
import { identityReads, testable, testimony } from "../../../drivers/scan/identity.ts";
import { MODELS } from "../../hw-sim/fixture.ts";

const models = [...MODELS.values()];

function said(id: string, address: number, words: readonly number[]) {
  const model = MODELS.get(id)!;
  const identify = testable(model).find((read) => read.address === address)!;
  return testimony({ model, identify }, { kind: "words", words: Uint16Array.from(words) });
}

function text(value: string, words: number): number[] {
  const bytes = Buffer.alloc(2 * words);
  bytes.write(value, "latin1");
  return Array.from({ length: words }, (_, i) => bytes.readUInt16BE(2 * i));
}

test("an address that several models ask for is read once, and first", () => {
  const [first, ...others] = identityReads(models);
  expect([first!.fc, first!.address, first!.claims.length]).toEqual([3, 11, 3]);
  const keys = [first!, ...others].map(({ fc, address, count }) => `${fc}/${address}/${count}`);
  expect(new Set(keys).size).toBe(keys.length);
});

test("SunSpec markers are looked for last, at every base", () => {
  const chain = identityReads(models).filter(({ claims }) => claims.some(({ model }) => model.discovery !== undefined));
  expect(chain.map(({ address }) => address)).toEqual([40_000, 50_000, 0]);
  expect(identityReads(models).slice(-3)).toEqual(chain);
});

test("a stated number confirms, another one contradicts, filling says nothing", () => {
  expect(said("carlo-gavazzi-em24-e1", 11, [1650]).kind).toBe("match");
  expect(said("carlo-gavazzi-em24-e1", 11, [341]).kind).toBe("contradiction");
  expect(said("carlo-gavazzi-em24-e1", 11, [0]).kind).toBe("none");
  expect(said("carlo-gavazzi-em24-e1", 11, [0xffff]).kind).toBe("none");
  const model = MODELS.get("carlo-gavazzi-em24-e1")!;
  expect(testimony({ model, identify: testable(model)[0]! }, { kind: "refused" })).toEqual({ kind: "none" });
});

test("texts are compared loosely, and only where the model file states one", () => {
  expect(said("schneider-pm5000", 49, text("PM5560", 20)).kind).toBe("match");
  expect(said("schneider-pm5000", 49, text("iEM3255", 20)).kind).toBe("contradiction");
  expect(said("schneider-pm5000", 69, text("SCHNEIDER  ELECTRIC", 20)).kind).toBe("match");
  expect(said("huawei-sun2000", 30_000, text("SUN2000-100KTL-M1", 15)).kind).toBe("match");
  expect(said("huawei-sun2000", 30_000, text("", 15)).kind).toBe("none");
  // Name and serial number are anybody's.
  expect(testable(MODELS.get("schneider-pm5000")!).map(({ address }) => address)).toEqual([49, 69]);
  expect(testable(MODELS.get("sungrow-sg")!)).toEqual([]);
});
