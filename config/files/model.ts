import { z } from "zod";
import type { Discovery, MeterModel, ModelTiming, Register, RegisterType } from "../../core/model/meterModel.ts";
import { QUANTITIES, quantityOfRegister } from "../../core/units/quantities.ts";
import { UNITS, type UnitNotation } from "../../core/units/units.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { type Finding, pathText } from "../explain.ts";
import { positive, section, text, wholeNumber } from "../fields.ts";
import { offer } from "../nearest.ts";
import { fittingUnits, unitFits } from "../notation/unitFamily.ts";
import { checkDocument, type FileSpec, prepare } from "../parse.ts";
import { duplicates, field, list, textOf } from "../rules.ts";

/**
 * Meter models: the register lists of vendors as data. The legend is `README.md` of this folder; every key here says what
 * it means. Nothing in a model file is ever written to a meter.
 */

const WORDS: Readonly<Record<Exclude<RegisterType, "str">, number>> = {
  u16: 1,
  i16: 1,
  u32: 2,
  i32: 2,
  f32: 2,
  acc32: 2,
  u64: 4,
  i64: 4,
  f64: 4,
};
const NUMBER_TYPES = Object.keys(WORDS) as readonly Exclude<RegisterType, "str">[];
const REGISTER_TYPES = [...NUMBER_TYPES, "str"] as const satisfies readonly RegisterType[];
const UNIT_NOTATIONS = Object.keys(UNITS) as readonly UnitNotation[];

const functionCode = z.literal([3, 4]).describe("Modbus function: 3 holding registers, 4 input registers");
const address = wholeNumber(0, 65_535, "0-based address, the number on the wire");
const wordOrder = z.enum(["big", "little"]).describe("big: high word first; little: low word first");
const length = wholeNumber(1, 125, "Registers of a text");

const register = section({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9_]*$/, {
      error: (issue) => `"${issue.input}" is no register name (allowed: lower-case letters, digits and _)`,
    })
    .describe("Quantity, with a suffix for an alternative encoding"),
  fc: functionCode,
  address,
  type: z.enum(REGISTER_TYPES).describe("How the words are encoded"),
  word_order: wordOrder.exactOptional(),
  length: length.exactOptional(),
  scale: z.number().describe("value in `unit` = raw × scale"),
  unit: z.enum(UNIT_NOTATIONS).describe("Unit of the value after scaling"),
  kind: z
    .enum(["gauge", "counter", "daily_counter", "setting", "status", "info", "scale_exponent", "resolution"])
    .describe("What sort of value it is; absent = instantaneous")
    .exactOptional(),
  scale_exp_address: address.describe("Address of the register that holds the power of ten").exactOptional(),
  multiply_by: z.array(z.string()).describe("Registers of this file that multiply the value").exactOptional(),
  divide_by: z.array(z.string()).describe("Registers of this file that divide the value").exactOptional(),
  site_factor: text("A ratio the site must configure").exactOptional(),
  coding: z
    .enum(["four_quadrant", "capacitive_positive"])
    .describe(
      "How a power factor tells the kind of load; four_quadrant: beyond ±1 it is 2 − |value|, leading, sign kept; capacitive_positive: + capacitive, − inductive",
    )
    .exactOptional(),
  resettable: z.boolean().describe("The user can clear it").exactOptional(),
  rollover_raw: positive("Raw count at which it wraps to 0").exactOptional(),
  meaning: text("What the value means").exactOptional(),
  confidence: z.literal("one-source").describe("Not cross-checked").exactOptional(),
});

const HEX = /^0x[0-9A-Fa-f]{4,16}(\.\.0x[0-9A-Fa-f]{4,16})?$/;
const HEX_WORDS = /^[0-9A-Fa-f]{4}( [0-9A-Fa-f]{4})*$/;

