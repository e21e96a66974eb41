import {
  type Alarm,
  COUNTS_APART,
  SESSIONS_TOO_MANY,
  type StoredInterval,
  type ZoneStore,
} from "../../../cloud/store/store.ts";
import type { Boundary, CounterWords, IntervalCause } from "../../../core/interval/interval.ts";
import type { DeviceDefinition } from "../../../core/model/deviceDefinition.ts";
import type { QuantityId } from "../../../core/units/quantities.ts";
import { episodeAt } from "../../../hw-sim/faults/schedule.ts";
import { SimRtuLine } from "../../../hw-sim/world/rtuLine.ts";
import type { Findings } from "../findings.ts";
import type { MeterInWorld, SimAgent } from "../zone.ts";
import { LIBRARY, LINE_TIMEOUT_MS, ZONE } from "../zone.ts";
import { countsAt, countsIn, wordsOfHex } from "./truth.ts";

/**
 * No wrong number: every booked interval is held against the meter itself.
 *
 * evidence   the register words an interval rests on are words the meter showed at that time
 * count      the count at a boundary follows from that evidence, by arithmetic of the checker's own
 * ticks      what was counted is the difference of the two counts
 * conserved  an interval closes with the count the next one opens with, so no tick is lost or counted twice
 * measured   what is called measured was polled no more often than its time allows: a set clock put nothing else there
 * agreed     the cloud recomputed the same; nothing was redefined, quarantined or set aside
 */
export class BooksChecker {
  readonly #findings: Findings;
  readonly #store: () => ZoneStore;
  readonly #definitions = new Map<string, DeviceDefinition>();
  readonly #checked = new Set<string>();
  /** Where counts are apart and nobody can mend it. */
  readonly #seams = new Set<string>();

  constructor(findings: Findings, store: () => ZoneStore) {
    this.#findings = findings;
    this.#store = store;
  }

  /** Everything booked so far. */
  check(agents: readonly SimAgent[]): void {
    for (const agent of agents) {
      for (const { definition } of agent.running?.gateway.devices() ?? []) {
        this.#definitions.set(`${agent.machine.name}/${definition.device}`, definition);
      }
      for (const meter of agent.meters) {
        for (const quantity of this.accounted(agent, meter.device)) this.#checkSeries(agent, meter, quantity);
      }
      this.#checkNothingSetAside(agent);
    }
    const alarms = this.#store().alarms(ALARMS_MAX);
    const redefined = alarms.filter((alarm) => isOfLoss(alarm, agents));
    for (const alarm of alarms) {
      if (isOfRestore(alarm, agents)) continue;
      if (ALARMS_OF_FAULTS.includes(alarm.code) || redefined.includes(alarm)) continue;
      // Held against the intervals themselves: those that meet, and those that could be made to, report it.
      if (this.#seams.has(seamOf(alarm))) continue;
      // With an interval its emissions.
      if (alarm.code === "EMISSION_REDEFINED" && redefined.some((interval) => isOfSame(interval, alarm))) continue;
      this.#findings.report(
        "books",
        `alarm ${alarm.code} ${alarm.gateway?.edge}/${alarm.device} ${JSON.stringify(alarm.detail)}`,
      );
    }
  }

  /** Quantities of a meter that are booked. */
  accounted(agent: SimAgent, device: string): readonly QuantityId[] {
    const definition = this.#definitions.get(`${agent.machine.name}/${device}`);
    return definition?.counters.flatMap(({ quantity, accounted }) => (accounted ? [quantity] : [])) ?? [];
  }

  rows(agent: SimAgent, device: string, quantity: QuantityId): readonly StoredInterval[] {
    const gateway = { group: ZONE, edge: agent.machine.name };
    return this.#store().intervals(gateway, device, quantity, 0, Number.MAX_SAFE_INTEGER, ROWS_MAX);
  }

