import { BirthReader } from "../../../cloud/collector/births.ts";
import { openSqliteStore } from "../../../cloud/store/sqlite.ts";
import type { GatewayKey, StoredInterval, ZoneStore } from "../../../cloud/store/store.ts";
import { loadModelLibrary } from "../../../config/models.ts";
import type { SimMeter } from "../../../hw-sim/meters/simMeter.ts";
import type { BuiltLine } from "../../../hw-sim/sim.ts";
import { type TruthLine, truthLines } from "../../../hw-sim/truthFile.ts";
import { type BookInterval, bookOf } from "../../truth/books.ts";
import { compareBooks } from "../../truth/compareBooks.ts";
import { outage } from "../../truth/excuses.ts";

/** What the books hold in the end, beside what the meters truly counted. `wrong` lists everything that must not be. */
export interface BooksReport {
  readonly batches: number;
  /** Polls that a meter answered, as seen on the wire, and how many of them the collector holds. */
  readonly answered: number;
  readonly stored: number;
  /** Answered, and the agent died before its commit. */
  readonly lost: number;
  readonly intervals: number;
  readonly interpolated: number;
  readonly energy_Wh: number;
  readonly wrong: readonly string[];
}

export interface BooksQuestion {
  readonly storeFile: string;
  readonly gateway: GatewayKey;
  /** As the agent says of its journal in the end; batches from 1 below `nextNumber` must be in the store. */
  readonly journal: { readonly epoch: string; readonly nextNumber: number };
  /** The same meters, computed again: counters are a function of seed and time. */
  readonly lines: readonly BuiltLine[];
  /** How often a meter was seen to answer a poll. */
  readonly answered: (unit: number) => number;
  /** Polls that may be lost of each meter: those of one tick at each death of the agent. */
  readonly lostMax: number;
  readonly interval_ms: number;
}

const QUANTITY = "active_energy_import_total";
/**
 * A sample is dated by its first words, and its counter may come in a later block: on a machine with several times more to do than
 * cores up to a second later (once in 1,855 polls of a run of two hundred kills).
 */
const TIME_TOLERANCE_MS = 1500;
const WRONG_MAX = 30;
/** How far apart readings around a boundary may lie where nothing else is known: the period, and a machine that is late. */
const POLL_MS = 1500;

export function checkBooks(question: BooksQuestion): BooksReport {
  const store = openSqliteStore({ path: question.storeFile });
  try {
    return check(store, question);
  } finally {
    store.close();
  }
}

function check(
  store: ZoneStore,
  { gateway, journal, lines, answered, lostMax, interval_ms }: BooksQuestion,
): BooksReport {
  const wrong: string[] = [];
  const say = (what: string) => wrong.length < WRONG_MAX && wrong.push(what);
  const last = journal.nextNumber - 1;
  // Each once: the key is (epoch, number). All: one range from the first to the last.
  const ranges = store.batchRanges(gateway, journal.epoch);
  const [first] = ranges;
  if (ranges.length !== 1 || first?.[0] !== 1 || first[1] < last) {
    say(`batches 1…${last} were journaled and confirmed; the store holds ${JSON.stringify(ranges)}`);
  }
  const epoch = store.gateways().find((row) => row.gateway.edge === gateway.edge)?.epoch;
  if (epoch !== journal.epoch) say(`the journal lost its epoch: ${epoch} became ${journal.epoch}`);
  if (store.deadLetterCount(gateway) > 0) say(`${store.deadLetterCount(gateway)} dead letters`);
  if (store.quarantineCount(gateway) > 0) say(`${store.quarantineCount(gateway)} batches came with two contents`);
  for (const alarm of store.alarms(10)) say(`alarm ${JSON.stringify(alarm)}`);

  const births = new BirthReader(store);
  let stored = 0;
  let polled = 0;
  let intervals = 0;
  let interpolated = 0;
  let energy_Wh = 0;
  const books: BookInterval[] = [];
  for (const meter of lines.flatMap(({ meters }) => meters)) {
    const times = checkReadings(store, births, gateway, meter, say);
    const held = times.size;
    const seen = answered(meter.unit);
    if (held > seen) say(`${meter.name}: ${seen} polls were answered, ${held} are stored`);
    if (seen - held > lostMax) say(`${meter.name}: ${seen} polls were answered, only ${held} are stored`);
    stored += held;
    polled += seen;
    const rows = store.intervals(gateway, meter.name, QUANTITY, 0, Number.MAX_SAFE_INTEGER, 100_000);
    intervals += rows.length;
    interpolated += rows.filter(({ flag }) => flag !== "M").length;
    energy_Wh += checkIntervals(rows, meter, interval_ms, say);
    checkEnds(rows, [...times], interval_ms, (what) => say(`${meter.name}: ${what}`));
    books.push(...rows.map((row) => bookOf(meter.name, row)));
  }
  for (const name of new Set(books.map((row) => row.meter))) {
    checkTruth(
      lines,
      books.filter((row) => row.meter === name),
      interval_ms,
      say,
    );
  }
  return {
    batches: first?.[1] ?? 0,
    answered: polled,
    stored,
    lost: polled - stored,
    intervals,
    interpolated,
    energy_Wh,
    wrong,
  };
}