const discoveryChain = section({
  bases: z.array(address).min(1).describe("Where the marker may stand"),
  marker: wholeNumber(0, 2 ** 32 - 1, "The 32-bit marker"),
  model_ids: z
    .array(wholeNumber(1, 65_534, "Block id"))
    .min(1)
    .describe("Blocks these registers describe"),
}).describe("A map whose addresses count from a block that must be found first (SunSpec)");

const discoveryBlocks = z
  .array(
    section({
      model_id: wholeNumber(1, 65_534, "Block id"),
      modules: section({
        length: wholeNumber(1, 1000, "Registers of a module"),
        first: wholeNumber(0, 65_535, "Offset of the first module"),
        count_at: wholeNumber(0, 65_535, "Offset of the register that tells how many there are"),
        max: wholeNumber(1, 12, "More are not read"),
      })
        .describe("The block ends with modules of equal form; registers ending in _1 are those of the first")
        .exactOptional(),
      registers: z.array(register).min(1).max(100).describe("Registers of the block, counted from its id"),
    }),
  )
  .describe("Further blocks of the same device in the chain");

export const modelSchema = section({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, {
      error: (issue) => `"${issue.input}" is no model id (allowed: lower-case letters, digits and -)`,
    })
    .describe("Name of the model in configurations"),
  manufacturer: text("Maker"),
  model: text("Models as printed on the device"),
  also_covers: z.array(z.string()).describe("Sister models with the same map").exactOptional(),
  measures: z
    .array(z.enum(["electricity", "pv", "gas", "water", "heat", "fuel", "genset"]))
    .min(1)
    .describe("What it measures"),
  phases: z.literal([0, 1, 2, 3]).describe("Phases; 0 = not electrical"),
  sources: z.array(z.string().min(1)).min(1).describe("Where the table comes from"),
  confidence: z.enum(["two-sources", "one-source"]).describe("How well it was cross-checked"),
  transport: z
    .array(z.enum(["tcp", "rtu"]))
    .min(1)
    .describe("The device's own ports"),
  defaults: section({
    baud: wholeNumber(300, 921_600, "Serial speed").exactOptional(),
    parity: z.enum(["none", "even", "odd"]).describe("Serial parity").exactOptional(),
    stop_bits: z.literal([1, 2]).describe("Serial stop bits").exactOptional(),
    unit_id: wholeNumber(0, 255, "Modbus unit").exactOptional(),
    tcp: z.boolean().describe("It has an Ethernet port").exactOptional(),
    tcp_port: wholeNumber(1, 65_535, "TCP port").exactOptional(),
  }).describe("Settings it is shipped with"),
  addressing: text("How the vendor counts, for people"),
  limits: section({
    max_registers_per_read: wholeNumber(1, 125, "Longest read").exactOptional(),
    count_must_be_even: z.boolean().describe("Odd counts are refused").exactOptional(),
    max_gap: wholeNumber(0, 124, "Undefined addresses a read may span").exactOptional(),
    note: text("Remarks").exactOptional(),
  }).exactOptional(),
  timing: section({
    min_gap_ms: wholeNumber(0, 60_000, "Pause between requests").exactOptional(),
    connect_delay_ms: wholeNumber(0, 60_000, "Pause after connecting").exactOptional(),
    max_answer_ms: wholeNumber(1, 60_000, "Slowest answer, by the vendor").exactOptional(),
    min_timeout_ms: wholeNumber(1, 60_000, "Shortest sensible timeout").exactOptional(),
    timeout_ms: wholeNumber(1, 60_000, "Timeout to use").exactOptional(),
    refresh_ms: wholeNumber(1, 3_600_000, "How often values change").exactOptional(),
    note: text("Remarks").exactOptional(),
  }).exactOptional(),
  identify: z
    .array(
      section({
        fc: functionCode,
        address,
        type: z.enum(REGISTER_TYPES),
        word_order: wordOrder.exactOptional(),
        length: length.exactOptional(),
        equals: z.number().describe("The value that proves the model").exactOptional(),
        one_of: z.array(z.number()).min(1).describe("Values that prove the model").exactOptional(),
        meaning: text("What is read").exactOptional(),
      }),
    )
    .describe("Reads that prove the model")
    .exactOptional(),
  sentinels: z
    .array(
      section({
        type: z.enum(REGISTER_TYPES),
        raw: z.string().regex(HEX, {
          error: (issue) => `"${issue.input}" is no raw value (allowed: hex text such as "0x8000" or "0xFFF8..0xFFFF")`,
        }),
        meaning: text("What it says"),
      }),
    )
    .describe("Raw values that mean: no value")
    .exactOptional(),
  discovery: z
    .array(section({ step: wholeNumber(1, 99, "Order"), do: text("What to do") }))
    .describe("How to find the map, step by step, for people")
    .exactOptional(),
  discovery_chain: discoveryChain.exactOptional(),
  discovery_blocks: discoveryBlocks.exactOptional(),
  variants: z
    .array(z.looseObject({ name: text("Name of the variant") }))
    .describe("Alternative maps, for people; their registers carry a suffix")
    .exactOptional(),
  registers: z.array(register).min(1).max(1000).describe("The map"),
  golden: z
    .array(
      section({
        fc: functionCode,
        registers: z
          .record(
            z.string().regex(/^\d{1,5}$/),
            z.string().regex(HEX_WORDS, {
              error: (issue) => `"${issue.input}" is not a row of words (allowed: 4 hex digits each, e.g. "4366 3334")`,
            }),
          )
          .describe("Start address → words"),
        expect: z.record(z.string(), z.union([z.number(), z.string()])).describe("Register → value in its unit"),
        from: text("Datasheet page or capture"),
      }),
    )
    .describe("Raw words with the values they mean, never from our own encoder")
    .exactOptional(),
  proven: z.boolean().describe("A golden vector proves the table").exactOptional(),
  unverified: z.array(z.string()).describe("What must be confirmed on site").exactOptional(),
  quirks: text("What an installer should know").exactOptional(),
});

