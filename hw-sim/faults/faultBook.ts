import { KhuXanhError } from "../../core/errors.ts";
import { seedOf, unitNoise } from "../course/noise.ts";
import { type Misplaced, together } from "../problems.ts";
import { FAULTS, FAULTS_MAX, type FaultSpec, type FaultWhat, isOfRegisters } from "./catalogue.ts";
import {
  changesBetween,
  type Episode,
  episodeAt,
  type Fault,
  type FaultChange,
  isLasting,
  nextChange,
  placed,
  touched_ms,
} from "./schedule.ts";

/**
 * The faults of a simulation: those of its file and those commanded since. What is active follows from time alone; only how
 * many requests each has met is kept, because "busy three times" and probabilities count requests.
 *
 * Limits   1,000 faults at a time, those that have ended included as long as they left a mark
 */
export interface FaultBook {
  all(): readonly Fault[];
  /**
   * A fault commanded now.
   * @throws {KhuXanhError} CONFIG_INVALID: id taken, no such line or unit, a kind that cannot be, over already, or too many.
   */
  add(spec: FaultSpec, now_ms: number): Fault;
  /** Ends a fault now. @throws {KhuXanhError} NOT_FOUND; BAD_REQUEST for what cannot be undone. */
  remove(id: string, now_ms: number): Fault;
  /** Faults of a unit's registers, those that only one connection sees included; the same array until they change. */
  ofMeter(line: number, unit: number): readonly Fault[];
  /** What hits this request; counts it and draws. */
  hitting(request: FaultedRequest): readonly FaultWhat[];
  /** Is a connection fault of this kind on, for this connection? Counts nothing. */
  isOn(kind: "refused" | "one-connection", line: number, connection: number | null, at_ms: number): boolean;
  changes(after_ms: number, upTo_ms: number): readonly FaultChange[];
  /** Active now, with the span they are in. */
  active(at_ms: number): readonly { readonly fault: Fault; readonly episode: Episode }[];
  nextChange(after_ms: number): number;
}

export interface FaultedRequest {
  readonly line: number;
  readonly unit: number;
  /** null on a serial line and in a world. */
  readonly connection: number | null;
  readonly at_ms: number;
}

export interface FaultBookOptions {
  readonly seed: number;
  /** What can be hit: the units of each line, and whether it takes connections. */
  readonly lines: readonly { readonly units: ReadonlySet<number>; readonly hasConnections: boolean }[];
  /** Why a fault would do nothing to a meter; null = it does something. Absent: all do. */
  readonly whyNothing?: (what: FaultWhat, line: number, unit: number) => string | null;
  /** Can the wall clock of what reads the meters be moved? Only a world can. */
  readonly canMoveClock?: boolean;
}

