import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseModel } from "../../config/files/model.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { changed, problemsOf, thrown } from "./problems.ts";

const library = loadModelLibrary();
const folder = new URL("../../drivers/models/", import.meta.url);

const SMALL = `
id: acme-1
manufacturer: Acme
model: "One"
measures: [electricity]
phases: 3
sources: ["data sheet"]
confidence: one-source
transport: [rtu]
defaults: {baud: 9600, parity: none, stop_bits: 1, unit_id: 1, tcp: false}
addressing: "0-based"
registers:
  - {name: active_power_total, fc: 3, address: 3059, type: f32, word_order: big, scale: 1000, unit: W}
  - {name: active_energy_import_total, fc: 3, address: 3203, type: i64, scale: 0.001, unit: kWh, kind: counter}
  - {name: ct_ratio, fc: 3, address: 10, type: u16, scale: 1, unit: "", kind: setting}
`;
const small = (...edits: readonly (readonly [string, string])[]) => parseModel(changed(SMALL, ...edits), "acme.yaml");
const problems = (...edits: readonly (readonly [string, string])[]) => problemsOf(() => small(...edits));
const POWER = "- {name: active_power_total, fc: 3, address: 3059";
const more = (register: string): readonly [string, string] => [POWER, `- ${register}\n  ${POWER}`];

