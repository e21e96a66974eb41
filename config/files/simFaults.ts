import { z } from "zod";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import { type Finding, findings, pathText, wording } from "../explain.ts";
import { notation, section, wholeNumber } from "../fields.ts";
import { parseDuration } from "../notation/duration.ts";
import { type Parsed, parsed, wrong } from "../notation/parsed.ts";
import { field, list, textOf } from "../rules.ts";
import { duration } from "./shared.ts";

/**
 * Faults of simulated meters. The kinds and their parameters are those of `hw-sim/faults/catalogue.ts`, which this folder may
 * not import; a test holds the two together.
 */

/** Names that stand in the path of the control port. */
const id = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, {
    error: (issue) => `"${issue.input}" is no id (allowed: letters, digits, - and _, at most 64)`,
  })
  .describe("Name of the fault; given by the simulator if absent")
  .exactOptional();

const on = section({
  line: wholeNumber(0, 99, "Number of the line in this file, from 0"),
  unit: wholeNumber(1, 255, "Unit on that line; absent: all of them").exactOptional(),
  connection: wholeNumber(
    1,
    1_000_000,
    "Only the n-th connection since the line began to listen; TCP only",
  ).exactOptional(),
})
  .readonly()
  .describe("Whom it hits");

type From = { readonly kind: "at"; readonly at_ms: number } | { readonly kind: "after"; readonly after_ms: number };

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;

function parseFrom(written: string): Parsed<From> {
  if (/^\+/.test(written)) {
    const after = parseDuration(written.slice(1));
    return after.ok ? parsed({ kind: "after", after_ms: after.value }) : after;
  }
  const at_ms = ISO.test(written) ? Date.parse(written) : Number.NaN;
  if (!Number.isNaN(at_ms)) return parsed({ kind: "at", at_ms });
  return wrong(`"${written}" is no instant (allowed: 2026-03-02T10:00:00+07:00, or +30s after the start)`);
}

function parseJump(written: string): Parsed<number> {
  const length = parseDuration(written.replace(/^[+-]/, ""));
  return length.ok ? parsed(written.startsWith("-") ? -length.value : length.value) : length;
}

const instant = (description: string) =>
  notation(parseFrom, "an instant such as 2026-03-02T10:00:00+07:00, or +30s", description);

const span = {
  id,
  on,
  from: instant("When it begins; absent: it has always been so, or begins with the command").exactOptional(),
  for: duration("How long it lasts; absent: until it is removed").exactOptional(),
};
const again = { ...span, every: duration("From one beginning to the next; needs `for`").exactOptional() };
const drawn = {
  ...again,
  probability: z.number().gt(0).max(1).describe("Share of requests it hits while it lasts").prefault(1),
};
const once = {
  id,
  on,
  at: instant("When it happens; absent: before the start, or with the command").exactOptional(),
};

const quantity = z
  .enum(Object.keys(QUANTITIES) as [QuantityId, ...QuantityId[]])
  .describe("Only this quantity")
  .exactOptional();

/** A duration that may be nothing. */
const silence = (description: string) =>
  notation(
    (written) => (/^\s*0+(\.0+)?\s*(ms|s|min|h|d)\s*$/.test(written) ? parsed(0) : parseDuration(written)),
    "a duration such as 500ms or 15min",
    description,
  );
const delay = (usual: string) => duration("How much later the answer comes").prefault(usual);