export function faultBook(
  { seed, lines, canMoveClock = false, whyNothing = () => null }: FaultBookOptions,
  specs: readonly FaultSpec[] = [],
  start_ms = 0,
): FaultBook {
  let faults: readonly Fault[] = [];
  let byMeter = new Map<number, readonly Fault[]>();
  let byLine = new Map<number, readonly Fault[]>();
  /** Requests met, by fault and span. */
  const met = new Map<string, { span: number; requests: number; draws: number }>();
  let named = 0;

  const put = (next: readonly Fault[]): void => {
    faults = next;
    byMeter = new Map();
    byLine = new Map();
  };
  const idOf = (spec: FaultSpec): string => {
    if (spec.id === null) {
      do named += 1;
      while (faults.some(({ id }) => id === `f${named}`));
      return `f${named}`;
    }
    if (faults.some(({ id }) => id === spec.id)) throw refused(spec, `there is a fault "${spec.id}" already`);
    return spec.id;
  };
  const place = (spec: FaultSpec, now_ms: number, given_ms: number): Fault => {
    assertPossible(spec, lines, canMoveClock);
    assertDoesSomething(spec, lines, whyNothing);
    if (given_ms > -Infinity) assertStillToCome(spec, now_ms);
    const isOver = (fault: Fault): boolean => !leavesMark(fault) && isPast(fault, now_ms);
    if (faults.length >= FAULTS_MAX) put(faults.filter((fault) => !isOver(fault)));
    if (faults.length >= FAULTS_MAX) {
      throw refused(spec, `there are ${FAULTS_MAX} faults already`, "Remove some, or start the simulator anew.");
    }
    const fault = placed(spec, idOf(spec), now_ms, given_ms);
    for (const other of faults) assertTogether(fault, other);
    put([...faults, fault]);
    return fault;
  };

  const ofLine = (line: number): readonly Fault[] => {
    let found = byLine.get(line);
    if (found === undefined) {
      found = faults.filter(({ on }) => on.line === line);
      byLine.set(line, found);
    }
    return found;
  };

  /** The request is one more that this fault has met in this span. */
  const isHit = (fault: Fault, { number }: Episode): boolean => {
    let count = met.get(fault.id);
    if (count === undefined || count.span !== number) {
      count = { span: number, requests: 0, draws: count?.draws ?? 0 };
      met.set(fault.id, count);
    }
    if (fault.probability < 1 && unitNoise(seedOf(seed, fault.id), count.draws++) >= fault.probability) return false;
    count.requests += 1;
    return fault.what.kind !== "busy" || count.requests <= fault.what.requests;
  };

  placeAll(specs, (spec) => place(spec, start_ms, -Infinity));

  return {
    all: () => faults,
    add: (spec, now_ms) => place(spec, now_ms, now_ms),
    remove(id, now_ms) {
      const fault = faults.find((one) => one.id === id);
      if (fault === undefined) {
        throw new KhuXanhError("NOT_FOUND", `there is no fault "${id}"`, { hint: "GET /faults lists them." });
      }
      if (isLasting(fault) && touched_ms(fault) <= now_ms) {
        throw new KhuXanhError("BAD_REQUEST", `${fault.what.kind} has happened and cannot be undone`, {
          hint: "Start the simulator anew without it.",
          context: { conflict: true },
        });
      }
      const removed: Fault = { ...fault, removed_ms: Math.min(fault.removed_ms, now_ms) };
      const isKept = leavesMark(removed) && removed.from_ms < now_ms;
      put(faults.flatMap((one) => (one !== fault ? [one] : isKept ? [removed] : [])));
      return removed;
    },
    ofMeter(line, unit) {
      if (faults.length === 0) return NO_FAULTS;
      const key = line * UNITS + unit;
      let found = byMeter.get(key);
      if (found === undefined) {
        found = faults.filter(({ on, what }) => isOf(on, line, unit) && isOfRegisters(what.kind));
        byMeter.set(key, found);
      }
      return found;
    },
    hitting({ line, unit, connection, at_ms }) {
      if (faults.length === 0) return NONE;
      const own = ofLine(line);
      if (own.length === 0) return NONE;
      return own.flatMap((fault) => {
        const { on, what } = fault;
        if (!isOf(on, line, unit) || (on.connection !== null && on.connection !== connection)) return [];
        const episode = episodeAt(fault, at_ms);
        if (episode === null) return [];
        // A meter that starts up says nothing first.
        if (what.kind === "reboot") return at_ms - episode.from_ms < what.silent_ms ? [SILENT] : [];
        if (isOfRegisters(what.kind) || !isHit(fault, episode)) return [];
        return [what];
      });
    },
    isOn: (kind, line, connection, at_ms) =>
      ofLine(line).some(
        (fault) =>
          fault.what.kind === kind &&
          (fault.on.connection === null || fault.on.connection === connection) &&
          episodeAt(fault, at_ms) !== null,
      ),
    changes: (after_ms, upTo_ms) => changesBetween(faults, after_ms, upTo_ms),
    active: (at_ms) =>
      faults.flatMap((fault) => {
        const episode = episodeAt(fault, at_ms);
        return episode === null ? [] : [{ fault, episode }];
      }),
    nextChange: (after_ms) => nextChange(faults, after_ms),
  };
}

/** Unit numbers are a byte. */
const UNITS = 256;
const NONE: readonly FaultWhat[] = [];
const NO_FAULTS: readonly Fault[] = [];
const SILENT: FaultWhat = { kind: "silent" };

function isOf(on: Fault["on"], line: number, unit: number): boolean {
  return on.line === line && (on.unit === null || on.unit === unit);
}

function leavesMark({ what }: Fault): boolean {
  return FAULTS[what.kind].timing !== "span";
}

function isPast(fault: Fault, now_ms: number): boolean {
  if (fault.removed_ms <= now_ms) return true;
  return fault.every_ms === null && fault.from_ms + fault.for_ms <= now_ms;
}

function assertPossible(spec: FaultSpec, lines: FaultBookOptions["lines"], canMoveClock: boolean): void {
  const { on, what } = spec;
  const { scope } = FAULTS[what.kind];
  const line = lines[on.line];
  if (line === undefined) throw refused(spec, `there is no line ${on.line} (allowed: 0 to ${lines.length - 1})`);
  if (on.unit !== null && !line.units.has(on.unit)) {
    throw refused(spec, `line ${on.line} has no unit ${on.unit} (allowed: ${[...line.units].join(", ")})`);
  }
  if (scope === "gateway" && !canMoveClock) {
    throw refused(
      spec,
      `${what.kind} is beyond a simulator of meters`,
      "Only a world in virtual time moves a gateway's clock (npm run sim); here, set the clock of the gateway's machine.",
    );
  }
  if (scope === "meter" && on.connection !== null) {
    throw refused(
      spec,
      `${what.kind} is of the meter itself, and every connection sees it (allowed: line, unit)`,
      "Leave out `connection`; frozen, no-value and word-order can be what one connection sees.",
    );
  }
  if ((what.kind === "refused" || what.kind === "one-connection") && on.unit !== null) {
    throw refused(spec, `${what.kind} is of the port, whatever unit is asked (allowed: line, connection)`);
  }
  const needsConnections = scope === "connection" || on.connection !== null;
  if (needsConnections && !line.hasConnections) {
    throw refused(spec, `line ${on.line} is a serial line, which has no connections`);
  }
}

