/**
 * Ways to break the product on purpose: each must be found by the seeds within a minute of processor time (`npm run sim -- --mutate NAME`).
 * They are made on a copy of the tree, as replacements of text; a text that is not there any more is said.
 */
export interface Mutation {
  readonly what: string;
  readonly edits: readonly Edit[];
  /** Kinds of faults it takes, or groups of them; all when left out. */
  readonly kinds?: readonly string[];
  /** The first seed to run: of what takes a rare meeting of faults one that has it. 1 when left out. */
  readonly seed?: number;
}

export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const ACCOUNT = "core/interval/counterAccount.ts";
const DELTA = "core/counter/counterDelta.ts";
const COMMITS = "cloud/collector/commits.ts";
const CONFIRMATIONS = "cloud/collector/confirmations.ts";
const EDGE = "agent/uplink/edgeNode.ts";
const OUTBOX = "agent/uplink/outbox.ts";
const JOURNAL = "agent/journal/diskJournal.ts";
const CLIENT = "drivers/modbus/client.ts";

const RTU = ["rtu-lines", "wire", "line-noise"];

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "interval-rounding": {
    what: "counts at boundaries are cut, not rounded",
    edits: [
      {
        file: ACCOUNT,
        from: "divideHalfEven(delta.ticks * BigInt(at_ms - last.at_ms), BigInt(reading.at_ms - last.at_ms))",
        to: "(delta.ticks * BigInt(at_ms - last.at_ms)) / BigInt(reading.at_ms - last.at_ms)",
      },
    ],
  },
  "interval-carry": {
    what: "what was counted before a boundary is counted again behind it",
    edits: [
      {
        file: ACCOUNT,
        from: "closed === null ? ticks : ticks - ticksDone;",
        to: "ticks;",
      },
    ],
  },
  "counter-reset": {
    what: "a counter that starts again at zero has counted what it shows",
    edits: [
      {
        file: DELTA,
        from: 'if (fell && register.modulus === null) return gap("counter-reset");',
        to: 'if (fell && register.modulus === null) return { kind: "delta", ticks: after.count, elapsed_ms, wrapped: false };',
      },
    ],
    kinds: ["register-reset"],
  },
  "counter-rollover": {
    what: "a counter that passes its end is taken for one that was reset",
    edits: [
      {
        file: DELTA,
        from: 'if (fell && register.modulus === null) return gap("counter-reset");',
        to: 'if (fell) return gap("counter-reset");',
      },
    ],
    kinds: ["rollover"],
  },
  "return-is-new": {
    what: "a counter that fell to zero and comes back has counted its way up",
    edits: [
      {
        file: ACCOUNT,
        from: "if (away === null || reading.count === 0n) return direct;",
        to: "if (away !== undefined) return direct;",
      },
    ],
    kinds: ["machines", "meters"],
    seed: 100_031,
  },
  "gap-in-closed-time": {
    what: "what is not known of a time that was closed before is missing nowhere",
    edits: [{ file: ACCOUNT, from: "slice_ms > 0 ? slice_ms : end_ms - start_ms;", to: "slice_ms;" }],
    kinds: ["clock-jump", "register-reset"],
    seed: 1002,
  },
  "closed-time-is-measured": {
    what: "an interval that takes what is counted in time closed before is called measured",
    edits: [{ file: ACCOUNT, from: "Math.abs(account.held_ms + missing_ms - interval_ms);", to: "0;" }],
    kinds: ["clock-jump"],
  },
  "interval-closing": {
    what: "an interval closes with the count of the reading, not of the boundary",
    edits: [
      {
        file: ACCOUNT,
        from: "const closing = count === null ? null : { count, words",
        to: "const closing = count === null ? null : { count: reading.count, words",
      },
    ],
  },
  "plan-never-settles": {
    what: "a block that was planned anew within a poll is tried by halves all the same",
    edits: [
      {
        file: "agent/poll/learn.ts",
        from: "  if (!plan.groups.some(({ blocks }) => blocks.includes(block))) return { plan, next: [] };\n",
        to: "",
      },
    ],
    kinds: ["wire"],
  },
  "one-date-a-poll": {
    what: "a counter that is read seconds after the first one has its date",
    edits: [
      {
        file: "agent/poll/meter.ts",
        from: "} else if (rank === 0 && mono_ms - this.#mono_ms > SPREAD_MAX_MS",
        to: "} else if (rank < 0 && mono_ms - this.#mono_ms > SPREAD_MAX_MS",
      },
    ],
    kinds: ["reply-slow"],
    seed: 3306,
  },
  "ack-before-commit": {
    what: "the collector confirms what it is about to commit",
    edits: [
      {
        file: COMMITS,
        from: "    let outcomes: readonly BatchOutcome[];\n",
        to: '    let outcomes: readonly BatchOutcome[] = batches.map(() => "stored");\n    this.#o.onCommitted(batches, outcomes);\n',
      },
    ],
  },
  "ack-off-by-one": {
    what: "the collector confirms the number after the one it holds",
    edits: [{ file: CONFIRMATIONS, from: "node.toAck.add(number);", to: "node.toAck.add(number + 1);" }],
  },
  "ack-of-duplicates-lost": {
    what: "a batch that comes again is not confirmed again",
    edits: [
      {
        file: "cloud/collector/outcomes.ts",
        from: "      confirmations.ack(gateway, epoch, number);",
        to: '      if (outcomes[i] === "stored") confirmations.ack(gateway, epoch, number);',
      },
    ],
  },
  "ack-of-other-epoch": {
    what: "the gateway believes confirmations of an epoch that is over",
    edits: [{ file: EDGE, from: "if (ack.epoch !== journal.epoch)", to: "if (ack.epoch === null)" }],
    kinds: ["torn-segment", "link-loss", "partition", "slow-subscriber"],
  },
  "timeout-is-ack": {
    what: "what waited long enough is taken for confirmed",
    edits: [
      {
        file: OUTBOX,
        from: "if (this.#waitsForAcks()) this.#delivery.expire",
        to: "if (now_ms < 0) this.#delivery.expire",
      },
    ],
  },
  "never-again": {
    what: "what was not confirmed in time is not sent again",
    edits: [
      {
        file: OUTBOX,
        from: "if (this.#waitsForAcks()) this.#delivery.expire(now_ms);",
        to: "if (this.#waitsForAcks()) void now_ms;",
      },
    ],
  },
  "duplicate-is-new": {
    what: "a batch that comes again is booked again, and its intervals are added",
    edits: [
      {
        file: "cloud/store/batches.ts",
        from: "if (!isNew) return this.#heldAlready(batch, key, known_ms);",
        to: "if (!isNew && batch.intervals.length === 0) return this.#heldAlready(batch, key, known_ms);",
      },
      {
        file: "cloud/store/bookedIntervals.ts",
        from: "ON CONFLICT (series_id, from_ms) DO NOTHING`",
        to: "ON CONFLICT (series_id, from_ms) DO UPDATE SET ticks = ticks + excluded.ticks`",
      },
    ],
  },
  "renumbered-is-new": {
    what: "what is held under another epoch is stored again",
    edits: [
      {
        file: "cloud/store/batches.ts",
        from: "if (mayBeHeld && ",
        to: "if (false && ",
      },
    ],
    kinds: [
      "torn-segment",
      "bit-flip",
      "agent-crash",
      "agent-crash-at-write",
      "link-loss",
      "partition",
      "slow-subscriber",
    ],
    seed: 820_001,
  },
  "number-reused": {
    // A wrong `next` read back at a start is no mutation: the journal holds it against its rows and mends it.
    what: "now and then a commit gives its last number once more",
    edits: [
      {
        file: JOURNAL,
        from: "      numbering.next = end;",
        to: "      numbering.next = end % 97 === 0 ? end - 1 : end;",
      },
    ],
  },
  "journal-forgets": {
    what: "the last record of a commit is not written",
    edits: [
      {
        file: JOURNAL,
        from: "if (rows.length > 0 || values.length > 0) this.#append({ rows, values });",
        to: "if (rows.length > 0 || values.length > 0) this.#append({ rows: rows.slice(0, -1), values });",
      },
    ],
  },
  "loss-forgotten": {
    what: "losses that no record names yet are forgotten when the process ends, and not told when the host misses them",
    edits: [
      { file: "agent/journal/losses.ts", from: "    this.#waiting.push(...waited);\n", to: "" },
      {
        file: "agent/journal/reopened.ts",
        from: "const told = gaps.length === 0 || ",
        to: "const told = gaps.length >= 0 || ",
      },
    ],
    kinds: ["bit-flip", "torn-segment", "agent-crash", "agent-crash-at-write", "link-loss", "partition"],
    seed: 5013,
  },
  "replay-skips": {
    what: "a restart leaves out the first samples it should count again",
    edits: [
      {
        file: "agent/account/savedAccounts.ts",
        from: "record.position > of.asOf)",
        to: "record.position > of.asOf + 7)",
      },
    ],
    kinds: ["agent-crash", "agent-crash-at-write"],
  },
  "bdseq-stands": {
    what: "a session has the bdSeq of the one before it",
    edits: [{ file: EDGE, from: "this.#bdSeq = (this.#bdSeq + 1) % 256;", to: "" }],
  },
  "seq-skips": {
    what: "the sequence number counts to 256",
    edits: [
      {
        file: "agent/uplink/session.ts",
        from: "this.#seq = (this.#seq + 1) % 256;",
        to: "this.#seq = (this.#seq + 1) % 257;",
      },
    ],
  },
  "late-reply-believed": {
    what: "on an RTU line a question is put while the reply to one that was given up may still come",
    edits: [
      {
        file: CLIENT,
        from: "return this.#rtu !== null && (this.#rtu.lost.isOwed(request) || this.#rtu.recent.isUncertain(request));",
        to: "return false;",
      },
      {
        file: CLIENT,
        from: "Math.max(keptBack_ms(request, rtu), lost.wait_ms(canaryFor(request, rtu) ?? request)),",
        to: "0 * lost.wait_ms(request),",
      },
    ],
    kinds: ["rtu-lines", "reply-late", "reply-slow", "line-noise"],
    seed: 181,
  },
  "withheld-reply-believed": {
    what: "on an RTU line replies that were withheld are neither looked for nor known when they come",
    edits: [
      {
        file: CLIENT,
        from: "if (!lost.order.isUnanswered(request) && !recent.isUncertain(request)) return null;",
        to: "if (lost.put_ms > 0) return null;",
      },
      { file: CLIENT, from: "proof: (unit) => lost.order.proof(unit),", to: "proof: () => null," },
      { file: CLIENT, from: "doubts: (unit) => recent.doubts(unit),", to: "doubts: () => 0," },
    ],
    kinds: RTU,
    seed: 50,
  },
};
