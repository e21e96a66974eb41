import type { CarrierId, MeterRole } from "../../core/emission/carriers.ts";
import type { Emission } from "../../core/emission/emission.ts";
import type { GapRule } from "../../core/gap/gapRules.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import type { BornMetric, MeterAccuracy } from "../../core/wire/content.ts";
import type { NodeRecord, NodeRecordKind } from "../../core/wire/nodeRecord.ts";

/**
 * The zone's store: what the collector writes and the API reads. Two kinds of content: the raw batches, packed as they
 * came in, and the books (gateways, meters, intervals, emissions), which are rows.
 *
 * Every insert is idempotent: a batch is keyed (gateway, epoch, number), an interval (meter, quantity, from_ms), an
 * emission (meter, from_ms, gas, version). No collector state lives anywhere else, so any collector may go on from here.
 */

/** Sparkplug descriptor: group (zone id) and edge node (gateway id). */
export interface GatewayKey {
  readonly group: string;
  readonly edge: string;
}

/** Batch numbers above this are refused: at 100 batches a second they last 21 years. */
export const BATCH_NUMBER_MAX = 2 ** 36 - 1;

/** In place of a device: births and batches of the gateway itself. No meter can be called so. */
export const NODE_DEVICE = "";

export interface DeviceBirth {
  readonly gateway: GatewayKey;
  readonly epoch: string;
  /** A meter, or {@link NODE_DEVICE}. */
  readonly device: string;
  readonly metrics: readonly BornMetric[];
}

/** A meter as its births describe it; the newest birth wins. */
export interface MeterRow {
  readonly gateway: GatewayKey;
  /** Device id; the zone-wide id is `<edge>/<device>`. */
  readonly device: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly carrier: CarrierId;
  readonly role: MeterRole;
  readonly parent: string | null;
  readonly interval_ms: number;
  readonly time_zone: string;
  readonly name: { readonly vi: string; readonly en: string } | null;
  /** null = its classes are not stated, so its uncertainty is not known. */
  readonly accuracy: MeterAccuracy | null;
  /** Site of the zone that sells what flows through; null = it comes across the zone's fence. */
  readonly supplier: string | null;
}

export interface NewBatch {
  readonly gateway: GatewayKey;
  readonly epoch: string;
  readonly number: number;
  readonly device: string;
  readonly birthId: number;
  /** Timestamps of its oldest and newest metric; an interval's is its end. */
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  /** CRC32C of `payload`, which is canonical: aliases, no is_historical flags, no batch metric, no seq. */
  readonly crc32c: number;
  readonly payload: Uint8Array;
  readonly intervals: readonly Interval[];
  readonly emissions: readonly Emission[];
  /** What the gateway reports of itself; null for a batch of a meter. */
  readonly record: NodeRecord | null;
  /**
   * It was recorded, perhaps, before its epoch began, under another number: the same content under another epoch of the gateway
   * is then this batch. Absent: it was not.
   */
  readonly mayBeRenumbered?: boolean;
  /** It holds a reading of the meter's main counter; absent where nobody looked, and it counts as a poll unless it holds intervals. */
  readonly isPoll?: boolean;
}

/** In place of an epoch: of gateways that do not speak our delivery protocol. */
export const PLAIN_EPOCH = "";

/** What such a gateway sent in one message. Its samples are told apart by (device, metric, timestamp): reference sparkplug §17.4. */
export interface PlainMessage {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly birthId: number;
  readonly samples: readonly PlainSample[];
}

export interface PlainSample {
  /** As its birth names it. */
  readonly metric: string;
  readonly at_ms: EpochMs;
  /** Canonical, of this metric alone. */
  readonly payload: Uint8Array;
}

/** A device, or {@link NODE_DEVICE}, of which samples are held that came without batch numbers. */
export interface PlainDevice {
  readonly gateway: GatewayKey;
  readonly device: string;
  /** In the order they were first heard of. */
  readonly metrics: readonly { readonly metric: string; readonly newest_ms: EpochMs }[];
}

