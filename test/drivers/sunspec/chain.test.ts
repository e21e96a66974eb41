import fc from "fast-check";
import { expect, test } from "vitest";
import type { MeterModel } from "../../../core/model/meterModel.ts";
import type { Bus, BusRead, BusReply } from "../../../core/ports.ts";
import { defineDevice } from "../../../drivers/define.ts";
import { compileDefinition } from "../../../drivers/modbus/decode.ts";
import { probe } from "../../../drivers/probe.ts";
import { discover, resolveDiscovery } from "../../../drivers/sunspec/discover.ts";
import { ACCOUNT, decodeWords, setup } from "../devices.ts";
import { modelOf } from "../models.ts";

/**
 * Register images written by hand from the offsets of the SunSpec reference (models 1, 101-103, 111-113, 201-204, 211-214), not
 * by the simulator, which shares our tables.
 */
const inverter = modelOf("sunspec-inverter-101-103");
const meter = modelOf("sunspec-meter-201-204");

interface Block {
  readonly id: number;
  readonly length: number;
  /** Offset from the model id → words. */
  readonly words: Readonly<Record<number, readonly number[]>>;
}

const NOT_IMPLEMENTED = 0x8000;
const common = (length: 65 | 66): Block => ({
  id: 1,
  length,
  words: { 2: [0x536f, 0x6c61, 0x7245], 66: [1], ...(length === 66 ? { 67: [NOT_IMPLEMENTED] } : {}) },
});

/** The chain as a device shows it: exception 2 beyond its end, as the reference says. */
function device(base: number, blocks: readonly Block[]): Bus {
  const image = new Map<number, number>();
  const put = (address: number, words: readonly number[]): void => {
    for (const [i, word] of words.entries()) image.set(address + i, word);
  };
  put(base, [0x5375, 0x6e53]);
  let at = base + 2;
  for (const { id, length, words } of blocks) {
    put(at, [id, length, ...new Array<number>(length).fill(0xffff)]);
    for (const [offset, row] of Object.entries(words)) put(at + Number(offset), row);
    at += length + 2;
  }
  put(at, [0xffff, 0]);
  return {
    async read({ address, count, fc }): Promise<BusReply> {
      const words = Array.from({ length: count }, (_, i) => image.get(address + i));
      if (fc !== 3 || words.includes(undefined)) return { kind: "exception", code: 2 };
      return { kind: "words", words: Uint16Array.from(words as number[]) };
    },
    async close() {},
  };
}

/** 103: 12.3 A, 230.1 V, 5000 W x 10^1, 50.01 Hz, PF -98.5 %, 123456789 Wh, DC not implemented. */
const INVERTER: Readonly<Record<number, readonly number[]>> = {
  2: [123, 41, 41, 41, 0xffff],
  7: [3985, 3986, 3987, 2301, 2302, 2303, 0xffff],
  14: [5000, 1, 5001, 0xfffe, 5050, 1, 0xfed4, 1, 0xfc27, 0xffff],
  24: [0x075b, 0xcd15, 0],
  27: [0xffff, NOT_IMPLEMENTED, 0xffff, NOT_IMPLEMENTED, NOT_IMPLEMENTED, NOT_IMPLEMENTED],
  33: [351, 0xffff, 0xffff, 0xffff, 0xffff, 4],
};

/** Float 113: 230.5 V at 16, 5000 W at 22, 50 Hz at 24, 123456 Wh at 32. */
const FLOAT_INVERTER: Readonly<Record<number, readonly number[]>> = {
  2: [0x4148, 0x0000],
  16: [0x4366, 0x8000, 0x7fc0, 0x0000, 0x7fc0, 0x0000, 0x459c, 0x4000, 0x4248, 0x0000],
  32: [0x47f1, 0x2000],
};

async function read(bus: Bus, model: MeterModel) {
  const { readings, unread } = await probe(bus, 1, model);
  return { values: Object.fromEntries(readings.map(({ name, value }) => [name, value])), unread };
}