type ModelFile = z.output<typeof modelSchema>;

/** What a list of registers must keep to, the model's own and those of its further blocks. */
const REGISTER_RULES = [namesOnce, addressesOnce, unitsFit, textsHaveLength, referencesExist];

function inBlocks(document: unknown, rule: (block: unknown) => readonly Finding[]): readonly Finding[] {
  return list(field(document, "discovery_blocks")).flatMap((block, i) =>
    rule(block).map((found) => ({ ...found, path: `${pathText(["discovery_blocks", i])}.${found.path}` })),
  );
}

export const modelSpec: FileSpec<ModelFile> = {
  schema: modelSchema,
  code: "MODEL_INVALID",
  rules: [
    ...REGISTER_RULES,
    ...REGISTER_RULES.map((rule) => (document: unknown) => inBlocks(document, rule)),
    goldenIsAboutThisFile,
  ],
};

/**
 * Text of a model file → model.
 * @throws {ConfigProblems} MODEL_INVALID listing every problem.
 */
export function parseModel(text: string, file: string): MeterModel {
  const prepared = prepare(text, file);
  const written = checkDocument(prepared, modelSpec, file);
  const model = {
    id: written.id,
    manufacturer: written.manufacturer,
    model: written.model,
    measures: written.measures,
    phases: written.phases,
    sources: written.sources,
    confidence: written.confidence,
    transport: written.transport,
    defaults: written.defaults,
    limits: {
      // Modbus Application Protocol V1.1b3 §6.3: at most 125 registers a read.
      max_registers_per_read: 125,
      count_must_be_even: false,
      max_gap: 0,
      ...written.limits,
    },
    timing: timingOf(written.timing ?? {}),
    identify: written.identify ?? [],
    sentinels: written.sentinels ?? [],
    registers: written.registers.map(registerOf),
    golden: written.golden ?? [],
    proven: written.proven ?? (written.golden ?? []).length > 0,
    unverified: written.unverified ?? [],
    quirks: written.quirks ?? "",
    ...discoveryOf(written),
  };
  return { ...model, version: versionOf(model) };
}