test("every file of the device library loads, and its file name is part of its id", () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
  expect(library.size).toBe(files.length);
  for (const file of files) {
    const model = parseModel(readFileSync(new URL(file, folder), "utf8"), file);
    expect(library.get(model.id)).toEqual(model);
    expect(model.id.endsWith(file.replace(/^.*\//, "").replace(".yaml", "")), file).toBe(true);
  }
});

test("all 33 models of the reference are in the library", () => {
  expect(library.size).toBeGreaterThanOrEqual(33);
});

test.each([...library.values()])("$id is complete: words, units, scales, limits, a version", (model) => {
  expect(model.version).toMatch(/^[0-9a-f]{8}$/);
  expect(model.limits.max_registers_per_read).toBeLessThanOrEqual(125);
  if (model.proven) expect(model.golden.length).toBeGreaterThan(0);
  for (const register of model.registers) {
    expect(register.words).toBeGreaterThan(0);
    expect(register.address + register.words).toBeLessThanOrEqual(65_536);
    expect(register.scale).not.toBe(0);
    if (register.quantity !== undefined && register.unit !== "count")
      expect(register.unit).toBe(QUANTITIES[register.quantity].unit);
  }
});

test("what a file leaves out has its written default", () => {
  expect(small()).toMatchObject({
    limits: { max_registers_per_read: 125, count_must_be_even: false, max_gap: 0 },
    timing: { min_gap_ms: 0 },
    identify: [],
    sentinels: [],
    golden: [],
    proven: false,
    unverified: [],
  });
  expect(small().registers[1]).toEqual({
    name: "active_energy_import_total",
    quantity: "active_energy_import_total",
    fc: 3,
    address: 3203,
    words: 4,
    type: "i64",
    word_order: "big",
    scale: 0.001,
    unit: "kWh",
    kind: "counter",
    resettable: false,
  });
  expect(small().registers[2]).not.toHaveProperty("quantity");
});

test("the version follows the content and not the layout", () => {
  expect(small(["id: acme-1\nmanufacturer: Acme", "manufacturer: Acme\nid: acme-1 # moved"]).version).toBe(
    small().version,
  );
  expect(small(["scale: 1000", "scale: 1"]).version).not.toBe(small().version);
});

test("a SunSpec map says where its chain may begin and which blocks it describes", () => {
  expect(library.get("sunspec-inverter-101-103")?.discovery).toEqual({
    bases: [40_000, 50_000, 0],
    marker: 0x53756e53,
    model_ids: [101, 102, 103, 111, 112, 113],
    blocks: [
      { model_id: 1, registers: [expect.objectContaining({ name: "serial_number", words: 16 })] },
      expect.objectContaining({ model_id: 160, modules: { length: 20, first: 10, count_at: 8, max: 12 } }),
    ],
  });
});

test("registers of a further block keep to the same rules, and are named by it", () => {
  const block = (register: string) =>
    `discovery_chain: {bases: [0], marker: 1, model_ids: [103]}\ndiscovery_blocks:\n  - {model_id: 160, registers: [${register}]}\nregisters:`;
  const voltage = "{name: dc_voltage_input_1, fc: 3, address: 20, type: u16, scale: 1, unit: A, scale_exp_address: 3}";
  expect(problems(["registers:", block(voltage)])).toEqual([
    expect.stringContaining('discovery_blocks[0].registers[0].unit: "A" does not fit dc_voltage_input_1'),
    "discovery_blocks[0].registers[0].scale_exp_address: no register of kind scale_exponent at address 3",
  ]);
});

test("steps in prose alone give the same chain", () => {
  const steps =
    'discovery:\n  - {step: 1, do: "look for SunS"}\nvariants:\n  - {name: "integer: 201, 202", map: "registers below without suffix"}\n  - {name: "float 211-214", map: "registers below ending in _float"}\n';
  expect(small(["registers:", `${steps}registers:`]).discovery).toEqual({
    bases: [40_000, 50_000, 0],
    marker: 0x53756e53,
    model_ids: [201, 202, 211, 212, 213, 214],
    blocks: [],
  });
});

test("the longest of the waits that sources name is the slowest answer", () => {
  expect(small(["registers:", "timing: {max_answer_ms: 500, min_timeout_ms: 1000}\nregisters:"]).timing).toEqual({
    min_gap_ms: 0,
    max_answer_ms: 1000,
  });
});

test.each<[string, readonly (readonly [string, string])[], readonly string[]]>([
  [
    "an address twice names both registers",
    [more("{name: current_avg, fc: 3, address: 3059, type: f32, scale: 1, unit: A}")],
    ["registers[1].address: address 3059 twice: current_avg and active_power_total"],
  ],
  [
    "a register that begins inside another is the same mistake",
    [more("{name: current_avg, fc: 3, address: 3058, type: f32, scale: 1, unit: A}")],
    ["registers[1].address: address 3059 twice: current_avg and active_power_total"],
  ],
  [
    "a name twice",
    [more("{name: active_power_total, fc: 4, address: 1, type: f32, scale: 1, unit: W}")],
    ['registers[1].name: register name "active_power_total" is already used at registers[0].name'],
  ],
  [
    "energy is not power",
    [["unit: W}", "unit: kWh}"]],
    ['registers[0].unit: "kWh" does not fit active_power_total (allowed: W, kW, MW)'],
  ],
  [
    "counts are for volumes",
    [["unit: kWh,", "unit: count,"]],
    ['registers[1].unit: "count" does not fit active_energy_import_total (allowed: Wh, kWh, MWh)'],
  ],
  [
    "a unit in the wrong case",
    [["unit: kWh,", "unit: KWH,"]],
    ['registers[1].unit: "KWH" is not known (did you mean kWh?)'],
  ],
  [
    "an unknown type",
    [["type: f32", "type: float32"]],
    ['registers[0].type: "float32" is not known (allowed: u16, i16, u32, i32, f32, acc32, u64, i64, f64, str)'],
  ],
  [
    "a function that writes",
    [["fc: 3, address: 10", "fc: 16, address: 10"]],
    ["registers[2].fc: 16 is not known (allowed: 3, 4)"],
  ],
  [
    "a factor register that is not in the file",
    [["scale: 1000, unit: W}", "scale: 1000, unit: W, multiply_by: [ct_ration]}"]],
    [
      'registers[0].multiply_by[0]: no register "ct_ration" in this file (allowed: active_power_total, active_energy_import_total, ct_ratio; did you mean ct_ratio?)',
    ],
  ],
  [
    "an exponent that is nowhere",
    [["scale: 1000, unit: W}", "scale: 1, unit: W, scale_exp_address: 99}"]],
    ["registers[0].scale_exp_address: no register of kind scale_exponent at address 99"],
  ],
  [
    "a text without length",
    [more('{name: serial_text, fc: 3, address: 1, type: str, scale: 1, unit: "", kind: info}')],
    ["registers[0].length: is missing: a text says how many registers it has"],
  ],
  [
    "a proof that is missing",
    [["registers:", "proven: true\nregisters:"]],
    ["proven: true needs at least one golden vector (raw words with their value, from a datasheet or capture)"],
  ],
  [
    "a golden vector about another file",
    [
      [
        "registers:",
        'golden: [{fc: 3, registers: {3059: "3F80 0000"}, expect: {active_power_totl: 1000}, from: p. 1}]\nregisters:',
      ],
    ],
    [
      'golden[0].expect.active_power_totl: no register "active_power_totl" in this file (allowed: active_power_total, active_energy_import_total, ct_ratio; did you mean active_power_total?)',
    ],
  ],
  [
    "words that are no words",
    [["registers:", 'golden: [{fc: 3, registers: {3059: "3F8 0000"}, expect: {ct_ratio: 1}, from: p. 1}]\nregisters:']],
    ['golden[0].registers.3059: "3F8 0000" is not a row of words (allowed: 4 hex digits each, e.g. "4366 3334")'],
  ],
  [
    "a sentinel that is no hex text",
    [["registers:", "sentinels: [{type: u16, raw: FFFF, meaning: none}]\nregisters:"]],
    ['sentinels[0].raw: "FFFF" is no raw value (allowed: hex text such as "0x8000" or "0xFFF8..0xFFFF")'],
  ],
  ["a scale of 0", [["scale: 1000", "scale: 0"]], ["registers[0].scale: 0 makes every value 0"]],
  [
    "a value that goes beyond the last address",
    [["address: 3059", "address: 65535"]],
    ["registers[0].address: address 65535 and 2 registers go beyond the last address, 65535"],
  ],
  [
    "an identity beyond the last address",
    [["registers:", "identify: [{fc: 3, address: 65533, type: u64}]\nregisters:"]],
    ["identify[0].address: address 65533 and 4 registers go beyond the last address, 65535"],
  ],
  [
    "a sentinel of more digits than its type",
    [["registers:", 'sentinels: [{type: f32, raw: "0xFFC000000", meaning: none}]\nregisters:']],
    ['sentinels[0].raw: "0xFFC000000" does not fit f32 (allowed: at most 8 hex digits)'],
  ],
  [
    "reads shorter than the widest value",
    [["registers:", "limits: {max_registers_per_read: 2}\nregisters:"]],
    ["limits.max_registers_per_read: 2 is too few: active_energy_import_total spans 4 registers"],
  ],
  [
    "reads that an even count makes too short",
    [
      ["registers:", "limits: {max_registers_per_read: 5, count_must_be_even: true}\nregisters:"],
      more('{name: serial_number, fc: 3, address: 1, type: str, length: 5, scale: 1, unit: "", kind: info}'),
    ],
    ["limits.max_registers_per_read: 5 is too few: serial_number spans 5 registers, read as an even number of them"],
  ],
  [
    "a misspelt quantity",
    [["name: active_energy_import_total", "name: active_energy_imprt_total"]],
    ['registers[1].name: "active_energy_imprt_total" is no quantity (did you mean active_energy_import_total?)'],
  ],
  [
    "energy as a momentary value",
    [[", kind: counter", ""]],
    ["registers[1].kind: is missing: active_energy_import_total is a counter (write kind: counter)"],
  ],
])("%s", (_name, edits, expected) => {
  expect(problems(...edits)).toEqual(expected);
});

test("a value may end with the last address, and a name of one's own stays one", () => {
  const model = small(
    more("{name: current_avg, fc: 3, address: 65534, type: f32, scale: 1, unit: A}"),
    more("{name: voltage_l4, fc: 3, address: 1, type: u16, scale: 1, unit: V}"),
  );
  expect(model.registers).toHaveLength(5);
});

test("registers of another variant may reuse addresses, and L may stand for m3", () => {
  const model = small(
    more("{name: active_power_total_float, fc: 3, address: 3060, type: f32, scale: 1, unit: W}"),
    more("{name: volume_total_1, fc: 3, address: 1, type: u32, scale: 1, unit: L, kind: counter}"),
  );
  expect(model.registers).toHaveLength(5);
});

test("a bad model file has the code of its own", () => {
  expect(thrown(() => small(["phases: 3", "phases: 4"])).code).toBe("MODEL_INVALID");
});

test("an unknown id names the nearest model", () => {
  const resolve = () => resolveModel("eastron-sdm603");
  expect(resolve).toThrow('no model "eastron-sdm603" in the device library [MODEL_UNKNOWN]');
  try {
    resolve();
  } catch (error) {
    expect((error as KhuXanhError).hint).toBe("Did you mean eastron-sdm630?");
    expect(error).toBeInstanceOf(KhuXanhError);
  }
});
