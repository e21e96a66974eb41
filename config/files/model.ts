import { z } from "zod";
import type { Discovery, MeterModel, ModelTiming, Register } from "../../core/model/meterModel.ts";
import { READ_MAX } from "../../core/model/modbus.ts";
import { quantityOfRegister } from "../../core/units/quantities.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import { positive, section, text, wholeNumber } from "../fields.ts";
import { REGISTER_TYPES, UNIT_NOTATIONS, wordsOf } from "../notation/registerTypes.ts";
import { checkDocument, type FileSpec, prepare } from "../parse.ts";
import { MODEL_RULES } from "./modelRules.ts";

/**
 * Meter models: the register lists of vendors as data. The legend is `README.md` of this folder; every key here says what
 * it means. Nothing in a model file is ever written to a meter.
 */

const functionCode = z.literal([3, 4]).describe("Modbus function: 3 holding registers, 4 input registers");
const address = wholeNumber(0, 65_535, "0-based address, the number on the wire");
const wordOrder = z.enum(["big", "little"]).describe("big: high word first; little: low word first");
const length = wholeNumber(1, READ_MAX, "Registers of a text");

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
  scale: z
    .number()
    .refine((scale) => scale !== 0, { error: "0 makes every value 0" })
    .describe("value in `unit` = raw × scale"),
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
    max_registers_per_read: wholeNumber(1, READ_MAX, "Longest read").exactOptional(),
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

export const modelSpec: FileSpec<ModelFile> = {
  schema: modelSchema,
  code: "MODEL_INVALID",
  rules: MODEL_RULES,
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
      max_registers_per_read: READ_MAX,
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