/**
 * stored: new · duplicate: same key and CRC · renumbered: its content is held under another epoch, and its number counts as held
 * · differs: same key, other content, in quarantine. All but the last are held.
 */
export type BatchOutcome = "stored" | "duplicate" | "renumbered" | "differs";

export interface GatewayRow {
  readonly gateway: GatewayKey;
  readonly epoch: string | null;
  readonly online: boolean;
  readonly bdSeq: number | null;
  readonly lastSeen_ms: EpochMs | null;
  readonly bornAt_ms: EpochMs | null;
  readonly pending: number | null;
  readonly oldestPending_ms: EpochMs | null;
  /** Gateway clock minus collector clock, from the newest live message; null before the first. */
  readonly clockOffset_ms: number | null;
  readonly software: string | null;
  readonly duplicates: number;
  readonly received: number;
}

/**
 * When a gateway came and went, as this collector saw it. unknown: the collector itself had no broker, or did not run;
 * whether the gateway was there nobody saw.
 */
export interface Presence {
  readonly gateway: GatewayKey;
  readonly at_ms: EpochMs;
  readonly state: "online" | "offline" | "unknown";
}

export type RecordOfKind<K extends NodeRecordKind> = Extract<NodeRecord, { readonly kind: K }>;

export interface StoredNodeRecord<K extends NodeRecordKind = NodeRecordKind> {
  readonly gateway: GatewayKey;
  readonly epoch: string;
  readonly batch: number;
  readonly record: RecordOfKind<K>;
}

/**
 * What the collector came to when it computed the figure itself. unverifiable: it could not · recomputed: the gateway had lost
 * readings that had arrived here, and the figure is the collector's own; what the gateway said stays readable.
 */
export type Verification = "pending" | "agreed" | "disagreed" | "unverifiable" | "recomputed";

export interface StoredInterval extends Interval {
  readonly gateway: GatewayKey;
  readonly epoch: string;
  readonly batch: number;
  readonly verification: Verification;
}

export interface StoredEmission extends Emission {
  readonly id: number;
  readonly gateway: GatewayKey;
  readonly epoch: string;
  readonly batch: number;
  readonly version: number;
  readonly knownFrom_ms: EpochMs;
  /** Id of the entry that took its place; null while in force. */
  readonly supersededBy: number | null;
}

/** One batch the collector could not use: kept whole with the reason, acked, shown. */
export interface DeadLetter {
  readonly gateway: GatewayKey;
  readonly topic: string;
  readonly at_ms: EpochMs;
  readonly code: string;
  readonly why: string;
  readonly payload: Uint8Array;
  /** Whose and of when its newest content is, if that could be read. */
  readonly content: { readonly device: string; readonly at_ms: EpochMs } | null;
  /** Its number, for which nobody need wait any more; null if it had none that could be read. */
  readonly batch: { readonly epoch: string; readonly number: number } | null;
}

/** Code of an alarm: an interval of which more readings are stored than were taken. */
export const STORED_EXCEEDS_READ = "STORED_EXCEEDS_READ";
/** Code of an alarm: the same instant of a meter is stored under two epochs of its gateway; what is the same in all should be known by its content. */
export const STORED_TWICE = "STORED_TWICE";
/** Code of an alarm: an interval opens with another count than the one before it closes with; the ticks between stand in no interval, or in both. */
export const COUNTS_APART = "COUNTS_APART";
/** Code of an alarm: messages of a node that numbers no batches, and so sends none again, could not be stored in time. */
export const MESSAGES_GIVEN_UP = "MESSAGES_GIVEN_UP";
/** Code of an alarm: sessions of a gateway begin too often: two with one name, or a connection that breaks all the time. */
export const SESSIONS_TOO_MANY = "SESSIONS_TOO_MANY";

export interface Alarm {
  readonly code: string;
  readonly gateway: GatewayKey | null;
  readonly device: string | null;
  readonly at_ms: EpochMs;
  readonly detail: Readonly<Record<string, string | number>>;
}