  #checkSeries(agent: SimAgent, meter: MeterInWorld, quantity: QuantityId): void {
    const rows = this.rows(agent, meter.device, quantity);
    const wrong = (row: StoredInterval, why: string): void => {
      const at = new Date(row.from_ms).toISOString();
      const who = `${agent.machine.name}/${meter.device} ${quantity} ${at} (batch ${row.batch})`;
      this.#findings.report("books", `${who}: ${why}`);
    };
    // In the order they were recorded: a clock that is set visits intervals in another order than time's.
    const epochOf = (row: StoredInterval): number => agent.epochs.indexOf(row.epoch);
    const recorded = rows.toSorted((a, b) => epochOf(a) - epochOf(b) || a.batch - b.batch || a.from_ms - b.from_ms);
    for (const [i, row] of rows.entries()) {
      const before = recorded[recorded.indexOf(row) - 1];
      const overlaps = i > 0 && row.from_ms < rows[i - 1]!.to_ms;
      const why = overlaps ? "it overlaps the one before it" : this.#whyWrong(agent, meter, row, before);
      if (why !== null) return wrong(row, why);
    }
    for (const [i, row] of recorded.entries()) {
      const [closed, opened] = [recorded[i - 1]?.closing?.count, row.opening?.count];
      if (closed === undefined || opened === undefined || closed === opened) continue;
      // One that waits to be compared may yet be recomputed; that none waits in the end `drained.ts` sees to.
      if (recorded[i - 1]!.verification === "pending" || row.verification === "pending") continue;
      // Two stretches that a set clock closed at once stand in one batch, in no order that is written down.
      if (
        [recorded[i - 1], recorded[i], recorded[i + 1]].some(
          (one) => one?.cause === "clock" && shareABatch(one, recorded),
        )
      )
        continue;
      // Where a medium lost readings: what lay between may be a hole, which `energy.ts` judges; and next to a clock that was set
      // part of the energy stands elsewhere, and nobody can say how much.
      const isCut = recorded[i - 1]!.to_ms < row.from_ms || [recorded[i - 1]!.cause, row.cause].includes("clock");
      if (isCut && row.epoch !== recorded[i - 1]!.epoch && agent.damages > 0) continue;
      const isSaid = this.#isSaid(agent, recorded[i - 1]!, row, opened - closed);
      if (isSaid || (row.epoch !== recorded[i - 1]!.epoch && this.#isRedefined(agent, recorded[i - 1]!))) continue;
      return wrong(row, `it opens with ${opened}, the one recorded before it closes with ${closed}`);
    }
  }

  /** A gateway whose disk had lost readings counted this interval again with what was left, and went on from there; the collector said so. */
  #isRedefined(agent: SimAgent, { device, quantity, from_ms }: StoredInterval): boolean {
    return this.#store()
      .alarms(ALARMS_MAX)
      .some(
        (alarm) =>
          isOfLoss(alarm, [agent]) &&
          alarm.device === device &&
          alarm.detail.quantity === quantity &&
          alarm.detail.from_ms === from_ms,
      );
  }

