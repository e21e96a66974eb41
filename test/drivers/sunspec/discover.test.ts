import { expect, test } from "vitest";
import type { Bus, BusReply } from "../../../core/ports.ts";
import { discover, resolveDiscovery } from "../../../drivers/sunspec/discover.ts";
import { modelOf } from "../models.ts";

const MARKER = [0x5375, 0x6e53];
const inverter = modelOf("sunspec-inverter-101-103");
const wanted = inverter.discovery!;

/** A device that knows the words given and answers exception 2 elsewhere. */
function device(words: Readonly<Record<number, readonly number[]>>): Bus & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    read: async ({ address, count }): Promise<BusReply> => {
      asked.push(address);
      const found = words[address];
      return found === undefined
        ? { kind: "exception", code: 2 }
        : { kind: "words", words: Uint16Array.from(found.slice(0, count)) };
    },
    close: async () => {},
  };
}

const COMMON = { model_id: 1, address: 40002, length: 65, modules: 0 };

test("the worked example of the reference is found: SolarEdge, model 1 of 65 registers, inverter at 40069", async () => {
  const bus = device({ 40000: MARKER, 40002: [1, 65], 40069: [103, 50] });
  const result = await discover(bus, 1, wanted, 100);
  expect(result).toEqual({
    kind: "found",
    isWhole: true,
    found: { model_id: 103, address: 40069, length: 50, blocks: [COMMON] },
    exchanges: 4,
  });
  const resolved = resolveDiscovery(inverter, { model_id: 103, address: 40069, length: 50, blocks: [] });
  const addressOf = (name: string) => resolved.registers.find((one) => one.name === name)!.address;
  expect(addressOf("active_power_total")).toBe(40083);
  expect(addressOf("active_energy_export_total")).toBe(40093);
  expect(resolved.registers.find((one) => one.name === "active_power_total")!.scale_exp_address).toBe(40084);
  expect(resolved.discovery).toBeUndefined();
});

test("every base is tried in turn", async () => {
  const bus = device({ 40000: [0, 0], 0: MARKER, 2: [1, 66], 70: [101, 50] });
  expect(await discover(bus, 1, wanted, 100)).toMatchObject({ kind: "found", found: { model_id: 101, address: 70 } });
  // The last one asks what follows the inverter.
  expect(bus.asked).toEqual([40000, 50000, 0, 2, 70, 122]);
});

test("the float twin keeps the float registers only", () => {
  const names = resolveDiscovery(inverter, { model_id: 113, address: 40070, length: 60, blocks: [] }).registers.map(
    ({ name }) => name,
  );
  expect(names.length).toBeGreaterThan(5);
  expect(names.every((name) => name.endsWith("_float"))).toBe(true);
  const integers = resolveDiscovery(inverter, { model_id: 103, address: 40070, length: 50, blocks: [] }).registers;
  expect(integers.some(({ name }) => name.endsWith("_float"))).toBe(false);
});

test("a chain without the model says which models it has", async () => {
  const bus = device({ 40000: MARKER, 40002: [1, 66], 40070: [203, 105], 40177: [0xffff, 0] });
  expect(await discover(bus, 1, wanted, 100)).toMatchObject({
    kind: "absent",
    why: expect.stringContaining("(1, 203)"),
  });
});

test("the blocks of a device lie between its common model and the next one", async () => {
  const chain = {
    40000: MARKER,
    40002: [1, 66],
    40070: [160, 48],
    40078: [2, 0],
    40120: [1, 65],
    40187: [160, 28],
    40195: [0xffff, 0],
    40217: [103, 50],
    40269: [1, 66],
  };
  const bus = device(chain);
  expect(await discover(bus, 1, wanted, 100)).toMatchObject({
    found: {
      address: 40217,
      blocks: [
        { model_id: 1, address: 40120, length: 65, modules: 0 },
        { model_id: 160, address: 40187, length: 28, modules: 1 },
      ],
    },
  });
  expect(bus.asked.at(-1)).toBe(40217);
});

test.each([
  ["as it says", [3, 0], 3],
  ["as there is room for, whatever it says", [40, 0], 4],
  ["as there is room for, if it does not say", [0xffff, 0], 4],
])("as many strings are read %s", async (_, said, modules) => {
  const bus = device({ 40000: MARKER, 40002: [103, 50], 40054: [160, 88], 40062: said });
  expect(await discover(bus, 1, wanted, 100)).toMatchObject({ found: { blocks: [{ model_id: 160, modules }] } });
});

test("an inverter whose further blocks cannot be asked for is found without them", async () => {
  const bus = device({ 40000: MARKER, 40002: [1, 65], 40069: [103, 50] });
  const read: Bus["read"] = (request) =>
    request.address === 40121 ? Promise.resolve({ kind: "timeout" }) : bus.read(request);
  expect(await discover({ ...bus, read }, 1, wanted, 100)).toMatchObject({ kind: "found", found: { address: 40069 } });
});

test("no marker anywhere is absent, a lost reply is silent", async () => {
  expect(await discover(device({}), 1, wanted, 100)).toMatchObject({ kind: "absent", exchanges: 3 });
  const dead: Bus = { read: async () => ({ kind: "timeout" }), close: async () => {} };
  expect(await discover(dead, 1, wanted, 100)).toEqual({ kind: "silent", reply: { kind: "timeout" }, exchanges: 1 });
});

test("a chain that never ends is given up after 64 models", async () => {
  const endless: Bus = {
    read: async ({ address }) => ({ kind: "words", words: Uint16Array.from(address === 40000 ? MARKER : [7, 0]) }),
    close: async () => {},
  };
  expect(await discover(endless, 1, wanted, 100)).toMatchObject({ kind: "absent", exchanges: 65 });
});
