import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { type SampleNaming, writeBatch, writeReadings } from "../../core/wire/content.ts";
import { nodeRecordMetric, parseNodeRecord } from "../../core/wire/nodeRecord.ts";
import { decodePayload, type MetricWriter } from "../../core/wire/payload.ts";
import { decodeSample } from "../../drivers/modbus/decode.ts";
import { contentMetrics } from "../account/contentRecord.ts";
import type { Journal, StoredRecord } from "../journal/journal.ts";
import { decodeSampleRecord } from "../journal/sample.ts";

/**
 * Batches out of the journal, to be written into messages. What is published has been synced, because it is read back; live data and
 * backlog each have their own read-ahead, so that neither throws away the other's.
 */
export type SourcedBatch =
  | {
      readonly kind: "device";
      readonly device: string;
      /** The definition its metrics mean something under, and its hash; the device must be born by it. */
      readonly definition: DeviceDefinition;
      readonly hash: string;
      /** Whether any definition of the device would do: books carry their own ticks. */
      readonly isBooks: boolean;
      readonly from_ms: EpochMs;
      readonly to_ms: EpochMs;
      write(to: MetricWriter, naming: SampleNaming, sent_ms: EpochMs): void;
    }
  | {
      readonly kind: "node";
      readonly from_ms: EpochMs;
      readonly to_ms: EpochMs;
      write(to: MetricWriter, naming: SampleNaming, sent_ms: EpochMs): void;
    }
  /** It is not there, or nothing can be made of it. */
  | {
      readonly kind: "unsendable";
      readonly why: string;
      /** Whose and when; null if not even that can be read. */
      readonly lost: { readonly device: string | null; readonly from_ms: EpochMs; readonly to_ms: EpochMs } | null;
    };

const READ_AHEAD = 200;

/**
 * Records of ascending numbers, those before `at` are used up. An array and no map: a map that is filled and emptied with every
 * tick leaves tables behind that keep one another, and what was in them, until the next full collection.
 */
interface Ahead {
  readonly records: readonly StoredRecord[];
  readonly at: number;
}
const NOTHING: Ahead = { records: [], at: 0 };
const decoder = new TextDecoder();

export class BatchSource {
  readonly #journal: Pick<Journal, "read" | "definition" | "getState">;
  readonly #ahead = { live: NOTHING, backlog: NOTHING };

  constructor(journal: Pick<Journal, "read" | "definition" | "getState">) {
    this.#journal = journal;
  }

  /** @param bornAs the hash the device was born with in this session, if it was */
  batch(number: number, isLive: boolean, bornAs: (device: string) => string | undefined): SourcedBatch {
    const record = this.#record(number, isLive ? "live" : "backlog");
    if (record === null) return { kind: "unsendable", why: "it cannot be read", lost: null };
    try {
      return this.#parse(record, bornAs);
    } catch (error) {
      // Sound by its checksum and yet nonsense: written by another version. One such batch must not hold up the others.
      return unsendable(record, error instanceof Error ? error.message : String(error));
    }
  }

  #parse(record: StoredRecord, bornAs: (device: string) => string | undefined): SourcedBatch {
    switch (record.kind) {
      case "sample":
        return this.#sample(record);
      case "content":
        return this.#content(record, bornAs(record.device));
      case "node":
        return nodeBatch(record);
    }
  }

  /** Numbers mean other batches from now on. */
  forget(): void {
    this.#ahead.live = NOTHING;
    this.#ahead.backlog = NOTHING;
  }

  #sample(record: StoredRecord): SourcedBatch {
    const { taken } = record;
    const { sample, definition: hash, clock } = taken?.record ?? decodeSampleRecord(record);
    const definition = this.#journal.definition(hash);
    if (definition === null) return unsendable(record, `its definition ${hash} is not in the journal`);
    const { device, from_ms, to_ms, number } = record;
    const decoded = taken?.readings ?? decodeSample(definition, sample);
    const readings = clock === "set" ? decoded : decoded.map(undated);
    return {
      kind: "device",
      device,
      definition,
      hash,
      isBooks: false,
      from_ms,
      to_ms,
      write(to, naming, sent_ms) {
        writeReadings(to, readings, naming);
        writeBatch(to, number, sent_ms, naming);
      },
    };
  }

  #content(record: StoredRecord, bornAs: string | undefined): SourcedBatch {
    const { device, from_ms, to_ms, body, number } = record;
    const hash = bornAs ?? this.#journal.getState(`definition:${device}`) ?? "";
    const definition = this.#journal.definition(hash);
    if (definition === null) return unsendable(record, `no definition of ${device} is in the journal`);
    // Throws here, if at all, and not when it is sent.
    const content = decodePayload(body).metrics;
    return {
      kind: "device",
      device,
      definition,
      hash,
      isBooks: true,
      from_ms,
      to_ms,
      write(to, naming, sent_ms) {
        // Live metrics of one message are in time order [operational-behavior-data-publish-dbirth-order].
        const metrics = contentMetrics(content, naming).sort((a, b) => (a.timestamp_ms ?? 0) - (b.timestamp_ms ?? 0));
        for (const metric of metrics) to.metric(metric);
        writeBatch(to, number, sent_ms, naming);
      },
    };
  }

  #record(number: number, of: "live" | "backlog"): StoredRecord | null {
    let ahead = aheadOf(number, this.#ahead[of]);
    if (ahead.records[ahead.at]?.number !== number) ahead = { records: this.#journal.read(number, READ_AHEAD), at: 0 };
    const record = ahead.records[ahead.at];
    const isIt = record?.number === number;
    this.#ahead[of] = isIt ? { ...ahead, at: ahead.at + 1 } : ahead;
    return isIt ? record : null;
  }
}

/** Where a number is in what was read ahead, or would be: they are asked for in order, but for those that are sent again. */
function aheadOf(number: number, { records, at }: Ahead): Ahead {
  let next = at;
  while (next < records.length && records[next]!.number < number) next += 1;
  return { records, at: next };
}

function unsendable({ device, from_ms, to_ms }: StoredRecord, why: string): SourcedBatch {
  return { kind: "unsendable", why, lost: { device: device === "" ? null : device, from_ms, to_ms } };
}

/** Taken before the gateway's clock was set: right in order, uncertain in date. */
function undated(reading: Reading): Reading {
  return reading.quality === "good" ? { ...reading, quality: "uncertain", why: "clock-unsynchronised" } : reading;
}

function nodeBatch(stored: StoredRecord): SourcedBatch {
  const { body, from_ms, to_ms, number } = stored;
  const record = parseNodeRecord(decoder.decode(body));
  if (record.kind === "malformed") return unsendable(stored, record.why);
  return {
    kind: "node",
    from_ms,
    to_ms,
    write(to, naming, sent_ms) {
      to.metric(nodeRecordMetric(record, naming));
      writeBatch(to, number, sent_ms, naming);
    },
  };
}