test.each(
  [101, 102, 103].flatMap((id) =>
    [65, 66].flatMap((length) => [40_000, 50_000, 0].map((base) => [id, length, base] as const)),
  ),
)("inverter model %d behind a common model of %d registers at %d", async (id, length, base) => {
  const bus = device(base, [common(length as 65 | 66), { id, length: 50, words: INVERTER }]);
  expect(await discover(bus, 1, inverter.discovery!, 100)).toMatchObject({
    kind: "found",
    found: { model_id: id, address: base + 4 + length, length: 50 },
  });
  const { values, unread } = await read(bus, inverter);
  expect(unread).toEqual([]);
  expect(values).toMatchObject({
    current_total: 12.3,
    voltage_l1_l2: 398.5,
    voltage_l1: 230.1,
    active_power_total: 50_000,
    frequency: 50.01,
    apparent_power_total: 50_500,
    reactive_power_total: -3000,
    power_factor_total: -0.985,
    active_energy_export_total: 123_456.789,
    // Value and exponent say that there is none: no number, and no -32768 for an exponent.
    dc_current: null,
    dc_current_scale_exp: null,
    dc_power: null,
    temperature_cabinet: 35.1,
    status: 4,
  });
});

test.each([111, 112, 113])("float inverter model %d", async (id) => {
  const bus = device(40_000, [common(66), { id, length: 60, words: FLOAT_INVERTER }]);
  const { values, unread } = await read(bus, inverter);
  expect(unread).toEqual([]);
  expect(values).toMatchObject({
    current_total_float: 12.5,
    voltage_l1_float: 230.5,
    voltage_l2_float: null,
    active_power_total_float: 5000,
    frequency_float: 50,
    active_energy_export_total_float: 123.456,
  });
});

test.each([201, 202, 203, 204])(
  "meter model %d behind an inverter, each after a common model of its own",
  async (id) => {
    const words: Readonly<Record<number, readonly number[]>> = {
      2: [0xfff6, 0xfff6, NOT_IMPLEMENTED, NOT_IMPLEMENTED, 0xffff],
      7: [2300, 2301, NOT_IMPLEMENTED, NOT_IMPLEMENTED, 3983, 3984, 3985, 3986, 0xffff],
      16: [5000, 0xfffe],
      18: [0xfc18, 0xfc18, NOT_IMPLEMENTED, NOT_IMPLEMENTED, 1],
      38: [0x0000, 0x03e8],
      46: [0x0001, 0x86a0],
      54: [1],
      63: [0, 0],
    };
    const bus = device(40_000, [
      common(65),
      { id: 103, length: 50, words: INVERTER },
      common(65),
      { id, length: 105, words },
    ]);
    const { values, unread } = await read(bus, meter);
    expect(unread).toEqual([]);
    expect(values).toMatchObject({
      current_total: -1,
      current_l2: null,
      voltage_ln_avg: 230,
      voltage_l1: 230.1,
      voltage_l2: null,
      voltage_l3_l1: 398.6,
      frequency: 50,
      active_power_total: -10_000,
      active_power_l3: null,
      active_energy_export_total: 10,
      active_energy_import_total: 1000,
      // An accumulator at zero has not accumulated.
      apparent_energy_import_total: null,
    });
  },
);

test.each([211, 212, 213, 214])("float meter model %d", async (id) => {
  const words: Readonly<Record<number, readonly number[]>> = {
    2: [0xc120, 0x0000],
    10: [0x4366, 0x8000, 0x4366, 0x8000, 0x7fc0, 0x0000],
    26: [0x4248, 0x0000, 0xc59c, 0x4000],
    60: [0x47f1, 0x2000],
    68: [0x4974, 0x2400],
  };
  const { values, unread } = await read(device(0, [common(66), { id, length: 124, words }]), meter);
  expect(unread).toEqual([]);
  expect(values).toMatchObject({
    current_total_float: -10,
    voltage_ln_avg_float: 230.5,
    voltage_l1_float: 230.5,
    voltage_l2_float: null,
    frequency_float: 50,
    active_power_total_float: -5000,
    active_energy_export_total_float: 123.456,
    active_energy_import_total_float: 1000,
  });
});

/** 160 with two strings: exponents -2, -1, 1, 0; 12.34 A, 612.5 V, 7550 W, 1234567 Wh; the second one has no energy. */
const STRINGS: Block = {
  id: 160,
  length: 48,
  words: {
    2: [0xfffe, 0xffff, 1, 0],
    8: [2, 0xffff],
    10: [1, 0x4d50, 0x5054, 0x2031, 0, 0, 0, 0, 0],
    19: [1234, 6125, 755, 0x0012, 0xd687],
    30: [2],
    39: [987, 0xffff, 602, 0, 0],
  },
};

