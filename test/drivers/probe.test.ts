import { afterEach, expect, test } from "vitest";
import type { GoldenVector } from "../../core/model/meterModel.ts";
import type { Bus } from "../../core/ports.ts";
import { openBus } from "../../drivers/modbus/client.ts";
import { probe, readModel, withRegisters } from "../../drivers/probe.ts";
import { model, register } from "./devices.ts";
import { foreignServer, type Image, rawServer, rtuFrame, type TestServer } from "./modbus/servers.ts";
import { allModels, modelOf } from "./models.ts";

const open: (Bus | TestServer)[] = [];
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.close();
});

function imageOf(vector: GoldenVector): Image {
  return new Map(
    Object.entries(vector.registers).flatMap(([start, text]) =>
      text.split(" ").map((word, i): [number, number] => [Number(start) + i, Number.parseInt(word, 16)]),
    ),
  );
}

async function serving(kind: "tcp" | "rtu+tcp", image: Image, fc: 3 | 4 = 3): Promise<Bus> {
  const spaces = { holding: fc === 3 ? image : NOTHING, input: fc === 4 ? image : NOTHING };
  const server = kind === "tcp" ? await foreignServer(spaces.holding, spaces.input) : await rtuServer(spaces);
  const bus = openBus({ kind, host: "127.0.0.1", port: server.port });
  open.push(bus, server);
  return bus;
}

const NOTHING: Image = new Map();

/** An RTU meter behind a transparent serial server. */
function rtuServer(spaces: { readonly holding: Image; readonly input: Image }): Promise<TestServer> {
  return rawServer((request, socket) => {
    const [unit = 0, code = 0] = request;
    const address = request.readUInt16BE(2);
    const image = code === 3 ? spaces.holding : spaces.input;
    const words = Array.from({ length: request.readUInt16BE(4) }, (_, i) => image.get(address + i));
    const bytes = words.flatMap((word) => (word === undefined ? [] : [word >> 8, word & 0xff]));
    const known = bytes.length === 2 * words.length;
    socket.write(rtuFrame(known ? [unit, code, bytes.length, ...bytes] : [unit, code | 0x80, 2]));
  });
}

const captures = allModels().flatMap((one) => one.golden.map((vector) => ({ id: one.id, vector })));

test.each(["tcp", "rtu+tcp"] as const)("words of real meters read over %s give the documented values", async (kind) => {
  for (const { id, vector } of captures) {
    const result = await probe(await serving(kind, imageOf(vector), vector.fc), 1, modelOf(id));
    expect(Object.fromEntries(result.readings.map(({ name, value }) => [name, value]))).toEqual(vector.expect);
    expect(result.unread.every(({ why }) => why === "exception 2")).toBe(true);
    expect(result.readings.length + result.unread.length).toBe(modelOf(id).registers.length);
  }
});

test("values come with the unit of the model file", async () => {
  const { vector } = captures.find(({ id }) => id === "eastron-sdm120")!;
  const { readings } = await probe(await serving("tcp", imageOf(vector), vector.fc), 1, modelOf("eastron-sdm120"));
  expect(readings).toContainEqual({ name: "reactive_power_total", value: -346, unit: "var", quality: "good" });
});

test("a bad address costs only itself", async () => {
  const three = model([0, 1, 2].map((address) => register({ name: `r${address}`, type: "u16", address })));
  const bus = await serving(
    "tcp",
    new Map([
      [0, 10],
      [2, 30],
    ]),
  );
  expect(await probe(bus, 1, three)).toEqual({
    exchanges: 4,
    readings: [
      { name: "r0", value: 10, unit: "", quality: "good" },
      { name: "r2", value: 30, unit: "", quality: "good" },
    ],
    unread: [{ name: "r1", why: "exception 2" }],
  });
});

test("strings, sentinels, implausible values and counts beyond a double are told as what they are", async () => {
  const registers = [
    register({ name: "serial", type: "str", words: 2, address: 0 }),
    register({ name: "frequency", quantity: "frequency", type: "u16", address: 2, scale: 0.1, unit: "Hz" }),
    register({ name: "voltage_l1", quantity: "voltage_l1", type: "u16", address: 3, unit: "V" }),
    register({
      name: "active_energy_total",
      quantity: "active_energy_total",
      type: "u64",
      address: 4,
      scale: 0.001,
      unit: "kWh",
      kind: "counter",
    }),
  ];
  const bus = await serving("tcp", new Map([0x4142, 0x4300, 0, 0xffff, 0x0020, 0, 0, 1].map((word, i) => [i, word])));
  const sentinels = [{ type: "u16" as const, raw: "0xFFFF", meaning: "-" }];
  expect((await probe(bus, 1, model(registers, { sentinels }))).readings).toEqual([
    { name: "serial", value: "ABC", unit: "", quality: "good" },
    { name: "frequency", value: 0, unit: "Hz", quality: "uncertain" },
    { name: "voltage_l1", value: null, unit: "V", quality: "bad" },
    { name: "active_energy_total", value: "9007199254740.993", unit: "kWh", quality: "good" },
  ]);
});