/** Entries of one meter that take the place of earlier ones, because other factors are known now. */
export interface NewRestatement {
  readonly gateway: GatewayKey;
  readonly device: string;
  /** When the run of restating began: what belongs together. */
  readonly runAt_ms: EpochMs;
  readonly reason: string;
  /** All gases of their intervals; what is equal to the entry in force is left as it is. */
  readonly entries: readonly Emission[];
}

/** A figure of the collector's own, in the place of one that the gateway came to with less than had arrived here. */
export interface NewCorrection {
  /** As the gateway booked it. */
  readonly interval: StoredInterval;
  readonly figure: Interval;
  /** Its emissions, by the factors of those in force; none if it emits nothing. */
  readonly entries: readonly Emission[];
  /** As of a restatement. */
  readonly runAt_ms: EpochMs;
}

/** A figure whose place another one took, as it stood. */
export interface EarlierInterval extends StoredInterval {
  readonly superseded_ms: EpochMs;
}

/** What a run did to one gas of one meter from one factor to another; the earlier entries stay. */
export interface Restatement {
  readonly id: number;
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly runAt_ms: EpochMs;
  readonly gas: Emission["gas"];
  /** `<id>@<version>`; null = nothing was booked, for want of a factor. */
  readonly factorBefore: string | null;
  readonly factorAfter: string;
  readonly reason: string;
  /** From the first restated interval to the end of the last. */
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly entries: number;
  readonly before_mg: bigint;
  readonly after_mg: bigint;
}

/** A gap filled by a rule of methods §9: what stands in, who said so, from what. */
export interface NewSubstitution {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly quantity: QuantityId;
  /** Given by its author; names it for good. */
  readonly name: string;
  readonly rule: GapRule;
  readonly flag: "S" | "E";
  readonly inputs: Readonly<Record<string, string>>;
  readonly author: string;
  readonly tick: Interval["tick"];
  /** In order, at least one. */
  readonly intervals: readonly { readonly from_ms: EpochMs; readonly to_ms: EpochMs; readonly ticks: bigint }[];
}

export interface StoredSubstitution
  extends Pick<NewSubstitution, "gateway" | "device" | "quantity" | "name" | "rule" | "flag" | "inputs" | "author"> {
  readonly id: number;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  /** How many intervals it stands in for; measured ones it left alone. */
  readonly intervals: number;
  readonly knownFrom_ms: EpochMs;
}

/** One version of an entry. */
export interface EmissionVersion {
  readonly entry: StoredEmission;
  /** Why it was restated; null for what came from the gateway. */
  readonly reason: string | null;
}

/** Sums of one meter's intervals over one bucket [from, to). */
export interface EnergySum {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly quantity: QuantityId;
  readonly bucket: number;
  readonly tick: Interval["tick"];
  readonly ticks: bigint;
  /** Ticks of intervals flagged S or E. */
  readonly estimatedTicks: bigint;
  /** Interval time held by rows, and the covered part of it, ms. */
  readonly rows_ms: number;
  readonly covered_ms: number;
  readonly rows: number;
  /** Intervals with flag X, and how many of those have no figure at all. */
  readonly incomplete: number;
  readonly unknown: number;
  /** Intervals whose cloud recomputation disagrees. */
  readonly disagreed: number;
}

/** Sums of one meter's emission entries of one gas and factor over one bucket; superseded entries are left out. */
export interface EmissionSum {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly carrier: CarrierId;
  readonly scope: 1 | 2;
  readonly gas: Emission["gas"];
  readonly factorId: string;
  readonly factorVersion: string;
  readonly match: Emission["match"];
  readonly bucket: number;
  readonly mg: bigint;
  readonly entries: number;
}

/** Intervals of one bucket that are not whole and measured, by why; superseded ones are left out. */
export interface CauseCount {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly quantity: QuantityId;
  readonly bucket: number;
  readonly cause: Interval["cause"];
  readonly intervals: number;
}