test.each([
  ["before the inverter's own model", 0],
  ["behind it", 1],
])("the strings of an inverter (160) are read %s, each under its own name", async (_, place) => {
  const own: Block = { id: 103, length: 50, words: INVERTER };
  const serial = { ...common(66), words: { ...common(66).words, 52: [0x3741, 0x3346] } };
  const both = device(40_000, [serial, ...(place === 0 ? [STRINGS, own] : [own, STRINGS]), common(66)]);
  const { values, unread } = await read(both, inverter);
  expect(unread).toEqual([]);
  expect(values).toMatchObject({
    active_power_total: 50_000,
    dc_current_input_1: 12.34,
    dc_voltage_input_1: 612.5,
    dc_power_input_1: 7550,
    dc_energy_input_1: 1234.567,
    dc_current_input_2: 9.87,
    dc_voltage_input_2: null,
    dc_power_input_2: 6020,
    dc_energy_input_2: null,
  });
  expect(values).not.toHaveProperty("dc_power_input_3");
});

/** Loses the replies with these numbers, from 1, among those to questions for `address`. */
function losing(bus: Bus, address: number, numbers: readonly number[]): Bus {
  let asked = 0;
  return {
    ...bus,
    read: (request) =>
      request.address === address && numbers.includes(++asked)
        ? Promise.resolve({ kind: "timeout" })
        : bus.read(request),
  };
}

const STRINGS_AT = 40_122;
const WITH_STRINGS = () => device(40_000, [common(66), { id: 103, length: 50, words: INVERTER }, STRINGS]);

test("a reply that is lost behind the model is asked for again, and without it the chain is not whole", async () => {
  const early = await discover(losing(WITH_STRINGS(), 40_070, [1]), 1, inverter.discovery!, 100);
  expect(early).toMatchObject({ kind: "found", isWhole: true, found: { model_id: 103 } });
  const once = await discover(losing(WITH_STRINGS(), STRINGS_AT, [1]), 1, inverter.discovery!, 100);
  expect(once).toMatchObject({ kind: "found", isWhole: true, found: { blocks: [{ model_id: 1 }, { model_id: 160 }] } });
  const lost = await discover(losing(WITH_STRINGS(), STRINGS_AT, [1, 2]), 1, inverter.discovery!, 100);
  expect(lost).toMatchObject({ kind: "found", isWhole: false, found: { blocks: [{ model_id: 1 }] } });
  const uncounted = await discover(losing(WITH_STRINGS(), STRINGS_AT + 8, [1, 2]), 1, inverter.discovery!, 100);
  expect(uncounted).toMatchObject({ kind: "found", isWhole: false });
});

test("a device that is busy ends no chain, one that has no more registers does", async () => {
  const saying = (code: number): Bus => {
    const bus = WITH_STRINGS();
    return {
      ...bus,
      read: (request) =>
        request.address === STRINGS_AT ? Promise.resolve({ kind: "exception", code }) : bus.read(request),
    };
  };
  expect(await discover(saying(6), 1, inverter.discovery!, 100)).toMatchObject({ kind: "found", isWhole: false });
  expect(await discover(saying(2), 1, inverter.discovery!, 100)).toMatchObject({ kind: "found", isWhole: true });
});

test("whatever lengths a device tells, what is found can be asked for, decoded, and is one of a kind", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ id: fc.constantFrom(1, 103, 113, 160, 7), length: fc.oneof(fc.nat(70), fc.nat(65_535)) }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.constantFrom(40_000, 50_000, 0),
      fc.nat(65_535),
      async (chain, base, word) => {
        // Answers everything: where a model begins, its id and length.
        const heads = new Map<number, readonly [number, number]>([[base, [0x5375, 0x6e53]]]);
        let at = base + 2;
        for (const { id, length } of chain) {
          heads.set(at, [id, length]);
          at += length + 2;
        }
        const asked: BusRead[] = [];
        const bus: Bus = {
          async read(request) {
            asked.push(request);
            const words = Uint16Array.from({ length: request.count }, () => word);
            words.set(heads.get(request.address) ?? [], 0);
            return { kind: "words", words };
          },
          async close() {},
        };
        const result = await discover(bus, 1, inverter.discovery!, 100);
        for (const { address, count } of asked) expect(address + count).toBeLessThanOrEqual(65_536);
        if (result.kind !== "found") return;
        const model = resolveDiscovery(inverter, result.found);
        for (const { address, words } of model.registers) expect(address + words).toBeLessThanOrEqual(65_536);
        if (!model.registers.some(({ quantity }) => quantity === "active_energy_export_total")) return;
        const definition = defineDevice(model, setup("solar"), ACCOUNT);
        expect(() => compileDefinition(definition)).not.toThrow();
      },
    ),
  );
});

