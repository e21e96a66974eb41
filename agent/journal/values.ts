import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { DiskValue } from "../../core/ports.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import type { BatchRange } from "../../core/wire/ranges.ts";
import { decodeValue, encodeValue, readBlob } from "./blob.ts";
import { SEGMENT_KEYS } from "./chain.ts";

/** Values of a segment by name: definitions under their hash with this before it, all else is state. */
export const DEFINITION_PREFIX = "@";
/** State that names the definition in force of a device. */
const DEFINITION_OF = "definition:";
/** Marks a segment of the first form, which is read and never written again. */
export const FIRST_FORM = "first_form";
/** Definitions a segment hands on to the next: beyond it those longest known stay behind, with the samples they decode. */
const DEFINITIONS_MAX = 2000;

/** 8 hex digits of CRC32C: names a definition within one journal, where there are dozens, not billions. */
export function hashOf(json: string): string {
  return crc32c(new TextEncoder().encode(json)).toString(16).padStart(8, "0");
}

export function definitionText(definition: DeviceDefinition): string {
  return JSON.stringify(definition, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

export function readDefinition(json: string): DeviceDefinition {
  // By its name: a meter may well be called "12n".
  return JSON.parse(json, (key, value) =>
    key === "modulus" && typeof value === "string" ? BigInt(value.slice(0, -1)) : value,
  ) as DeviceDefinition;
}

export function formatRanges(ranges: readonly BatchRange[]): string {
  return ranges.map(({ first, last }) => `${first}-${last}`).join(",");
}

export function parseRanges(text: string): BatchRange[] {
  return text === ""
    ? []
    : text.split(",").map((range) => {
        const [first = 0, last = 0] = range.split("-").map(Number);
        return { first, last };
      });
}

/** Without what is of one segment only. */
export function withoutOwn(texts: Iterable<readonly [string, string]>): [string, string][] {
  return [...texts]
    .filter(([name]) => !SEGMENT_KEYS.includes(name) && name !== FIRST_FORM)
    .map(([name, text]) => [name, text]);
}

/** State and definitions as they stand, and what of them is not on disk yet. */
export class Values {
  readonly state = new Map<string, string>();
  readonly #definitions = new Map<string, DeviceDefinition>();
  readonly #unsaved = new Map<string, string>();
  /** Counts the writes: of two versions of a value the later is known, wherever they are found. */
  #version = 0;

  /** Takes over what a segment holds. */
  load(values: Iterable<readonly [name: string, text: string]>, version: number): void {
    this.#version = Math.max(this.#version, version);
    for (const [name, text] of values) {
      if (name.startsWith(DEFINITION_PREFIX)) this.#definitions.set(name.slice(1), readDefinition(text));
      else this.state.set(name, text);
    }
  }

  put(name: string, text: string): void {
    this.state.set(name, text);
    this.#unsaved.set(name, text);
  }

  definition(hash: string): DeviceDefinition | null {
    return this.#definitions.get(hash) ?? null;
  }

  putDefinition(definition: DeviceDefinition): string {
    const text = definitionText(definition);
    const hash = hashOf(text);
    if (!this.#definitions.has(hash)) {
      this.#definitions.set(hash, definition);
      this.#unsaved.set(`${DEFINITION_PREFIX}${hash}`, text);
    }
    return hash;
  }

  /** What a write has to keep: all that waits, and these. */
  changes(texts: Iterable<readonly [name: string, text: string]>): Map<string, string> {
    const changes = new Map(this.#unsaved);
    for (const [name, text] of texts) changes.set(name, text);
    return changes;
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.size > 0;
  }

  /** They are on disk. */
  saved(changes: ReadonlyMap<string, string>): void {
    for (const [name, text] of changes) if (!name.startsWith(DEFINITION_PREFIX)) this.state.set(name, text);
    this.#unsaved.clear();
  }

  sealed(texts: Iterable<readonly [name: string, text: string]>, epoch: bigint): DiskValue[] {
    this.#version += 1;
    const head = { epoch, ordinal: this.#version };
    return [...texts].map(([name, text]) => ({ name, blob: encodeValue(name, text, head) }));
  }

  /** Everything, for a segment that begins. */
  all(): [name: string, text: string][] {
    const definitions = [...this.#definitions].slice(-DEFINITIONS_MAX);
    return [
      ...this.state,
      ...definitions.map(([hash, it]): [string, string] => [`${DEFINITION_PREFIX}${hash}`, definitionText(it)]),
    ];
  }
}

export interface StoredValues {
  readonly texts: ReadonlyMap<string, string>;
  /** The highest among them. */
  readonly version: number;
  /** Every value is what was written, and none that another speaks of is missing. */
  readonly isSound: boolean;
}

/** What a segment keeps. A value whose name on disk is damaged is known by the name inside it. */
export function readValues(values: readonly DiskValue[]): StoredValues {
  const found = new Map<string, { readonly version: number; readonly text: string }>();
  let isSound = true;
  for (const { name: stored, blob: bytes } of values) {
    const blob = readBlob(bytes);
    if (blob.kind !== "value") {
      isSound = false;
      continue;
    }
    const { name, text } = decodeValue(blob);
    if (name !== stored) isSound = false;
    if ((found.get(name)?.version ?? -1) < blob.ordinal) found.set(name, { version: blob.ordinal, text });
  }
  const texts = new Map([...found].map(([name, { text }]) => [name, text]));
  for (const [name, text] of texts) {
    if (name.startsWith(DEFINITION_OF) && !texts.has(`${DEFINITION_PREFIX}${text}`)) isSound = false;
  }
  return { texts, version: Math.max(0, ...[...found.values()].map(({ version }) => version)), isSound };
}

/**
 * Values that were carved may be old ones. Accounts of another moment than the samples are worse than none: they are built
 * again from the samples. A session number must not come twice, so it goes on half its circle further.
 */
export function cautious(texts: ReadonlyMap<string, string>): Map<string, string> {
  const kept = new Map([...texts].filter(([name]) => !name.startsWith("account:")));
  const bdSeq = kept.get("bdSeq");
  if (bdSeq !== undefined) kept.set("bdSeq", String((Number(bdSeq) + 128) % 256));
  return kept;
}
