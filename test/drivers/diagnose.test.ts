import { expect, test } from "vitest";
import type { MeterModel, Register } from "../../core/model/meterModel.ts";
import type { Bus } from "../../core/ports.ts";
import { type Diagnosis, diagnose } from "../../drivers/diagnose.ts";
import { readModel } from "../../drivers/probe.ts";
import { MODELS } from "../hw-sim/fixture.ts";
import { simulated, specFor } from "./scan/simulated.ts";

const ELECTRIC = [...MODELS.values()].filter(
  ({ measures, discovery }) => measures.includes("electricity") && discovery === undefined,
);

/** Reads a simulated meter through a map with a mistake in every register. */
async function diagnosed(id: string, mistake: (register: Register) => Register, unit = 1) {
  const model = MODELS.get(id)!;
  const bus = simulated([{ unit: 1, ...specFor(model) }]);
  const wrong: MeterModel = { ...model, registers: model.registers.map(mistake) };
  const own = await readModel(bus, unit, wrong);
  const before = bus.reads.length;
  const found: readonly Diagnosis[] = await diagnose(bus, unit, wrong, own);
  return { found, mistakes: found.map((one) => one.mistake), reads: bus.reads.slice(before) };
}

const moved = (by: number) => (register: Register) => ({ ...register, address: register.address + by });
const swapped = (register: Register): Register => ({
  ...register,
  word_order: register.word_order === "big" ? "little" : "big",
});
const otherCode = (register: Register): Register => ({ ...register, fc: register.fc === 3 ? 4 : 3 });
const scaled = (names: RegExp, factor: number) => (register: Register) =>
  names.test(register.name) ? { ...register, scale: register.scale * factor } : register;

test.each(ELECTRIC.map(({ id }) => id))("%s read right gives no diagnosis and costs no read", async (id) => {
  const { mistakes, reads } = await diagnosed(id, (register) => register);
  expect(mistakes).toEqual([]);
  expect(reads).toEqual([]);
});

const FLOATS = [
  "eastron-sdm630",
  "eastron-sdm120",
  "schneider-pm5000",
  "siemens-pac2200",
  "janitza-umg604",
  "chint-dtsu666",
  "selec-em2m",
];
const INTEGERS = [
  "abb-b23-b24",
  "carlo-gavazzi-em24-e1",
  "circutor-cvm-c10",
  "huawei-sun2000",
  "sungrow-sg",
  "growatt-min-mic",
];

test.each([...FLOATS, ...INTEGERS])("%s with addresses one too high: they are one lower", async (id) => {
  const { mistakes, found } = await diagnosed(id, moved(1));
  expect(mistakes).toEqual(["address-one-lower"]);
  expect(found[0]!.why.en).toBe("The values fit if addresses are one lower.");
  expect(found[0]!.why.vi).toBe("Các giá trị hợp lý nếu địa chỉ thanh ghi thấp hơn một.");
  expect(found[0]!.evidence.length).toBeGreaterThanOrEqual(3);
});

// Models that begin at address 0 cannot be written one lower.
test.each([
  "schneider-pm5000",
  "siemens-pac2200",
  "janitza-umg604",
  "chint-dtsu666",
  "abb-b23-b24",
  "huawei-sun2000",
  "sungrow-sg",
])("%s with addresses one too low: they are one higher", async (id) =>
  expect((await diagnosed(id, moved(-1))).mistakes).toEqual(["address-one-higher"]),
);

test.each([...FLOATS, "abb-b23-b24", "carlo-gavazzi-em24-e1", "circutor-cvm-c10", "huawei-sun2000"])(
  "%s with the wrong word order",
  async (id) => expect((await diagnosed(id, swapped)).mistakes).toEqual(["word-order"]),
);

test.each([...FLOATS, ...INTEGERS])("%s asked with the other function code", async (id) => {
  expect((await diagnosed(id, otherCode)).mistakes).toEqual(["function-code"]);
});

test.each(["eastron-sdm630", "schneider-pm5000", "chint-dtsu666"])(
  "%s one too high and in the wrong order: both are told",
  async (id) => {
    const { mistakes, found } = await diagnosed(id, (register) => swapped(moved(1)(register)));
    expect(mistakes).toEqual(["combined"]);
    expect(found[0]!.why.en).toBe("The values fit if addresses are one lower and the word order is the other one.");
  },
);

test.each(["eastron-sdm630", "schneider-pm5000", "carlo-gavazzi-em340-et340"])(
  "%s with power a decade off",
  async (id) => {
    const { mistakes, found } = await diagnosed(id, scaled(/^active_power/, 10));
    expect(mistakes).toEqual(["decade"]);
    expect(found[0]!.why.en).toMatch(/off by a factor of 10 /);
    expect(found[0]!.evidence).toHaveLength(3);
  },
);