const anyFault = z.discriminatedUnion("kind", [
  section({ kind: z.literal("silent"), ...drawn }),
  section({ kind: z.literal("slow"), ...drawn, delay: delay("300ms") }),
  section({ kind: z.literal("late"), ...drawn, delay: delay("5s") }),
  section({
    kind: z.literal("exception"),
    ...drawn,
    code: z.literal([1, 2, 3, 4, 5, 6, 11]).describe("Modbus exception code").prefault(4),
  }),
  section({
    kind: z.literal("busy"),
    ...drawn,
    requests: wholeNumber(1, 1_000_000, "How many requests of each span are refused").prefault(3),
  }),
  section({ kind: z.literal("crc-error"), ...drawn }),
  section({
    kind: z.literal("truncated"),
    ...drawn,
    bytes: wholeNumber(1, 255, "How many bytes of the frame come").prefault(4),
  }),
  section({
    kind: z.literal("split"),
    ...drawn,
    pieces: wholeNumber(2, 100, "In how many pieces the frame comes").prefault(2),
    pause: duration("Between the pieces").prefault("20ms"),
  }),
  section({ kind: z.literal("duplicate"), ...drawn }),
  section({ kind: z.literal("wrong-unit"), ...drawn }),
  section({ kind: z.literal("refused"), ...again }),
  section({ kind: z.literal("reset"), ...drawn }),
  section({ kind: z.literal("half-open"), ...drawn }),
  section({ kind: z.literal("one-connection"), ...again }),
  section({
    kind: z.literal("reboot"),
    ...again,
    silent: silence("Nothing is answered this long first").prefault("0ms"),
  }),
  section({ kind: z.literal("frozen"), ...again }),
  section({ kind: z.literal("no-value"), ...again, quantity }),
  section({ kind: z.literal("word-order"), ...again }),
  section({
    kind: z.literal("ct-reversed"),
    ...span,
    phase: z.literal([1, 2, 3]).describe("Only the transformer of this phase").exactOptional(),
  }),
  section({ kind: z.literal("register-reset"), ...once }),
  section({ kind: z.literal("rollover"), ...once, quantity }),
  section({
    kind: z.literal("meter-replaced"),
    ...once,
    serial: wholeNumber(1, 2 ** 32 - 1, "Serial number of the new meter").exactOptional(),
    start: z.number().min(0).max(1e9).describe("What its main counter shows: kWh, or m³").prefault(0),
  }),
  section({
    kind: z.literal("clock-jump"),
    ...once,
    by: notation(parseJump, "a duration such as 2h or -15min", "How far the gateway's clock jumps"),
  }),
]);

type Written = z.output<typeof anyFault>;

/** One fault: a union of all kinds, each with its own parameters, in the shape the simulator takes. */
export const fault = anyFault.transform((written) => ({
  id: written.id ?? null,
  on: { line: written.on.line, unit: written.on.unit ?? null, connection: written.on.connection ?? null },
  what: whatOf(written),
  from: ("at" in written ? written.at : "from" in written ? written.from : undefined) ?? UNSAID,
  for_ms: ("for" in written ? written.for : undefined) ?? null,
  every_ms: ("every" in written ? written.every : undefined) ?? null,
  probability: "probability" in written ? written.probability : 1,
}));

export type SimFault = z.output<typeof fault>;

const UNSAID = { kind: "unsaid" } as const;

function whatOf(written: Written) {
  switch (written.kind) {
    case "slow":
    case "late":
      return { kind: written.kind, delay_ms: written.delay };
    case "exception":
      return { kind: written.kind, code: written.code };
    case "busy":
      return { kind: written.kind, requests: written.requests };
    case "truncated":
      return { kind: written.kind, bytes: written.bytes };
    case "split":
      return { kind: written.kind, pieces: written.pieces, pause_ms: written.pause };
    case "reboot":
      return { kind: written.kind, silent_ms: written.silent };
    case "ct-reversed":
      return { kind: written.kind, ...(written.phase === undefined ? {} : { phase: written.phase }) };
    case "no-value":
    case "rollover":
      return { kind: written.kind, quantity: written.quantity ?? null };
    case "meter-replaced":
      return { kind: written.kind, serial: written.serial ?? null, start: written.start };
    case "clock-jump":
      return { kind: written.kind, by_ms: written.by };
    default:
      return { kind: written.kind };
  }
}

export const faults = z
  .array(fault)
  .max(1000)
  .readonly()
  .describe("What goes wrong, and when; the catalogue is in hw-sim/README.md");

