import type { QuantityId } from "../../core/units/quantities.ts";

/**
 * Every way a simulated meter, its line or its connection can misbehave: one row a kind. The schema of `config/files/simFaults.ts`
 * and the table of README.md are held together with it by tests.
 */
export interface FaultRow {
  /**
   * reply       what happens to the answer of a request; on a line, a unit or a connection
   * connection  what happens to the connections of a TCP port; on a line or a connection
   * view        what is seen of the registers; on a line, a unit or a connection
   * meter       what the meter does or is, for whoever looks; on a unit, or all units of a line
   * gateway     nothing of the meters: the machine that reads them; only worlds can do it
   */
  readonly scope: "reply" | "connection" | "view" | "meter" | "gateway";
  /**
   * span     lasts `for` (or until removed), may come again every so often
   * once     lasts `for` (or until removed) and leaves its mark on the counters, so it never comes again by itself
   * instant  happens at its time; what it changed stays
   */
  readonly timing: "span" | "once" | "instant";
  /** Its parameters as a person writes them. */
  readonly parameters: readonly string[];
  readonly does: string;
}

export const FAULTS = {
  silent: row("reply", "span", [], "no answer"),
  slow: row("reply", "span", ["delay"], "the answer comes `delay` later than it would (300ms)"),
  late: row("reply", "span", ["delay"], "the answer comes `delay` later (5s): after the client gave up"),
  exception: row("reply", "span", ["code"], "exception `code` instead of the answer: 1 to 6, or 11 (0x0B)"),
  busy: row("reply", "span", ["requests"], "the first `requests` (3) of each span get exception 6, then all is well"),
  "crc-error": row("reply", "span", [], "RTU: a wrong CRC; Modbus TCP, where the gateway notices: exception 11"),
  truncated: row("reply", "span", ["bytes"], "only the first `bytes` (4) of the frame come"),
  split: row(
    "reply",
    "span",
    ["pieces", "pause"],
    "the frame comes in `pieces` (2) with a `pause` (20ms) between, whole in the end",
  ),
  duplicate: row("reply", "span", [], "the frame comes twice"),
  "wrong-unit": row("reply", "span", [], "the answer carries the next unit number"),
  refused: row("connection", "span", [], "the port is closed: nobody can connect, and who was connected is cut off"),
  reset: row("connection", "span", [], "a request is answered by a reset of the connection"),
  "half-open": row(
    "connection",
    "span",
    [],
    "a connection that asks meanwhile is never answered again, also after the fault has ended",
  ),
  "one-connection": row("connection", "span", [], "a second connection is reset as soon as it is made"),
  reboot: row("meter", "span", ["silent"], "silent for `silent` (0ms), then all registers read zero until its end"),
  frozen: row("view", "span", [], "registers stay as they were when it began"),
  "no-value": row(
    "view",
    "span",
    ["quantity"],
    "NaN in float registers, the model's sentinel in others where it has one; of all quantities or one",
  ),
  "word-order": row("view", "span", [], "values of several registers come with their words in the other order"),
  "ct-reversed": row(
    "meter",
    "once",
    ["phase"],
    "power changes its sign, import counts as export and the other way round; with `phase` (1, 2, 3) that phase alone, and totals count less; counters keep what they counted wrongly",
  ),
  "register-reset": row("meter", "instant", [], "all counters start again at zero"),
  rollover: row(
    "meter",
    "instant",
    ["quantity"],
    "the counter passes its end at that instant; in a file it has always stood that close to it, a command moves it there at once",
  ),
  "meter-replaced": row(
    "meter",
    "instant",
    ["serial", "start"],
    "another meter of the same model: a new serial number (`serial`), counters from `start` (0) kWh or m³",
  ),
  "clock-jump": row("gateway", "instant", ["by"], "the gateway's wall clock jumps `by`, forwards or backwards"),
} as const satisfies Readonly<Record<string, FaultRow>>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];

/** Whether it is about registers, as a meter shows them or as they are seen. */
export function isOfRegisters(kind: FaultKind): boolean {
  const { scope } = FAULTS[kind];
  return scope === "meter" || scope === "view";
}

/** A kind with its parameters. */
export type FaultWhat =
  | {
      readonly kind:
        | "silent"
        | "crc-error"
        | "duplicate"
        | "wrong-unit"
        | "refused"
        | "reset"
        | "half-open"
        | "one-connection"
        | "frozen"
        | "word-order"
        | "register-reset";
    }
  | { readonly kind: "slow" | "late"; readonly delay_ms: number }
  | { readonly kind: "exception"; readonly code: number }
  | { readonly kind: "busy"; readonly requests: number }
  | { readonly kind: "truncated"; readonly bytes: number }
  | { readonly kind: "split"; readonly pieces: number; readonly pause_ms: number }
  | { readonly kind: "reboot"; readonly silent_ms: number }
  /** null = every measured quantity. */
  | { readonly kind: "no-value"; readonly quantity: QuantityId | null }
  /** null = the first integer counter of the model. */
  | { readonly kind: "rollover"; readonly quantity: QuantityId | null }
  /** Without a phase: all of them. */
  | { readonly kind: "ct-reversed"; readonly phase?: 1 | 2 | 3 }
  /** `serial` null = one that follows from the old one; `start` in kWh or m3. */
  | { readonly kind: "meter-replaced"; readonly serial: number | null; readonly start: number }
  | { readonly kind: "clock-jump"; readonly by_ms: number };

/** Whom it hits. Without a unit: every unit of the line; without a connection: every one. */
export interface FaultTarget {
  /** Number of the line in the simulation file, from 0. */
  readonly line: number;
  readonly unit: number | null;
  /** The n-th connection the line has accepted since it began to listen, from 1. Not for faults of the meter itself. */
  readonly connection: number | null;
}

/** As it is written in a file or handed in while the simulator runs. */
export interface FaultSpec {
  /** null = the simulator names it. */
  readonly id: string | null;
  readonly on: FaultTarget;
  readonly what: FaultWhat;
  readonly from:
    | { readonly kind: "at"; readonly at_ms: number }
    /** After the start of the simulator, or after the command. */
    | { readonly kind: "after"; readonly after_ms: number }
    /** In a file: all the time before; commanded: now. */
    | { readonly kind: "unsaid" };
  /** null = until it is removed. */
  readonly for_ms: number | null;
  readonly every_ms: number | null;
  /** Share of requests it hits while it lasts, 0…1. */
  readonly probability: number;
}

/** Faults at a time. At the limit the next is refused. */
export const FAULTS_MAX = 1000;

function row(
  scope: FaultRow["scope"],
  timing: FaultRow["timing"],
  parameters: readonly string[],
  does: string,
): FaultRow {
  return { scope, timing, parameters, does };
}