  /**
   * A gateway whose disk had lost readings divided a boundary anew, in an interval that cannot be recomputed, for it saw what
   * readings do not tell, or its clock was set around it. By how much the counts are apart the collector must have said.
   */
  #isSaid(agent: SimAgent, before: StoredInterval, row: StoredInterval, ticks: bigint): boolean {
    if (agent.damages === 0 || row.epoch === before.epoch || row.cause === null) return false;
    if (!SEEN_BY_GATEWAY.includes(row.cause) && !isClockSet(agent, before.from_ms, row.to_ms)) return false;
    const said = this.#store()
      .alarms(ALARMS_MAX)
      .find(
        ({ code, gateway, device, detail }) =>
          code === COUNTS_APART &&
          gateway?.edge === agent.machine.name &&
          device === row.device &&
          detail.quantity === row.quantity &&
          detail.from_ms === row.from_ms &&
          detail.ticks === String(ticks),
      );
    if (said !== undefined) this.#seams.add(seamOf(said));
    return said !== undefined;
  }

  /** @param before what was recorded before it */
  #whyWrong(
    agent: SimAgent,
    meter: MeterInWorld,
    row: StoredInterval,
    before: StoredInterval | undefined,
  ): string | null {
    if (row.verification === "disagreed") return "the cloud comes to another figure";
    const key = `${agent.machine.name}/${row.device} ${row.quantity} ${row.from_ms} ${row.epoch} ${row.batch}`;
    if (this.#checked.has(key)) return null;
    this.#checked.add(key);
    const definition = this.#definitions.get(`${agent.machine.name}/${row.device}`)!;
    const counter = definition.counters.find(({ quantity }) => quantity === row.quantity)!;
    const { opening, closing, ticks, flag } = row;
    // Where time between was closed before the clock was set, it opens with the count at the end of the one before it.
    const opens_ms = row.cause === "clock" && before !== undefined ? [row.from_ms, before.to_ms] : [row.from_ms];
    for (const [boundary, instants_ms] of [
      [opening, opens_ms],
      [closing, [row.to_ms]],
    ] as const) {
      const why = boundary === null ? null : this.#whyBoundary(agent, meter, definition, row, boundary, instants_ms);
      if (why !== null) return why;
    }
    if (ticks === null) return flag === "X" ? null : `flag ${flag} without a figure`;
    if (ticks < 0n) return `${ticks} ticks`;
    if (flag === "X") return row.cause === null ? "something is missing, and no cause is given" : null;
    if (opening === null || closing === null) return `flag ${flag} without ${opening === null ? "opening" : "closing"}`;
    const modulus = counter.modulus ?? 0n;
    const counted = closing.count - opening.count + (closing.count < opening.count ? modulus : 0n);
    if (counted !== ticks) return `${ticks} ticks, but ${opening.count} … ${closing.count}`;
    if (flag === "S" && row.cause === null) return "divided by an estimate, and no cause is given";
    const { pollsAnswered, pollsExpected } = row;
    const isTooMany = pollsAnswered > pollsExpected * (1 + DRIFT_MAX) + POLLS_BESIDE_MAX;
    if (flag === "M" && isTooMany) return `measured, with ${pollsAnswered} polls where ${pollsExpected} find room`;
    return null;
  }

  #whyBoundary(
    agent: SimAgent,
    meter: MeterInWorld,
    definition: DeviceDefinition,
    { quantity, flag, cause }: StoredInterval,
    { count, words, across }: Boundary,
    instants_ms: readonly number[],
  ): string | null {
    if (words === null) return null;
    const modulus = definition.counters.find((counter) => counter.quantity === quantity)!.modulus;
    const counts: bigint[] = [];
    for (const evidence of across === null ? [words] : [words, across]) {
      const shown = countsIn(definition, [{ ...evidence, words: wordsOfHex(evidence.hex) }]).get(quantity);
      if (shown === undefined) return `words ${evidence.hex} hold no ${quantity}`;
      const why = this.#whyNotShown(agent, meter, definition, quantity, evidence, shown);
      if (why !== null) return why;
      counts.push(shown);
    }
    const at = (at_ms: number): bigint | null => {
      if (across === null) return words.at_ms === at_ms ? counts[0]! : null;
      const [one, other] = [words.at_ms, across.at_ms].map((read_ms, i) => ({ at_ms: read_ms, count: counts[i]! }));
      return between(one!, other!, at_ms, modulus);
    };
    const given = instants_ms.map(at);
    if (given.includes(count)) return null;
    // Around a clock that was set the readings lie on one side: the count cannot be made again.
    if (given[0] === null && cause === "clock") return null;
    if (given[0] === null)
      return `the evidence of ${words.at_ms} says nothing of ${instants_ms[0]} (flag ${flag}, cause ${cause})`;
    return `count ${count} at the boundary, the evidence gives ${given[0]}`;
  }

  /**
   * The meter showed this count when the gateway's clock showed that time, or while the poll that began then went on. On an RTU
   * line an answer takes its time, and is believed when nothing followed it: all within its timeout.
   */
  #whyNotShown(
    agent: SimAgent,
    { faulty, line }: MeterInWorld,
    definition: DeviceDefinition,
    quantity: QuantityId,
    { at_ms, hex }: CounterWords,
    shown: bigint,
  ): string | null {
    const times = agent.machine.trueTimesOf(at_ms);
    const oldest_ms = agent.lines[line] instanceof SimRtuLine ? LINE_TIMEOUT_MS : 1;
    const model = LIBRARY.get(faulty.meter.model.id)!;
    const countAt = (true_ms: number) => countsAt(faulty, definition, model, true_ms).get(quantity);
    if (times.some((true_ms) => isScrambled(agent, line, faulty.meter.unit, true_ms))) {
      const isSeen = times.some((true_ms) => {
        for (let at = Math.floor(true_ms - oldest_ms); at <= true_ms + POLL_MAX_MS; at++)
          if (countAt(at) === shown) return true;
        return false;
      });
      return isSeen
        ? null
        : `words ${hex} of ${new Date(at_ms).toISOString()} are ${shown}; the meter never showed that`;
    }
    // Between two beginnings or ends of faults a register never falls.
    const ranges = times.flatMap((true_ms) => {
      const [from_ms, to_ms] = [Math.floor(true_ms - oldest_ms), Math.floor(true_ms + POLL_MAX_MS)];
      const cuts = agent.faults
        .changes(from_ms, to_ms)
        .filter(({ fault: { on } }) => on.line === line && on.unit === faulty.meter.unit)
        .map((change) => Math.ceil(change.at_ms));
      return [from_ms, ...cuts].map((begin_ms, i) => [countAt(begin_ms), countAt((cuts[i] ?? to_ms + 1) - 1)]);
    });
    const isShown = ranges.some(
      ([low, high]) => low !== undefined && high !== undefined && low <= shown && shown <= high,
    );
    if (isShown) return null;
    const text = ranges.map(([low, high]) => `${low} … ${high}`).join(" or ") || "nothing: its clock never showed that";
    return `words ${hex} of ${new Date(at_ms).toISOString()} are ${shown}; the meter showed ${text}`;
  }

  #checkNothingSetAside(agent: SimAgent): void {
    const gateway = { group: ZONE, edge: agent.machine.name };
    const [letters, quarantined] = [this.#store().deadLetterCount(gateway), this.#store().quarantineCount(gateway)];
    if (letters > 0) this.#findings.report("books", `${letters} dead letters of ${gateway.edge}`);
    // Numbers that were given again: what came under them comes once more (`cloud/decisions/006`), which `drained.ts` sees to.
    if (quarantined > 0 && agent.restores === 0)
      this.#findings.report("books", `${quarantined} batches of ${gateway.edge} in quarantine`);
  }
}