/** Rules of the `faults` of a document: they name lines and units that are there, and repeat only what ends. */
export function faultFindings(document: unknown): readonly Finding[] {
  const lines = list(field(document, "lines"));
  return list(field(document, "faults")).flatMap((written, f): Finding[] => {
    const at = (...path: PropertyKey[]) => pathText(["faults", f, ...path]);
    const found: Finding[] = [...spanFindings(written, at)];
    const line = field(field(written, "on"), "line");
    const unit = field(field(written, "on"), "unit");
    if (typeof line !== "number" || !Number.isInteger(line) || line < 0) return found;
    if (lines[line] === undefined && lines.length > 0) {
      return [
        ...found,
        { path: at("on", "line"), message: `there is no line ${line} (allowed: 0 to ${lines.length - 1})` },
      ];
    }
    if (textOf(field(lines[line], "listen"))?.startsWith("rtu:")) found.push(...connectionFindings(written, at));
    else found.push(...targetFindings(written, at));
    const units = list(field(lines[line], "meters")).map((meter) => field(meter, "unit"));
    if (typeof unit === "number" && !units.includes(unit)) {
      found.push({
        path: at("on", "unit"),
        message: `line ${line} has no unit ${unit} (allowed: ${units.join(", ")})`,
      });
    }
    return found;
  });
}

/** Faults of a meter itself: whoever looks sees them. */
const OF_METERS = ["reboot", "ct-reversed", "register-reset", "rollover", "meter-replaced"];
/** Faults of a port as a whole. */
const OF_PORTS = ["refused", "one-connection"];

function targetFindings(written: unknown, at: (...path: PropertyKey[]) => string): readonly Finding[] {
  const kind = textOf(field(written, "kind")) ?? "";
  const on = field(written, "on");
  if (OF_METERS.includes(kind) && field(on, "connection") !== undefined) {
    const message = `${kind} is of the meter itself, and every connection sees it (allowed: line, unit)`;
    return [{ path: at("on", "connection"), message }];
  }
  if (OF_PORTS.includes(kind) && field(on, "unit") !== undefined) {
    const message = `${kind} is of the port, whatever unit is asked (allowed: line, connection)`;
    return [{ path: at("on", "unit"), message }];
  }
  return [];
}

const OF_CONNECTIONS = ["refused", "reset", "half-open", "one-connection"];

function connectionFindings(written: unknown, at: (...path: PropertyKey[]) => string): readonly Finding[] {
  const kind = textOf(field(written, "kind"));
  const message = "a serial line has no connections (allowed: on lines of tcp:// and rtu+tcp://)";
  if (kind !== undefined && OF_CONNECTIONS.includes(kind)) return [{ path: at("kind"), message }];
  return field(field(written, "on"), "connection") === undefined ? [] : [{ path: at("on", "connection"), message }];
}

function spanFindings(written: unknown, at: (...path: PropertyKey[]) => string): readonly Finding[] {
  const length = (key: string): number | null => {
    const text = field(written, key);
    const value = typeof text === "string" ? parseDuration(text) : null;
    return value?.ok === true ? value.value : null;
  };
  const every_ms = length("every");
  if (every_ms === null) return [];
  const for_ms = length("for");
  if (for_ms === null && field(written, "for") === undefined) {
    return [{ path: at("for"), message: "is missing: what comes again must end in between" }];
  }
  if (field(written, "from") === undefined) {
    return [{ path: at("from"), message: "is missing: what comes again must begin somewhere (e.g. +30s)" }];
  }
  return for_ms !== null && for_ms >= every_ms
    ? [{ path: at("for"), message: "is as long as `every` or longer (allowed: shorter)" }]
    : [];
}

/** A fault handed in while the simulator runs: all that is wrong with it, or the fault. */
export function parseFault(
  written: unknown,
): { readonly ok: true; readonly fault: SimFault } | { readonly ok: false; readonly findings: readonly Finding[] } {
  const result = fault.safeParse(written, { error: wording, reportInput: true });
  const rules = spanFindings({ from: "now", ...(typeof written === "object" ? written : {}) }, (...path) =>
    pathText(path),
  );
  const found = [...(result.success ? [] : findings(result.error.issues)), ...rules];
  return result.success && found.length === 0 ? { ok: true, fault: result.data } : { ok: false, findings: found };
}