/** Intervals in force of which edge and cloud have different figures. */
export interface Disagreement {
  readonly gateway: GatewayKey;
  readonly device: string;
  readonly quantity: QuantityId;
  readonly intervals: number;
  readonly oldest_ms: EpochMs;
}

export interface BucketBounds {
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
}

export interface StoredBatch {
  readonly gateway: GatewayKey;
  readonly epoch: string;
  readonly number: number;
  readonly device: string;
  readonly birthId: number;
  readonly from_ms: EpochMs;
  readonly to_ms: EpochMs;
  readonly payload: Uint8Array;
}

/** Which rows first when there are more than the limit. Rows are given in that order. */
export type Order = "oldest" | "newest";

export interface ZoneStore {
  /** Id of this birth; the same content gives the same id again. Updates the meter row when `meter` is given. */
  putBirth(birth: DeviceBirth, meter: MeterRow | null): number;
  birth(birthId: number): DeviceBirth | null;

  /** One transaction, synced before it returns; outcomes in the order given. Only after this may anything be acked. */
  commitBatches(batches: readonly NewBatch[]): readonly BatchOutcome[];
  /**
   * Samples of gateways that number no batches, in one transaction, synced before it returns: as batches of the epoch
   * {@link PLAIN_EPOCH}. What is held already is left out, whatever it says now.
   * @returns how many samples were new
   */
  commitPlain(messages: readonly PlainMessage[]): number;
  /** What samples of that kind are held of, in the order it was first heard of. */
  plainDevices(): readonly PlainDevice[];
  putGateway(row: GatewayRow): void;
  gateways(): readonly GatewayRow[];
  putPresence(presence: Presence): void;
  /** Changes of presence in [from, to), oldest first, and before them the one in force at `from`, if it is known. */
  presence(gateway: GatewayKey, from_ms: EpochMs, to_ms: EpochMs): readonly Presence[];
  meters(): readonly MeterRow[];
  /** Epochs of this gateway that anything is held of, in the order they were first heard of; also those of this store's own making. */
  epochs(gateway: GatewayKey): readonly string[];
  /** Batch numbers held of this epoch, as ascending disjoint ranges [a, b]. */
  batchRanges(gateway: GatewayKey, epoch: string): readonly (readonly [number, number])[];
  /** Batch numbers of this epoch that the gateway reported lost or we set aside: nobody need wait for them. */
  lostRanges(gateway: GatewayKey, epoch: string): readonly (readonly [number, number])[];
  /** Records of one kind that speak of time in [from, to), oldest first, at most `limit`. */
  nodeRecords<K extends NodeRecordKind>(
    gateway: GatewayKey,
    kind: K,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
  ): readonly StoredNodeRecord<K>[];
  deadLetter(letter: DeadLetter): void;
  deadLetterCount(gateway: GatewayKey): number;
  /** Batches kept aside because their key was held with other content: of one epoch up to a number, or of all when left out. */
  quarantineCount(gateway: GatewayKey, epoch?: string, through?: number): number;
  putAlarm(alarm: Alarm): void;
  alarms(limit: number): readonly Alarm[];

  /** Batches of one device that hold content in [from, to], oldest first, at most `limit`. */
  batches(gateway: GatewayKey, device: string, from_ms: EpochMs, to_ms: EpochMs, limit: number): readonly StoredBatch[];
  /**
   * How many batches of the device, polls of its main counter all, hold their newest content in each slot of [from, to): by
   * the start of the slot, slots without any left out. Set aside: those that could not be used, as far as it could be read whose and when.
   */
  countBatches(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    slot_ms: number,
  ): ReadonlyMap<EpochMs, { readonly stored: number; readonly setAside: number }>;
  /** The newest batch of the device with content at or before `at_ms`; null if none. And the oldest at or after. */
  batchAtOrBefore(gateway: GatewayKey, device: string, at_ms: EpochMs): StoredBatch | null;
  batchAtOrAfter(gateway: GatewayKey, device: string, at_ms: EpochMs): StoredBatch | null;

