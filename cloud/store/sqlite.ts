import type { EpochMs } from "../../core/reading/reading.ts";
import { Alarms } from "./alarms.ts";
import { Batches } from "./batches.ts";
import { BookedEmissions } from "./bookedEmissions.ts";
import { BookedIntervals } from "./bookedIntervals.ts";
import { Books } from "./books.ts";
import { type Database, openDatabase } from "./database.ts";
import { Keys } from "./keys.ts";
import { openNames, reloadNames } from "./names.ts";
import { Places } from "./places.ts";
import { PlainSamples } from "./plainSamples.ts";
import { Renumbered } from "./renumbered.ts";
import { Restatements } from "./restatements.ts";
import type { ZoneStore } from "./store.ts";
import { Substitutions } from "./substitutions.ts";
import { openSums } from "./sums.ts";

export interface SqliteStoreOptions {
  readonly path: string;
  /** Wall clock by which entries become known; the machine's when left out. */
  readonly now_ms?: () => EpochMs;
  /** `read`: beside the collector that writes it; every change is refused. */
  readonly access?: "write" | "read";
  /** There was no room on the disk to share the file: nobody else can read it as long as this process has it. */
  readonly onAlone?: (why: string) => void;
}

/**
 * The embedded zone store: one SQLite file, written by one process; others may read it meanwhile.
 * @throws {KhuXanhError} DISK_UNUSABLE if the file cannot be opened or was written by a newer version.
 */
export function openSqliteStore({ path, now_ms = Date.now, access = "write", onAlone }: SqliteStoreOptions): ZoneStore {
  return storeOn(openDatabase(path, access, onAlone), now_ms);
}

/** The parts of the store behind its port. */
export function storeOn(db: Database, now_ms: () => EpochMs): ZoneStore {
  const names = openNames(db.raw);
  const keys = new Keys(names);
  db.onRollback(() => {
    reloadNames(names);
    keys.reloaded();
  });
  const alarms = new Alarms(db, keys);
  const intervals = new BookedIntervals(db, keys, alarms);
  const emissions = new BookedEmissions(db, keys, alarms, intervals);
  const restatements = new Restatements(db, keys, (row) => emissions.stored(row));
  const substitutions = new Substitutions(db, keys);
  const places = new Places(db, keys);
  const renumbered = new Renumbered(db, (birthId) => places.birth(birthId));
  const books = new Books(intervals, emissions);
  const batches = new Batches(db, keys, alarms, books, renumbered);
  const plain = new PlainSamples(db, keys, batches);
  const sums = openSums(db.raw, names);
  return {
    putBirth: (birth, meter) => places.putBirth(birth, meter),
    birth: (birthId) => places.birth(birthId),
    putGateway: (row) => places.putGateway(row),
    gateways: () => places.gateways(),
    putPresence: (presence) => places.putPresence(presence),
    presence: (...query) => places.presence(...query),
    meters: () => places.meters(),

    commitBatches: (added) => batches.commit(added, now_ms()),
    commitPlain: (messages) => plain.commit(messages),
    plainDevices: () => plain.devices(),
    epochs: (gateway) => keys.epochsOf(gateway),
    batchRanges: (gateway, epoch) => batches.heldRanges(gateway, epoch),
    lostRanges: (gateway, epoch) => batches.lostRanges(gateway, epoch),
    batches: (...query) => batches.within(...query),
    countBatches: (...query) => batches.counts(...query),
    batchAtOrBefore: (...query) => batches.atOrBefore(...query),
    batchAtOrAfter: (...query) => batches.atOrAfter(...query),
    nodeRecords: (...query) => batches.nodeRecords(...query),
    deadLetter: (letter) => batches.deadLetter(letter),
    deadLetterCount: (gateway) => batches.deadLetterCount(gateway),
    quarantineCount: (gateway, epoch, through) => batches.quarantineCount(gateway, epoch, through),

    putAlarm: (alarm) => alarms.put(alarm),
    alarms: (limit) => alarms.newest(limit),

    intervalSpan: (...query) => intervals.span(...query),
    intervals: (...query) => intervals.within(...query),
    intervalsToVerify: (...query) => intervals.toVerify(...query),
    setVerifications: (results) => intervals.setVerifications(results),
    correct: (correction) => db.transaction(() => books.correct(correction, restatements, now_ms())),
    earlierIntervals: (...query) => intervals.earlier(...query),
    outdoneIntervals: () => intervals.outdone,
    disagreements: () => intervals.disagreements(),
    emission: (id) => emissions.get(id),
    emissions: (...query) => emissions.within(...query),
    restate: (restatement) => db.transaction(() => emissions.restate(restatement, restatements, now_ms())),
    restatements: (...query) => restatements.within(...query),
    emissionVersions: (id) => restatements.versions(id),
    substitute: (fill) => intervals.substitute(fill, substitutions, now_ms()),
    substitution: (id) => substitutions.get(id),
    findSubstitution: (name) => substitutions.find(name),
    substitutions: (...query) => substitutions.within(...query),

    sumEnergy: (...query) => sums.energy(...query),
    countCauses: (...query) => sums.causes(...query),
    sumEmissions: (...query) => sums.emissions(...query),

    getValue(key) {
      const row = db.get("SELECT value FROM own_value WHERE name = ?", key);
      return row === undefined ? null : String(row.value);
    },
    setValue(key, value) {
      db.transaction(() => {
        db.run(
          "INSERT INTO own_value (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
          key,
          value,
        );
      });
    },
    close: () => db.close(),
  };
}