test("a silent meter is given up after two lost replies", async () => {
  const server = await rawServer(() => {});
  const bus = openBus({ kind: "tcp", host: "127.0.0.1", port: server.port });
  open.push(bus, server);
  const result = await probe(bus, 1, modelOf("eastron-sdm630"), { timeout_ms: 200 });
  expect(result.exchanges).toBe(2);
  expect(result.readings).toEqual([]);
  expect(result.unread).toHaveLength(modelOf("eastron-sdm630").registers.length);
  expect(new Set(result.unread.map(({ why }) => why))).toEqual(new Set(["timeout"]));
});

test("the model's pause is kept between exchanges", async () => {
  const waits: number[] = [];
  const two = model([register({ name: "a", type: "u16" }), register({ name: "b", type: "u16", address: 9 })], {
    timing: { min_gap_ms: 100 },
  });
  const bus = await serving(
    "tcp",
    new Map([
      [0, 1],
      [9, 2],
    ]),
  );
  await probe(bus, 1, two, { wait: async (ms) => void waits.push(ms) });
  expect(waits).toEqual([100]);
});

test("a SunSpec inverter is found and read through the chain", async () => {
  const words = new Map<number, number>([
    [40000, 0x5375],
    [40001, 0x6e53],
    [40002, 1],
    [40003, 65],
    [40069, 103],
    [40070, 50],
  ]);
  for (let offset = 2; offset < 52; offset++) words.set(40069 + offset, 0x8000);
  words.set(40083, 1234).set(40084, 0xffff); // 1234 × 10^-1 W
  words.set(40093, 0x0001).set(40094, 0x0000).set(40095, 0); // 65536 Wh
  const result = await probe(await serving("tcp", words), 1, modelOf("sunspec-inverter-101-103"));
  const reading = (name: string) => result.readings.find((one) => one.name === name);
  expect(reading("active_power_total")).toMatchObject({ value: 123.4, unit: "W" });
  expect(reading("active_energy_export_total")).toMatchObject({ value: 65.536, unit: "kWh", quality: "good" });
  expect(reading("frequency")).toMatchObject({ value: null, quality: "bad" });
});

test("a device that is no SunSpec device has every register unread with the reason", async () => {
  const result = await probe(await serving("tcp", new Map()), 1, modelOf("sunspec-inverter-101-103"));
  expect(result.readings).toEqual([]);
  expect(result.unread[0]!.why).toMatch(/no SunSpec marker at 40000, 50000, 0/);
});

test("the pause is kept on the way through a SunSpec chain too", async () => {
  const waits: number[] = [];
  const one = { ...modelOf("sunspec-inverter-101-103"), timing: { min_gap_ms: 70 } };
  await probe(await serving("tcp", new Map()), 1, one, { wait: async (ms) => void waits.push(ms) });
  expect(waits).toEqual([70, 70]);
});

test("a part of a model keeps the registers that scale it", () => {
  const names = (id: string, wanted: string) =>
    withRegisters(modelOf(id), ({ name }) => name === wanted).registers.map(({ name }) => name);
  expect(names("chint-dtsu666", "active_power_total")).toEqual(["ct_ratio", "vt_ratio", "active_power_total"]);
  expect(names("sunspec-meter-201-204", "frequency")).toEqual(["frequency", "frequency_scale_exp"]);
  expect(names("eastron-sdm630", "frequency")).toEqual(["frequency"]);
});

test("a gateway that hears nothing from the unit is asked once, not for every register", async () => {
  let asked = 0;
  const bus = {
    async read() {
      asked += 1;
      return { kind: "exception", code: 0x0b } as const;
    },
    async close() {},
  };
  const { readings, unread } = await readModel(bus, 77, modelOf("eastron-sdm630"), { timeout_ms: 500 });
  expect(asked).toBe(1);
  expect(readings).toEqual([]);
  expect(new Set(unread.map(({ why }) => why))).toEqual(
    new Set(["exception 11: the gateway hears nothing from this unit"]),
  );
});

test("a serial server that still holds the answer to somebody else's question gives no values, and says why", async () => {
  let held: Buffer | null = rtuFrame([1, 3, 4, 0, 1, 0, 2]);
  const server = await rawServer((request, socket) => {
    const [unit = 0, code = 0] = request;
    const count = request.readUInt16BE(4);
    const bytes = Array.from({ length: count }, () => [0, 9]).flat();
    if (held !== null) socket.write(held);
    held = rtuFrame([unit, code, bytes.length, ...bytes]);
  });
  const bus = openBus({ kind: "rtu+tcp", host: "127.0.0.1", port: server.port });
  open.push(bus, server);
  const one = model([register({ name: "energy", type: "u32", address: 10 })]);
  const { readings, unread } = await readModel(bus, 1, one, { timeout_ms: 100 });
  expect(readings).toEqual([]);
  expect(unread.map(({ why }) => why)).toEqual([expect.stringMatching(/one question late/)]);
});
