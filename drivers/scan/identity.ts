/**
 * The reads by which models say "that is me", put together so that an address several models ask for is read once. Pure.
 *
 * A number must equal the stated one. Texts are compared loosely (letters and digits only, upper and lower case alike, anywhere
 * in the answer), and only where the model file states a text: "starts with SUN2000", "e.g. PM5110" (family PM5),
 * "manufacturer".
 */
import type { FunctionCode, IdentifyRead, MeterModel } from "../../core/model/meterModel.ts";
import { identityWords } from "../define.ts";
import { decodeRegister } from "../modbus/decode.ts";

export interface IdentityRead {
  readonly fc: FunctionCode;
  readonly address: number;
  readonly count: number;
  readonly claims: readonly Claim[];
}

/** One model's statement about one identity register. */
export interface Claim {
  readonly model: MeterModel;
  readonly identify: IdentifyRead;
}

export type Answer = { readonly kind: "words"; readonly words: Uint16Array } | { readonly kind: "refused" };

export type Testimony =
  | { readonly kind: "match"; readonly because: string }
  | { readonly kind: "contradiction"; readonly because: string }
  /** Refused, or nothing in it. */
  | { readonly kind: "none" };

/** Every identity read of the models, the one most models ask for first. SunSpec models are asked for at every base. */
export function identityReads(models: readonly MeterModel[]): readonly IdentityRead[] {
  const reads = new Map<string, { read: Omit<IdentityRead, "claims">; claims: Claim[] }>();
  for (const model of models) {
    for (const identify of testable(model)) {
      const { fc, address } = identify;
      const words = identityWords(identify);
      // A device that refuses odd counts is asked for one register more: there is no other way to read it.
      const count = model.limits.count_must_be_even ? words + (words % 2) : words;
      const key = `${fc}/${address}/${count}`;
      const known = reads.get(key) ?? { read: { fc, address, count }, claims: [] };
      known.claims.push({ model, identify });
      reads.set(key, known);
    }
  }
  const isChain = ({ claims }: IdentityRead) => claims.some(({ model }) => model.discovery !== undefined);
  return [...reads.values()]
    .map(({ read, claims }) => ({ ...read, claims }))
    .sort((a, b) => Number(isChain(a)) - Number(isChain(b)) || b.claims.length - a.claims.length);
}

/** The reads of a model that an answer can confirm or contradict. */
export function testable(model: MeterModel): readonly IdentifyRead[] {
  const { discovery } = model;
  if (discovery !== undefined) {
    return discovery.bases.map((address) => ({
      fc: 3,
      address,
      type: "u32",
      equals: discovery.marker,
      meaning: "SunSpec marker",
    }));
  }
  return model.identify.filter(
    (read) => read.equals !== undefined || read.one_of !== undefined || statedText(model, read) !== null,
  );
}

export function testimony({ model, identify }: Claim, answer: Answer): Testimony {
  if (answer.kind === "refused") return { kind: "none" };
  const words = identityWords(identify);
  const raw = decodeRegister({ type: identify.type, word_order: identify.word_order ?? "big", words }, answer.words, 0);
  const where = `register ${identify.address} (fc ${identify.fc})`;
  if (typeof raw === "string") {
    const stated = statedText(model, identify);
    if (stated === null || plain(raw) === "") return { kind: "none" };
    const fits = plain(raw).includes(plain(stated));
    return fits
      ? { kind: "match", because: `${where} says "${raw.trim()}"` }
      : { kind: "contradiction", because: `${where} says "${raw.trim()}", not ${stated}` };
  }
  const allowed = identify.one_of ?? (identify.equals === undefined ? [] : [identify.equals]);
  if (allowed.includes(Number(raw))) {
    return {
      kind: "match",
      because: `${where} is ${raw}${identify.meaning === undefined ? "" : `: ${identify.meaning}`}`,
    };
  }
  // 0 and all ones fill registers that a device does not have.
  const own = answer.words.subarray(0, words);
  const isFiller = own.every((word) => word === 0) || own.every((word) => word === 0xffff);
  // A SunSpec marker stands at one of several addresses; that it is not here says nothing.
  if (isFiller || model.discovery !== undefined) return { kind: "none" };
  return { kind: "contradiction", because: `${where} is ${raw}` };
}

function statedText({ manufacturer }: MeterModel, { type, meaning = "" }: IdentifyRead): string | null {
  if (type !== "str") return null;
  const prefix = /starts with ([A-Za-z0-9]{3,})/.exec(meaning)?.[1];
  if (prefix !== undefined) return prefix;
  const family = /e\.g\. ([A-Z]{2,}\d)/.exec(meaning)?.[1];
  if (family !== undefined) return family;
  return /^manufacturer\b/.test(meaning) ? (manufacturer.split(/[ (]/)[0] ?? null) : null;
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, "");
}