/** The zone's own checker, on the same books. */
function checkTruth(
  lines: readonly BuiltLine[],
  books: readonly BookInterval[],
  interval_ms: number,
  say: (what: string) => void,
): void {
  // The first interval of a meter, in which it was first read, is not whole, nor is what came after the last reading.
  const from_ms = Math.min(...books.map((row) => row.from_ms)) + interval_ms;
  const to_ms = Math.max(...books.map((row) => row.from_ms)) - interval_ms;
  const meter = books[0]?.meter;
  const truth: TruthLine[] = [];
  for (let at_ms = from_ms - interval_ms; at_ms <= to_ms + 2 * interval_ms; at_ms += interval_ms)
    truth.push(...truthLines(lines, at_ms).filter(({ name }) => name === meter));
  const findings = compareBooks(truth, books, {
    from_ms,
    to_ms,
    interval_ms,
    poll_ms: POLL_MS,
    models: loadModelLibrary(),
    happenings: [outage(from_ms - interval_ms, to_ms + 2 * interval_ms)],
  });
  for (const { text } of findings) say(`truth: ${text}`);
}

/** No instant twice, and every count is what the meter showed then. */
function checkReadings(
  store: ZoneStore,
  births: BirthReader,
  gateway: GatewayKey,
  meter: SimMeter,
  say: (what: string) => void,
): ReadonlySet<number> {
  const seen = new Set<number>();
  for (const batch of store.batches(gateway, meter.name, 0, Number.MAX_SAFE_INTEGER, 1_000_000)) {
    for (const { at_ms, count, quantity } of births.counts(batch)) {
      if (quantity !== QUANTITY) continue;
      if (seen.has(at_ms)) say(`${meter.name}: ${new Date(at_ms).toISOString()} is there twice`);
      seen.add(at_ms);
      if (!isTrue(meter, Number(count), at_ms)) {
        say(`${meter.name}: ${new Date(at_ms).toISOString()} says ${count}, the meter had ${trueCount(meter, at_ms)}`);
      }
    }
  }
  return seen;
}

/** What was read is booked: from the interval of the first reading to the one before that of the last. */
function checkEnds(
  rows: readonly StoredInterval[],
  times: readonly number[],
  interval_ms: number,
  say: (what: string) => void,
): void {
  const startOf = (at_ms: number) => Math.floor(at_ms / interval_ms) * interval_ms;
  const first = startOf(Math.min(...times));
  const last = startOf(Math.max(...times)) - interval_ms;
  const text = (at_ms: number | undefined) => (at_ms === undefined ? "never" : new Date(at_ms).toISOString());
  if (rows[0] === undefined || rows[0].from_ms > first + interval_ms) {
    say(`first read in ${text(first)}, but booked from ${text(rows[0]?.from_ms)}`);
  }
  if ((rows.at(-1)?.from_ms ?? 0) < last)
    say(`last read after ${text(last)}, but booked to ${text(rows.at(-1)?.from_ms)}`);
}

/** Without a gap, neighbours share their boundary to the tick, boundaries are the meter's; returns the energy booked. */
function checkIntervals(
  rows: readonly StoredInterval[],
  meter: SimMeter,
  interval_ms: number,
  say: (what: string) => void,
): number {
  if (rows.length === 0) say(`${meter.name}: no interval at all`);
  let energy = 0n;
  // The first one, in which the meter was first read, may be incomplete.
  const whole = rows.filter(({ flag }, i) => i > 0 || flag !== "X");
  whole.forEach((row, i) => {
    const when = `${meter.name} ${new Date(row.from_ms).toISOString()}`;
    const before = whole[i - 1];
    if (before !== undefined && row.from_ms !== before.from_ms + interval_ms)
      say(`${when}: the interval before it is missing`);
    const { opening, closing, ticks, flag } = row;
    if (flag === "X" || opening === null || closing === null || ticks === null) {
      say(`${when}: nothing known (${flag}, ${row.cause})`);
      return;
    }
    if (closing.count - opening.count !== ticks)
      say(`${when}: ${ticks} ticks, but ${opening.count} to ${closing.count}`);
    if (before?.closing != null && before.closing.count !== opening.count) say(`${when}: energy between two intervals`);
    if (flag === "M" && !isTrue(meter, Number(closing.count), row.to_ms)) {
      say(`${when}: closes at ${closing.count}, the meter had ${trueCount(meter, row.to_ms)}`);
    }
    energy += ticks;
  });
  const first = whole[0]?.opening?.count;
  const last = whole.at(-1)?.closing?.count;
  if (first !== undefined && last !== undefined && last - first !== energy) {
    say(`${meter.name}: intervals sum to ${energy}, the counter moved by ${last - first}`);
  }
  return Number(energy);
}

function isTrue(meter: SimMeter, count: number, at_ms: number): boolean {
  return (
    count >= Math.floor(trueCount(meter, at_ms - TIME_TOLERANCE_MS)) &&
    count <= Math.ceil(trueCount(meter, at_ms + TIME_TOLERANCE_MS))
  );
}

function trueCount(meter: SimMeter, at_ms: number): number {
  return Number(meter.truth(at_ms)[QUANTITY]?.value);
}