test("a CT ratio applied to the current only is told with its size", async () => {
  const { mistakes, found } = await diagnosed("eastron-sdm630", scaled(/^current/, 80));
  expect(mistakes).toEqual(["ct-ratio"]);
  expect(found[0]!.why.en).toMatch(/a CT ratio of 80(\.\d)? is applied to current or to power only/);
});

test("a forgotten integer scale, as on the Chint, moves the decimal point of voltage and frequency", async () => {
  const { mistakes, found } = await diagnosed(
    "chint-dtsu666",
    scaled(/^(voltage|current|frequency|active_power|power_factor)/, 10),
  );
  expect(mistakes).toEqual(["decade"]);
  expect(found[0]!.evidence.join()).toMatch(/frequency 499?\.?\d* × 0\.1 = (49|50)/);
});

test("a meter that answers the wrong function code with zeros is told by the right one", async () => {
  const model = MODELS.get("eastron-sdm630")!;
  const meter = simulated([{ unit: 1, ...specFor(model) }]);
  const bus: Bus = {
    read: async (request) =>
      request.fc === 4 ? meter.read(request) : { kind: "words", words: new Uint16Array(request.count) },
    close: async () => {},
  };
  const wrong = { ...model, registers: model.registers.map((register) => ({ ...register, fc: 3 as const })) };
  const found = await diagnose(bus, 1, wrong, await readModel(bus, 1, wrong));
  expect(found.map(({ mistake }) => mistake)).toEqual(["function-code"]);
});

test("a meter of another make is no usual mistake", async () => {
  const bus = simulated([{ unit: 1, ...specFor(MODELS.get("schneider-pm5000")!) }]);
  const wrong = MODELS.get("inepro-pro380")!;
  expect(await diagnose(bus, 1, wrong, await readModel(bus, 1, wrong))).toEqual([]);
});

test("a silent meter is not asked again", async () => {
  const model = MODELS.get("eastron-sdm630")!;
  let reads = 0;
  const dead = {
    async read() {
      reads++;
      return { kind: "timeout" as const };
    },
    async close() {},
  };
  const own = await readModel(dead, 1, model);
  expect(await diagnose(dead, 1, model, own)).toEqual([]);
  expect(reads).toBe(2);
});

test("a gas meter is not judged by what electricity looks like", async () => {
  const { mistakes, reads } = await diagnosed("sick-flowsic500", (register) => register);
  expect([mistakes, reads]).toEqual([[], []]);
});

test("primary voltages behind a voltage transformer are believed", async () => {
  const { mistakes } = await diagnosed("eastron-sdm630", scaled(/^(voltage|active_power|reactive|apparent)/, 55));
  expect(mistakes).toEqual([]);
});

/** An SDM630 that sends the low word first: what each register holds, at its address of fc 4. */
function lowWordFirst(volts: readonly number[], amps: readonly number[], angles: readonly number[]): Bus {
  const words = new Uint16Array(500);
  const view = new DataView(new ArrayBuffer(4));
  const put = (address: number, value: number) => {
    view.setFloat32(0, value);
    words.set([view.getUint16(2), view.getUint16(0)], address);
  };
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const sizes = volts.map((volt, i) => volt * amps[i]!);
  const powers = sizes.map((size, i) => size * Math.cos(angles[i]!));
  for (const [i, volt] of volts.entries()) {
    put(2 * i, volt);
    put(6 + 2 * i, amps[i]!);
    put(12 + 2 * i, powers[i]!);
    put(18 + 2 * i, sizes[i]!);
    put(30 + 2 * i, powers[i]! / sizes[i]!);
    const next = volts[(i + 1) % 3]!;
    put(200 + 2 * i, Math.sqrt(volt ** 2 + next ** 2 + volt * next));
  }
  put(42, sum(volts) / 3);
  put(46, sum(amps) / 3);
  put(52, sum(powers));
  put(62, sum(powers) / sum(sizes));
  put(70, 50.02);
  put(206, 399);
  return {
    read: async ({ fc: code, address, count }) =>
      code === 4 && address + count <= words.length
        ? { kind: "words", words: words.slice(address, address + count) }
        : { kind: "exception", code: 2 },
    close: async () => {},
  };
}

test.each([
  ["round values", [230, 231, 229.5], [40, 42, 38]],
  ["values with decimals", [230.37, 231.11, 229.64], [40.13, 42.77, 38.91]],
])("the wrong word order comes before an address one off that fits roughly: %s", async (_, volts, amps) => {
  const model = MODELS.get("eastron-sdm630")!;
  const bus = lowWordFirst(volts, amps, [0.4, 0.42, 0.38]);
  const found = await diagnose(bus, 1, model, await readModel(bus, 1, model));
  expect(found[0]).toMatchObject({ mistake: "word-order", isLessLikely: false });
  for (const other of found.slice(1)) {
    expect(other.isLessLikely).toBe(true);
    expect(other.why.en).toMatch(/^Less likely: the values roughly fit if/);
    expect(other.why.vi).toMatch(/^Ít khả năng hơn/);
  }
});