test("strings are polled with the counters, nothing of them is booked; the serial number is read once an interval", () => {
  const blocks = [
    { model_id: 1, address: 40_002, length: 66, modules: 0 },
    { model_id: 160, address: 40_122, length: 48, modules: 2 },
  ];
  const resolved = resolveDiscovery(inverter, { model_id: 103, address: 40_070, length: 50, blocks });
  const every = { power_ms: 1000, energy_ms: 10_000, settings_ms: 86_400_000 };
  const definition = defineDevice(resolved, setup("solar", { role: "generation", every }), ACCOUNT);
  const strings = definition.registers.filter(({ register }) => /_inputs?_/.test(register.name));
  expect(strings).toHaveLength(2 * 4 + 4);
  expect(new Set(strings.map(({ every_ms }) => every_ms))).toEqual(new Set([10_000]));
  expect(definition.counters.map(({ quantity, accounted }) => [quantity, accounted])).toEqual([
    ["active_energy_export_total", true],
    ["dc_energy_input_1", false],
    ["dc_energy_input_2", false],
  ]);
  const readings = decodeWords(definition, { 40124: [0xfffe, 0xffff, 1, 0], 40161: [987, 6100, 602, 0x0012, 0xd687] });
  expect(readings.get("dc_energy_input_2")).toMatchObject({ value: 1_234_567n, quality: "good" });
  expect(readings.get("dc_power_input_2")).toMatchObject({ value: 6020, quality: "good" });
  const serial = definition.registers.find(({ register }) => register.name === "serial_number");
  expect(serial).toMatchObject({
    every_ms: ACCOUNT.interval_ms,
    register: { address: 40_052, words: 16, type: "str" },
  });
});

test("the model for strings (160) alone is no inverter, and is named", async () => {
  const tracker: Block = { id: 160, length: 48, words: {} };
  const result = await discover(device(40_000, [common(66), tracker]), 1, inverter.discovery!, 100);
  expect(result).toMatchObject({ kind: "absent", why: expect.stringContaining("(1, 160)") });
});

test("a value whose exponent came in another poll, or is not implemented, is no value", () => {
  const resolved = resolveDiscovery(inverter, { model_id: 103, address: 40_070, length: 50, blocks: [] });
  const definition = defineDevice(resolved, setup("solar", { role: "generation" }), ACCOUNT);
  const power = (words: Readonly<Record<number, readonly number[]>>) =>
    decodeWords(definition, words).get("active_power_total");
  expect(power({ 40084: [5000, 1] })).toMatchObject({ value: 50_000, quality: "good" });
  expect(power({ 40084: [5000, NOT_IMPLEMENTED] })).toMatchObject({ value: null, why: "scale-missing" });
  expect(power({ 40084: [5000, 11] })).toMatchObject({ value: null, why: "scale-missing" });
  expect(power({ 40084: [5000] })).toMatchObject({ value: null, why: "scale-missing" });
  expect(power({ 40084: [NOT_IMPLEMENTED, 1] })).toMatchObject({ value: null, why: "sentinel" });
});

test("value and exponent of every quantity are due together", () => {
  for (const [model, id, length] of [
    [inverter, 103, 50],
    [meter, 203, 105],
  ] as const) {
    const resolved = resolveDiscovery(model, { model_id: id, address: 40_070, length, blocks: [] });
    const carrier = model === inverter ? ("solar" as const) : ("electricity" as const);
    const { registers } = defineDevice(resolved, setup(carrier), ACCOUNT);
    for (const { register, every_ms } of registers) {
      if (register.scale_exp_address === undefined) continue;
      const exponents = registers.filter((one) => one.register.address === register.scale_exp_address);
      expect(
        exponents.some((one) => one.every_ms === every_ms),
        register.name,
      ).toBe(true);
    }
  }
});