/** Whether its clock showed a time twice, or left one out. */
function isClockSet({ machine }: SimAgent, from_ms: number, to_ms: number): boolean {
  for (let at_ms = from_ms; at_ms < to_ms; at_ms += CLOCK_LOOK_MS) {
    if (machine.trueTimesOf(at_ms).length !== 1) return true;
  }
  return false;
}

/** What was booked before a medium lost it, and again in the next epoch: the first figure stands. */
function isOfLoss({ code, gateway, detail }: Alarm, agents: readonly SimAgent[]): boolean {
  const agent = agents.find(({ machine }) => machine.name === gateway?.edge);
  const [held, arrived] = [detail.held_batch, detail.arrived_batch].map((batch) => String(batch).split(" ")[0]);
  return code === "INTERVAL_REDEFINED" && agent !== undefined && agent.damages > 0 && held !== arrived;
}

/** Numbers that a restored journal gave again. */
function isOfRestore({ code, gateway }: Alarm, agents: readonly SimAgent[]): boolean {
  const agent = agents.find(({ machine }) => machine.name === gateway?.edge);
  return code === "BATCH_CONTENT_DIFFERS" && agent !== undefined && agent.restores > 0;
}

function seamOf({ code, gateway, device, detail }: Alarm): string {
  return `${code} ${gateway?.edge}/${device} ${detail.quantity} ${detail.from_ms} ${detail.ticks}`;
}

function isOfSame(one: Alarm, other: Alarm): boolean {
  return (
    one.gateway?.edge === other.gateway?.edge &&
    one.device === other.device &&
    one.detail.from_ms === other.detail.from_ms
  );
}

/** With its words in another order what a register shows leaps to and fro: each moment of a poll is looked at. */
function isScrambled({ faults }: SimAgent, line: number, unit: number, true_ms: number): boolean {
  return faults
    .ofMeter(line, unit)
    .some(
      (fault) =>
        fault.what.kind === "word-order" &&
        [-LINE_TIMEOUT_MS, 0, POLL_MAX_MS].some((later_ms) => episodeAt(fault, true_ms + later_ms) !== null),
    );
}

function shareABatch(row: StoredInterval, rows: readonly StoredInterval[]): boolean {
  return rows.some((other) => other !== row && other.epoch === row.epoch && other.batch === row.batch);
}

/** Rows of one series in a run: months of quarter hours. */
const ROWS_MAX = 10_000;
/** A poll is dated by the answer with its first counter; others that are booked come no later, or have dates of their own. */
const POLL_MAX_MS = 1001;
/** Beside its period a counter is read at the end of its interval, and when its meter comes back. */
const POLLS_BESIDE_MAX = 10;
/** Clocks drift by so much before it is a step. */
const DRIFT_MAX = 0.01;
/** Causes that follow from more than readings. */
const SEEN_BY_GATEWAY: readonly IntervalCause[] = ["meter-replaced", "counter-reset", "rate-too-high"];
/** Shorter than the least that a clock is set by. */
const CLOCK_LOOK_MS = 50;
/** Of a run. */
const ALARMS_MAX = 1000;
/** Alarms that say a fault was noticed, which is right. */
const ALARMS_OF_FAULTS: readonly string[] = ["CLOCK_WENT_BACK", SESSIONS_TOO_MANY];

interface Point {
  readonly at_ms: number;
  readonly count: bigint;
}

/** Interpolated and rounded half to even: the rule of `core/interval/interval.ts`, written again. */
function between(a: Point, b: Point, at_ms: number, modulus: bigint | null): bigint | null {
  const [before, after] = a.at_ms <= b.at_ms ? [a, b] : [b, a];
  if (at_ms < before.at_ms || at_ms > after.at_ms || before.at_ms === after.at_ms) return null;
  const counted = after.count - before.count + (after.count < before.count ? (modulus ?? 0n) : 0n);
  const part = counted * BigInt(at_ms - before.at_ms);
  const whole = BigInt(after.at_ms - before.at_ms);
  let ticks = part / whole;
  const rest = 2n * (part - ticks * whole);
  if (rest > whole || (rest === whole && ticks % 2n === 1n)) ticks += 1n;
  return modulus === null ? before.count + ticks : (before.count + ticks) % modulus;
}