/** A file may be older than its schedule; a command is given now, and cannot change what has been read. */
function assertStillToCome(spec: FaultSpec, now_ms: number): void {
  const commanded = placed(spec, "", now_ms, now_ms);
  const { kind } = spec.what;
  if (kind === "rollover" && commanded.from_ms <= now_ms) {
    throw refused(
      spec,
      "a counter passes its end only where it was seen below it before (allowed: `at`, some polls from now)",
      'Say for example "at": "+1min"; until then the counter stands close to its end.',
    );
  }
  if (leavesMark(commanded) && commanded.from_ms < now_ms) {
    const at = new Date(commanded.from_ms).toISOString();
    throw refused(
      spec,
      `${at} is over, and what the meter counted since cannot be changed (allowed: from now on)`,
      "Leave the time out to have it happen now; what happened earlier belongs in the file.",
    );
  }
  if (!isPast(commanded, now_ms)) return;
  throw refused(
    spec,
    `it would do nothing: it ended at ${new Date(commanded.from_ms + commanded.for_ms).toISOString()}`,
    "Say a `from` that is still to come, a longer `for`, or none of them to begin now.",
  );
}

/** A counter comes to one end at a time, and to none where it begins anew before. */
function assertTogether(fault: Fault, other: Fault): void {
  const [rolls, spoils] = fault.what.kind === "rollover" ? [fault, other] : [other, fault];
  if (rolls.what.kind !== "rollover" || !isOneMeter(rolls, spoils) || !isInTheWay(rolls, spoils)) return;
  throw refused(
    fault,
    `${spoils.what.kind} "${spoils.id}" is in the way of rollover "${rolls.id}": the counter would not come to its end`,
    "Let one of them happen after the other.",
  );
}

function isInTheWay(rolls: Fault, { what, from_ms, ...spoils }: Fault): boolean {
  const pending = { from_ms: touched_ms(rolls), to_ms: rolls.from_ms };
  switch (what.kind) {
    case "register-reset":
    case "meter-replaced":
      return from_ms >= pending.from_ms && from_ms <= pending.to_ms;
    case "rollover": {
      const own = rolls.what.kind === "rollover" ? rolls.what.quantity : null;
      const isSame = own === null || what.quantity === null || own === what.quantity;
      return isSame && spoils.given_ms < pending.to_ms && pending.from_ms < from_ms;
    }
    default:
      return false;
  }
}

function isOneMeter({ on: a }: Fault, { on: b }: Fault): boolean {
  return a.line === b.line && (a.unit === null || b.unit === null || a.unit === b.unit);
}

/** The faults of a file. @throws {KhuXanhError} all that cannot be, at once. */
function placeAll(specs: readonly FaultSpec[], place: (spec: FaultSpec) => void): void {
  const impossible: Misplaced[] = [];
  for (const [i, spec] of specs.entries()) {
    try {
      place(spec);
    } catch (error) {
      if (!(error instanceof KhuXanhError)) throw error;
      impossible.push({ place: `faults.${i}`, error });
    }
  }
  const [first, ...more] = impossible;
  if (first !== undefined) throw together([first, ...more]);
}

/** A fault of all units of a line may do nothing to some of them. */
function assertDoesSomething(
  spec: FaultSpec,
  lines: FaultBookOptions["lines"],
  whyNothing: NonNullable<FaultBookOptions["whyNothing"]>,
): void {
  const { on, what } = spec;
  const units = on.unit === null ? [...lines[on.line]!.units] : [on.unit];
  const whys = units.map((unit) => whyNothing(what, on.line, unit));
  const [why] = whys;
  if (why == null || whys.includes(null)) return;
  throw refused(
    spec,
    `it would do nothing: ${why}`,
    "Choose another meter, kind or quantity; `khuxanh models show ID` lists registers.",
  );
}

function refused(
  spec: Pick<FaultSpec, "id" | "what">,
  message: string,
  hint = "Correct the fault; README.md of hw-sim has the catalogue.",
) {
  const name = spec.id ?? spec.what.kind;
  return new KhuXanhError("CONFIG_INVALID", `fault ${name}: ${message}`, { hint, context: { fault: name } });
}