/** A cautious reading of the three ways in which sources speak of waiting: the longest of them. */
function timingOf(timing: NonNullable<ModelFile["timing"]>): ModelTiming {
  const waits = [timing.max_answer_ms, timing.min_timeout_ms, timing.timeout_ms].filter((ms) => ms !== undefined);
  return {
    min_gap_ms: timing.min_gap_ms ?? 0,
    ...(waits.length === 0 ? {} : { max_answer_ms: Math.max(...waits) }),
    ...(timing.note === undefined ? {} : { note: timing.note }),
  };
}

function registerOf({ length, ...written }: ModelFile["registers"][number]): Register {
  const quantity = quantityOfRegister(written.name);
  return {
    ...written,
    ...(quantity === undefined ? {} : { quantity }),
    words: wordsOf(written.type, length),
    word_order: written.word_order ?? "big",
    kind: written.kind ?? "gauge",
    resettable: written.resettable ?? false,
  };
}

function wordsOf(type: RegisterType, length: number | undefined): number {
  return type === "str" ? (length ?? 1) : WORDS[type];
}

/** "SunS" in two registers: SunSpec Device Information Model Specification §6.1, with the three base addresses it allows. */
const SUNSPEC = { marker: 0x53756e53, bases: [40_000, 50_000, 0] } as const;

/** Steps in prose mean SunSpec; the ids of its blocks are then those that the variants' names print (`211-214` = four). */
function discoveryOf(written: ModelFile): { readonly discovery?: Discovery } {
  const blocks = (written.discovery_blocks ?? []).map((block) => ({
    ...block,
    registers: block.registers.map(registerOf),
  }));
  if (written.discovery_chain !== undefined) return { discovery: { ...written.discovery_chain, blocks } };
  if (written.discovery === undefined) return {};
  const variants = (written.variants ?? []).filter((variant) => variant.map !== undefined);
  const model_ids = variants.flatMap(({ name }) =>
    [...name.matchAll(/\b(\d{3})(?:-(\d{3}))?\b/g)].flatMap(([, first, last = first]) =>
      range(Number(first), Number(last)),
    ),
  );
  return { discovery: { ...SUNSPEC, model_ids, blocks } };
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}

