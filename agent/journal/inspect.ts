import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { JournalDisk } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { Chain, SEGMENT_KEYS } from "./chain.ts";
import { unpackChunk } from "./chunk.ts";
import type { StoredRecord } from "./journal.ts";
import { Numbering } from "./numbering.ts";
import { Readable } from "./readable.ts";
import { DEFINITION_PREFIX, readDefinition } from "./values.ts";

/**
 * A journal looked at from outside, also while its agent runs: nothing is written, mended, set aside or locked. Of a damaged
 * file that is read which the agent would save of it; what is not there any more is counted, and named by the agent.
 */
export interface Inspection {
  readonly epoch: string | null;
  readonly nextNumber: number;
  readonly unconfirmed: number;
  readonly bytes: number;
  readonly segments: number;
  readonly setAside: readonly string[];
  /** Batches and samples lost so far, each in a loss record. */
  readonly lost: number;
  readonly gaveWay: string | null;
  /** Files that are not what was written, as far as they were read: the agent sets them aside. */
  readonly damaged: readonly string[];
  /** What is not there any more, as far as it was read: files, and parts of others; each counts once. */
  readonly unreadable: { readonly files: number; readonly chunks: number };
  getState(key: string): string | null;
  definition(hash: string): DeviceDefinition | null;
  /** Oldest first, from this position on; what is written meanwhile may come or not. */
  records(fromPosition?: number): Iterable<InspectedRecord>;
  /** The newest `count` of these, oldest first. */
  newest(count: number, isWanted: (record: InspectedRecord) => boolean): InspectedRecord[];
  oldestUnconfirmed_ms(): EpochMs | null;
}

export interface InspectedRecord extends StoredRecord {
  readonly isConfirmed: boolean;
}

export function inspectJournal(disk: JournalDisk): Inspection {
  const chain = new Chain(disk);
  const bytes = chain.bytes();
  const readable = new Readable(disk, chain);
  const definitions = new Map<string, DeviceDefinition>();
  const state = new Map<string, string>();
  const readInto = (at: number): void => {
    const held = chain.segments[at];
    if (held === undefined) return;
    for (const [name, text] of readable.values(held)) {
      if (name.startsWith(DEFINITION_PREFIX)) definitions.set(name.slice(1), readDefinition(text));
      else if (at === chain.segments.length - 1 && !SEGMENT_KEYS.includes(name)) state.set(name, text);
    }
  };
  readInto(chain.segments.length - 1);
  const numbering = Numbering.from(state);

  function* recordsIn(at: number, from: number): Iterable<InspectedRecord> {
    for (const blob of readable.chunks(chain.segments[at]!, from)) {
      for (const { ordinal: position, ...record } of unpackChunk(blob)) {
        if (position < from) continue;
        const number = numbering?.numberOf(position) ?? position;
        yield { ...record, position, number, isConfirmed: numbering?.isConfirmed(position) ?? false };
      }
    }
  }

  function* records(from = 1): Iterable<InspectedRecord> {
    for (let at = Math.max(0, chain.indexOf(from)); at < chain.segments.length; at++) yield* recordsIn(at, from);
  }

  return {
    epoch: numbering?.epoch ?? null,
    nextNumber: numbering === null ? 1 : numbering.numberOf(numbering.next),
    unconfirmed: numbering?.unconfirmed ?? 0,
    bytes,
    segments: chain.segments.length,
    setAside: chain.asides.map(({ name }) => name),
    lost: Number(state.get("lost") ?? 0),
    gaveWay: state.get("gaveWay") ?? null,
    get damaged() {
      return [...readable.damaged];
    },
    get unreadable() {
      return { files: readable.unreadableFiles.size, chunks: readable.missingParts.size };
    },
    getState: (key) => state.get(key) ?? null,
    definition(hash) {
      for (let at = chain.segments.length - 2; at >= 0 && !definitions.has(hash); at--) readInto(at);
      return definitions.get(hash) ?? null;
    },
    records,
    newest(count, isWanted) {
      let found: InspectedRecord[] = [];
      for (let at = chain.segments.length - 1; at >= 0 && found.length < count; at--) {
        const here: InspectedRecord[] = [];
        for (const record of recordsIn(at, 1)) {
          if (!isWanted(record)) continue;
          here.push(record);
          if (here.length > count) here.shift();
        }
        found = [...here, ...found].slice(-count);
      }
      return found;
    },
    oldestUnconfirmed_ms() {
      if (numbering === null || numbering.oldestOpen() >= numbering.next) return null;
      for (const { from_ms } of records(numbering.oldestOpen())) return from_ms;
      return null;
    },
  };
}