  /** Start of the meter's first interval ever and end of its newest; null before the first. */
  intervalSpan(gateway: GatewayKey, device: string): BucketBounds | null;
  /** Intervals of one meter and quantity with from_ms in [from, to), oldest first unless told, at most `limit`. */
  intervals(
    gateway: GatewayKey,
    device: string,
    quantity: QuantityId,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
    order?: Order,
  ): readonly StoredInterval[];
  /** Intervals not yet compared whose batch number is ≤ `through`, oldest first. */
  intervalsToVerify(gateway: GatewayKey, epoch: string, through: number, limit: number): readonly StoredInterval[];
  /** All of them in one transaction. */
  setVerifications(results: readonly (readonly [StoredInterval, Verification])[]): void;
  /**
   * Books a recomputed figure and its emissions in one transaction; the earlier ones stay readable.
   * @returns false when the gateway's figure is not in force any more
   */
  correct(correction: NewCorrection): boolean;
  /** Figures of the meter's interval that gave way to another one, oldest first; empty for most. */
  earlierIntervals(
    gateway: GatewayKey,
    device: string,
    quantity: QuantityId,
    from_ms: EpochMs,
  ): readonly EarlierInterval[];
  /** Intervals, since the store was opened, that arrived for a time of which an earlier epoch of the gateway knew more. */
  outdoneIntervals(): number;
  /** All of them, however old. */
  disagreements(): readonly Disagreement[];
  emission(id: number): StoredEmission | null;
  /** Entries in force of one meter with from_ms in [from, to), oldest first unless told, at most `limit`. */
  emissions(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
    order?: Order,
  ): readonly StoredEmission[];

  /** Appends in one transaction; nothing is changed but the mark that an entry is superseded. @returns how many entries it made. */
  restate(restatement: NewRestatement): number;
  /** Restatements of one meter that touch time in [from, to), newest run first, at most `limit`. */
  restatements(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
  ): readonly Restatement[];
  /** Every version of the entry's gas and interval, oldest first; empty for an id that is none. */
  emissionVersions(id: number): readonly EmissionVersion[];

  /**
   * Books what stands in for missing intervals, in one transaction. Measured intervals stay; what was missing (X), absent or
   * filled before gives way and stays readable. What the gateway sends later of the same time takes the fill's place.
   * @returns null when a substitution of this name is there already: it is never changed
   */
  substitute(fill: NewSubstitution): StoredSubstitution | null;
  substitution(id: number): StoredSubstitution | null;
  findSubstitution(name: string): StoredSubstitution | null;
  /** Fills of one meter that touch time in [from, to), newest first, at most `limit`. */
  substitutions(
    gateway: GatewayKey,
    device: string,
    from_ms: EpochMs,
    to_ms: EpochMs,
    limit: number,
  ): readonly StoredSubstitution[];

  /**
   * Sums per meter, quantity and bucket; a bucket without rows gives none, a bucket whose rows differ in tick gives one
   * per tick. An interval belongs to the bucket that holds its start. Buckets ascend and do not overlap.
   * @param quantities only these; all when left out
   */
  sumEnergy(
    meters: readonly (GatewayKey & { device: string })[],
    buckets: readonly BucketBounds[],
    quantities?: readonly QuantityId[],
  ): readonly EnergySum[];
  /** Buckets and quantities as in sumEnergy. */
  countCauses(
    meters: readonly (GatewayKey & { device: string })[],
    buckets: readonly BucketBounds[],
    quantities?: readonly QuantityId[],
  ): readonly CauseCount[];
  /** @param knownAt_ms the entries in force at that instant ("as known then"); those in force now when left out */
  sumEmissions(
    meters: readonly (GatewayKey & { device: string })[],
    buckets: readonly BucketBounds[],
    knownAt_ms?: EpochMs,
  ): readonly EmissionSum[];

  /** Small values of the collector's own that must survive: last STATE timestamp and the like. */
  getValue(key: string): string | null;
  setValue(key: string, value: string): void;
  close(): void;
}