/** CRC32C of the model as JSON with sorted keys: the same table has the same version whatever its layout. */
function versionOf(model: Omit<MeterModel, "version">): string {
  const canonical = JSON.stringify(model, (_key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return crc32c(new TextEncoder().encode(canonical)).toString(16).padStart(8, "0");
}

interface WrittenRegister {
  readonly name: string;
  readonly index: number;
  readonly fc: unknown;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly written: unknown;
}

function registers(document: unknown): readonly WrittenRegister[] {
  return list(field(document, "registers")).flatMap((written, index): WrittenRegister[] => {
    const name = textOf(field(written, "name"));
    const from = field(written, "address");
    const type = REGISTER_TYPES.find((known) => known === field(written, "type"));
    if (name === undefined || typeof from !== "number" || type === undefined) return [];
    const length = field(written, "length");
    const words = wordsOf(type, typeof length === "number" ? length : undefined);
    return [{ name, index, fc: field(written, "fc"), from, to: from + words, written }];
  });
}

function namesOnce(document: unknown): readonly Finding[] {
  const named = registers(document).map(({ name, index }) => ({ name, path: ["registers", index, "name"] }));
  return duplicates(named, (name) => `register name "${name}"`);
}

/** Endings by which registers of alternative maps are told apart; they may reuse addresses of the main map. */
const VARIANT = /_(f32|float|u32|hires|v1|xh|primary|secondary|pac4200|short)$/;

function variantOf(name: string): string {
  return VARIANT.exec(name)?.[1] ?? "";
}

function addressesOnce(document: unknown): readonly Finding[] {
  const sorted = [...registers(document)].sort((a, b) => a.from - b.from || a.index - b.index);
  const found: Finding[] = [];
  // The register that reaches farthest so far, of each function and variant.
  const reaching = new Map<string, WrittenRegister>();
  for (const register of sorted) {
    const space = `${String(register.fc)} ${variantOf(register.name)}`;
    const before = reaching.get(space);
    if (before !== undefined && register.from < before.to) {
      const [first, second] = before.index < register.index ? [before, register] : [register, before];
      found.push({
        path: pathText(["registers", second.index, "address"]),
        message: `address ${register.from} twice: ${first.name} and ${second.name}`,
      });
    }
    if (before === undefined || register.to > before.to) reaching.set(space, register);
  }
  return found;
}

function unitsFit(document: unknown): readonly Finding[] {
  return registers(document).flatMap(({ name, index, written }): Finding[] => {
    const quantity = quantityOfRegister(name);
    const unit = UNIT_NOTATIONS.find((known) => known === field(written, "unit"));
    if (quantity === undefined || unit === undefined) return [];
    const row = QUANTITIES[quantity];
    if (unitFits(unit, row.unit) && (unit !== "count" || row.kind === "counter")) return [];
    const allowed = fittingUnits(row.unit).map((fitting) => (fitting === "" ? '""' : fitting));
    return [
      {
        path: pathText(["registers", index, "unit"]),
        message: `"${unit}" does not fit ${quantity} (allowed: ${allowed.join(", ")})`,
      },
    ];
  });
}

function textsHaveLength(document: unknown): readonly Finding[] {
  return (["registers", "identify"] as const).flatMap((part) =>
    list(field(document, part)).flatMap((entry, index): Finding[] => {
      const isText = field(entry, "type") === "str";
      const hasLength = field(entry, "length") !== undefined;
      if (isText === hasLength) return [];
      const message = isText ? "is missing: a text says how many registers it has" : "is only for type: str";
      return [{ path: pathText([part, index, "length"]), message }];
    }),
  );
}

function referencesExist(document: unknown): readonly Finding[] {
  const all = registers(document);
  const names = all.map(({ name }) => name);
  const exponents = all.filter(({ written }) => field(written, "kind") === "scale_exponent").map(({ from }) => from);
  return all.flatMap(({ index, written }): Finding[] => {
    const found: Finding[] = (["multiply_by", "divide_by"] as const).flatMap((key) =>
      list(field(written, key)).flatMap((wanted, w): Finding[] =>
        typeof wanted !== "string" || names.includes(wanted)
          ? []
          : [
              {
                path: pathText(["registers", index, key, w]),
                message: `no register "${wanted}" in this file${offer(wanted, names)}`,
              },
            ],
      ),
    );
    const exponent = field(written, "scale_exp_address");
    if (typeof exponent === "number" && !exponents.includes(exponent))
      found.push({
        path: pathText(["registers", index, "scale_exp_address"]),
        message: `no register of kind scale_exponent at address ${exponent}`,
      });
    return found;
  });
}

function goldenIsAboutThisFile(document: unknown): readonly Finding[] {
  const names = registers(document).map(({ name }) => name);
  const golden = list(field(document, "golden"));
  const found = golden.flatMap((vector, g) => {
    const expect = field(vector, "expect");
    return Object.keys(typeof expect === "object" && expect !== null ? expect : {}).flatMap((name): Finding[] =>
      names.includes(name)
        ? []
        : [
            {
              path: pathText(["golden", g, "expect", name]),
              message: `no register "${name}" in this file${offer(name, names)}`,
            },
          ],
    );
  });
  if (field(document, "proven") === true && golden.length === 0)
    found.push({
      path: "proven",
      message: "true needs at least one golden vector (raw words with their value, from a datasheet or capture)",
    });
  return found;
}
