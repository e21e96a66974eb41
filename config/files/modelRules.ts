import { ADDRESSES, READ_MAX } from "../../core/model/modbus.ts";
import { QUANTITIES, type QuantityId, quantityOfRegister } from "../../core/units/quantities.ts";
import { type Finding, pathText } from "../explain.ts";
import { editDistance, offer } from "../nearest.ts";
import { REGISTER_TYPES, UNIT_NOTATIONS, wordsOf } from "../notation/registerTypes.ts";
import { fittingUnits, unitFits } from "../notation/unitFamily.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, textOf } from "../rules.ts";

/** What must hold between the entries of a model file. */

/** What a list of registers must keep to, the model's own and those of its further blocks. */
const REGISTER_RULES = [
  namesOnce,
  namesAreSpelt,
  addressesOnce,
  addressesExist,
  unitsFit,
  energyIsCounted,
  textsHaveLength,
  referencesExist,
];

function inBlocks(document: unknown, rule: (block: unknown) => readonly Finding[]): readonly Finding[] {
  return list(field(document, "discovery_blocks")).flatMap((block, i) =>
    rule(block).map((found) => ({ ...found, path: `${pathText(["discovery_blocks", i])}.${found.path}` })),
  );
}

export const MODEL_RULES: FileSpec<unknown>["rules"] = [
  ...REGISTER_RULES,
  ...REGISTER_RULES.map((rule) => (document: unknown) => inBlocks(document, rule)),
  readsAreLongEnough,
  sentinelsFitTheirType,
  goldenIsAboutThisFile,
];

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
    if (name === undefined) return [];
    return spanOf(written).map((span) => ({ name, index, fc: field(written, "fc"), ...span, written }));
  });
}

/** The addresses it covers; nothing if it does not say. */
function spanOf(written: unknown): readonly { readonly from: number; readonly to: number }[] {
  const from = field(written, "address");
  const type = REGISTER_TYPES.find((known) => known === field(written, "type"));
  if (typeof from !== "number" || type === undefined) return [];
  const length = field(written, "length");
  return [{ from, to: from + wordsOf(type, typeof length === "number" ? length : undefined) }];
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

/** Letters by which a name may differ from a quantity to be taken for a misspelt one. */
const MISSPELT_MAX = 2;

/** A value under a misspelt name is read and goes nowhere. Another digit is another thing: `voltage_l4` may be meant. */
function namesAreSpelt(document: unknown): readonly Finding[] {
  const digits = (name: string): string => name.replace(/\D/g, "");
  return registers(document).flatMap(({ name, index, written }): Finding[] => {
    const kind = field(written, "kind") ?? "gauge";
    if (quantityOfRegister(name) !== undefined || (kind !== "gauge" && kind !== "counter")) return [];
    const plain = name.replace(VARIANT, "");
    const near = QUANTITY_IDS.filter((id) => digits(id) === digits(plain))
      .map((id) => ({ id, distance: editDistance(plain, id) }))
      .sort((a, b) => a.distance - b.distance)[0];
    if (near === undefined || near.distance > MISSPELT_MAX) return [];
    const message = `"${name}" is no quantity (did you mean ${near.id}?)`;
    return [{ path: pathText(["registers", index, "name"]), message }];
  });
}

const QUANTITY_IDS = Object.keys(QUANTITIES) as readonly QuantityId[];

/** A value ends with the last address there is, at the latest; a model found in a chain has offsets instead. */
function addressesExist(document: unknown): readonly Finding[] {
  const identities = list(field(document, "identify")).flatMap((entry, index) =>
    spanOf(entry).map(({ from, to }) => ({ part: "identify", index, from, to })),
  );
  return [...registers(document).map((one) => ({ part: "registers", ...one })), ...identities].flatMap(
    ({ part, index, from, to }): Finding[] =>
      to <= ADDRESSES || from >= ADDRESSES
        ? []
        : [
            {
              path: pathText([part, index, "address"]),
              message: `address ${from} and ${to - from} registers go beyond the last address, ${ADDRESSES - 1}`,
            },
          ],
  );
}

/** Nobody can add up an energy or a volume that is read as a momentary value. */
function energyIsCounted(document: unknown): readonly Finding[] {
  return registers(document).flatMap(({ name, index, written }): Finding[] => {
    const quantity = quantityOfRegister(name);
    if (quantity === undefined || QUANTITIES[quantity].kind !== "counter" || field(written, "kind") === "counter")
      return [];
    const message =
      field(written, "kind") === undefined
        ? `is missing: ${quantity} is a counter (write kind: counter)`
        : `${quantity} is a counter (write kind: counter, or give another register another name)`;
    return [{ path: pathText(["registers", index, "kind"]), message }];
  });
}

/** The model's own registers and those of its further blocks must each fit into one read. */
function readsAreLongEnough(document: unknown): readonly Finding[] {
  const limits = field(document, "limits");
  const written = field(limits, "max_registers_per_read");
  const longest = typeof written === "number" ? written : READ_MAX;
  const isEven = field(limits, "count_must_be_even") === true;
  const blocks = list(field(document, "discovery_blocks")).flatMap(registers);
  const widest = [...registers(document), ...blocks]
    .map(({ name, from, to }) => ({
      name,
      words: to - from,
      count: isEven ? 2 * Math.ceil((to - from) / 2) : to - from,
    }))
    .sort((a, b) => b.count - a.count)[0];
  if (widest === undefined || widest.count <= longest) return [];
  const rounded = widest.count > widest.words ? ", read as an even number of them" : "";
  return [
    {
      path: "limits.max_registers_per_read",
      message: `${longest} is too few: ${widest.name} spans ${widest.words} registers${rounded}`,
    },
  ];
}

const HEX_DIGITS_PER_WORD = 4;

/** Such a raw value would never be seen, or only a part of it be looked at. */
function sentinelsFitTheirType(document: unknown): readonly Finding[] {
  return list(field(document, "sentinels")).flatMap((sentinel, index): Finding[] => {
    const type = REGISTER_TYPES.find((known) => known === field(sentinel, "type"));
    const raw = textOf(field(sentinel, "raw"));
    if (type === undefined || type === "str" || raw === undefined) return [];
    const most = HEX_DIGITS_PER_WORD * wordsOf(type, undefined);
    const isFitting = raw.split("..").every((one) => one.replace(/^0x/, "").length <= most);
    const message = `"${raw}" does not fit ${type} (allowed: at most ${most} hex digits)`;
    return isFitting ? [] : [{ path: pathText(["sentinels", index, "raw"]), message }];
  });
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
