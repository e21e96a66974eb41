import { expect, test } from "vitest";
import type { Bus, BusRead, BusReply } from "../../core/ports.ts";
import { FAULTS, type FaultKind, type FaultSpec, type FaultWhat } from "../../hw-sim/faults/catalogue.ts";
import type { Wire } from "../../hw-sim/faults/wireFaults.ts";

/**
 * A fault gives the same reply whatever carries it: our client behind a real socket, behind a serial line, and the bus of a
 * world. Every implementation runs this with its own line of two meters.
 */
export interface BusUnderTest {
  readonly bus: Bus;
  /** Another client of the same line; null where there is only one. */
  readonly second: Bus | null;
  close(): Promise<void>;
}

export interface BusKind {
  readonly wire: Wire;
  /** Units 1 and 2 with these faults, which have always been. Register n of both holds n. */
  make(faults: readonly FaultSpec[]): Promise<BusUnderTest>;
  /** "" = can run here; else why not. */
  readonly skipped: string;
}

/** Replies of a meter that is well. */
const WELL = "words";
/** Where no answer is expected in time, and where one is, on a busy machine. */
const SHORT_MS = 150;
const LONG_MS = 5000;

interface Case {
  readonly what: FaultWhat;
  readonly probability?: number;
  /** Kinds of the replies to so many reads of unit 1, one after another, by wire; one text = the same everywhere. */
  readonly replies: readonly string[] | Readonly<Record<Wire, readonly string[]>>;
  /** null: not on this wire. */
  readonly not?: Wire;
}

const same = (...replies: string[]) => replies;

/** Every reply and connection fault of the catalogue. `exception 6`: with its code. */
const CASES: readonly Case[] = [
  { what: { kind: "silent" }, replies: same("timeout", "timeout") },
  { what: { kind: "slow", delay_ms: 20 }, replies: same(WELL, WELL) },
  { what: { kind: "late", delay_ms: 400 }, replies: same("timeout") },
  ...[1, 2, 3, 4, 5, 6, 11].map(
    (code): Case => ({ what: { kind: "exception", code }, replies: same(`exception ${code}`, `exception ${code}`) }),
  ),
  { what: { kind: "busy", requests: 2 }, replies: same("exception 6", "exception 6", WELL, WELL) },
  {
    what: { kind: "crc-error" },
    replies: { tcp: ["exception 11"], rtu: ["garbled", "garbled"], "rtu+tcp": ["garbled", "garbled"] },
  },
  { what: { kind: "truncated", bytes: 4 }, replies: same("timeout", "timeout") },
  { what: { kind: "truncated", bytes: 250 }, replies: same("timeout") },
  { what: { kind: "split", pieces: 3, pause_ms: 10 }, replies: same(WELL, WELL) },
  { what: { kind: "split", pieces: 2, pause_ms: 300 }, replies: same("timeout") },
  { what: { kind: "duplicate" }, replies: same(WELL, WELL, WELL) },
  { what: { kind: "wrong-unit" }, replies: same("garbled", "garbled") },
  { what: { kind: "refused" }, replies: same("unreachable", "unreachable"), not: "rtu" },
  { what: { kind: "reset" }, replies: same("unreachable", "unreachable"), not: "rtu" },
  { what: { kind: "half-open" }, replies: same("timeout", "timeout"), not: "rtu" },
  { what: { kind: "one-connection" }, replies: same(WELL, WELL), not: "rtu" },
];

export const CONTRACT_KINDS: readonly FaultKind[] = CASES.map(({ what }) => what.kind);

export function busContract(name: string, { wire, make, skipped }: BusKind): void {
  const run = test.skipIf(skipped !== "");
  const title = (text: string) => `${name}: ${text}${skipped === "" ? "" : ` ${skipped}`}`;

  const using = async (faults: readonly FaultSpec[], act: (under: BusUnderTest) => Promise<void>): Promise<void> => {
    const under = await make(faults);
    try {
      await act(under);
    } finally {
      await under.close();
    }
  };

  run(title("without faults every meter answers for itself, and who is not there does not"), () =>
    using([], async ({ bus }) => {
      expect(await bus.read(request(1))).toEqual({ kind: "words", words: Uint16Array.of(7, 8, 9) });
      expect(await bus.read(request(2))).toEqual({ kind: "words", words: Uint16Array.of(7, 8, 9) });
      expect(shown(await bus.read({ ...request(1), address: 900 }))).toBe("exception 2");
      expect(shown(await bus.read(request(9, SHORT_MS)))).toBe(wire === "tcp" ? "exception 11" : "timeout");
      expect(shown(await bus.read(request(2)))).toBe(WELL);
    }),
  );

  for (const { what, replies, not } of CASES) {
    if (not === wire) continue;
    const expected = "tcp" in replies ? replies[wire] : replies;
    const parameters = Object.entries(what).flatMap(([key, value]) => (key === "kind" ? [] : [`${key} ${value}`]));
    run(title(`${[what.kind, ...parameters].join(", ")} gives ${expected.join(", ")}`), () =>
      using([faultOf(what)], async ({ bus }) => {
        const got: string[] = [];
        for (const reply of expected) got.push(shown(await bus.read(request(1, timeoutFor(reply)))));
        expect(got).toEqual(expected);
      }),
    );
    if (FAULTS[what.kind].scope === "connection") continue;
    run(title(`${what.kind} of one unit leaves its neighbour alone`), () =>
      using([faultOf(what, 1)], async ({ bus }) => {
        await bus.read(request(1, timeoutFor(expected[0]!)));
        expect(await bus.read(request(2))).toEqual({
          kind: "words",
          words: Uint16Array.of(7, 8, 9),
        });
      }),
    );
  }

  run(title("two faults on one request add up"), () =>
    using([faultOf({ kind: "slow", delay_ms: 5 }), faultOf({ kind: "exception", code: 4 })], async ({ bus }) => {
      expect(shown(await bus.read(request(1)))).toBe("exception 4");
    }),
  );
}

function timeoutFor(reply: string): number {
  return reply === "timeout" ? SHORT_MS : LONG_MS;
}

export function request(unit: number, timeout_ms = LONG_MS): BusRead {
  return { unit, fc: 3, address: 7, count: 3, timeout_ms };
}

export function shown(reply: BusReply): string {
  return reply.kind === "exception" ? `exception ${reply.code}` : reply.kind;
}

export function faultOf(what: FaultWhat, unit: number | null = null, more: Partial<FaultSpec> = {}): FaultSpec {
  return {
    id: null,
    on: { line: 0, unit, connection: null },
    what,
    from: { kind: "unsaid" },
    for_ms: null,
    every_ms: null,
    probability: 1,
    ...more,
  };
}
