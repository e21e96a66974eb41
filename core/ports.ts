/**
 * Ports: what the outside gives us. Production wires real ones in `cli/` and `io` files; worlds and tests wire their own.
 *
 * Two clocks (architecture §4.15): domain time (due times, timestamps, intervals) may run fast or virtual; transport time
 * (timeouts, keep-alive, RTO) is real wherever sockets are real.
 */

/** Domain time: when a reading is taken, when an interval ends. */
export interface Clock {
  /** Wall clock, ms since the epoch, UTC. May jump. */
  now_ms(): number;
  /** Monotonic ms of this boot. Never jumps. */
  mono_ms(): number;
}

export type Cancel = () => void;

/** Transport time: timers on the monotonic clock. */
export interface Timers {
  after(delay_ms: number, run: () => void): Cancel;
  every(period_ms: number, run: () => void): Cancel;
}

/**
 * A timer that runs only while there is something to do: armed however often, it fires once, `delay_ms` after the first
 * time. An idle process has nothing to wake up for.
 */
export class OnDemand {
  readonly #timers: Timers;
  readonly #delay_ms: number;
  readonly #run: () => void;
  #cancel: Cancel | null = null;

  constructor(timers: Timers, delay_ms: number, run: () => void) {
    this.#timers = timers;
    this.#delay_ms = delay_ms;
    this.#run = run;
  }

  arm(): void {
    this.#cancel ??= this.#timers.after(this.#delay_ms, () => {
      this.#cancel = null;
      this.#run();
    });
  }

  cancel(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}

/** Settles as `work` does, but after `limit_ms` at the latest; leaves no timer behind. */
export function atMost(limit_ms: number, work: Promise<unknown>, timers: Timers): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = timers.after(limit_ms, resolve);
    work.finally(cancel).then(() => resolve(), reject);
  });
}

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
}

/** What a read on a bus can end in. A failure is a value: the field is like that. */
export type BusReply =
  | { readonly kind: "words"; readonly words: Uint16Array }
  | { readonly kind: "exception"; readonly code: number }
  | { readonly kind: "timeout" }
  | { readonly kind: "garbled"; readonly detail: string }
  | { readonly kind: "unreachable"; readonly detail: string };

export interface BusRead {
  readonly unit: number;
  readonly fc: 3 | 4;
  readonly address: number;
  readonly count: number;
  readonly timeout_ms: number;
}

/**
 * A Modbus bus or connection: one request in flight, reads only. There is no write on this port, on purpose: the agent
 * only reads meters (architecture §4.10).
 */
export interface Bus {
  read(request: BusRead): Promise<BusReply>;
  close(): Promise<void>;
  /** Only where replies do not say what they answer. */
  readonly owed?: OwedReplies;
}

/** What a line without numbers on its replies knows of those that are still out. */
export interface OwedReplies {
  /** How long this question would be kept back, and the line with it, until an older reply cannot pass for its answer; 0 = not. */
  wait_ms(request: BusRead): number;
  /** Counts up when words that this unit was credited with came into doubt afterwards. */
  doubts(unit: number): number;
  /** What to read so that words of this unit which may be those of the question before come into doubt; null = nothing. */
  proof(unit: number): Omit<BusRead, "timeout_ms"> | null;
}

/** An MQTT session as Sparkplug needs it: connect once with a will, then publish and listen until it ends. */
export interface MqttLink {
  publish(
    topic: string,
    payload: Uint8Array,
    options: { readonly qos: 0 | 1; readonly retain: boolean },
  ): Promise<void>;
  subscribe(filters: readonly { readonly filter: string; readonly qos: 0 | 1 }[]): Promise<void>;
  /** DISCONNECT and close: the broker drops the will. */
  end(): Promise<void>;
  /** Cut without DISCONNECT: the broker publishes the will. */
  destroy(): void;
}

export interface MqttConnect {
  readonly url: string;
  readonly clientId: string;
  readonly will: {
    readonly topic: string;
    readonly payload: Uint8Array;
    readonly qos: 0 | 1;
    readonly retain: boolean;
  };
  readonly keepalive_s: number;
  readonly connectTimeout_ms: number;
  readonly username?: string;
  readonly password?: string;
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
  readonly onClose: (why: string) => void;
}

export interface MqttConnector {
  /** @throws {KhuXanhError} BROKER_UNREACHABLE. A fresh client per CONNECT; never reconnects by itself. */
  connect(options: MqttConnect): Promise<MqttLink>;
}

/** Structured log, one event name a line, no secrets. */
export interface Log {
  debug(event: string, fields?: Readonly<Record<string, unknown>>): void;
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/**
 * Disk of the journal: a folder of segment files, below the journal's own logic, so that numbering, bounds, salvage and
 * epochs are the same code on a real disk and on one of a world.
 *
 * All calls are synchronous. What a call wrote is on the medium when it returns; a crash during a call leaves the state
 * before it or after it, unless the medium breaks its word.
 * Errors, everywhere: {@link KhuXanhError} DISK_FULL or DISK_UNUSABLE (read-only, rights, I/O): nothing was written, the
 * files are as they were; JOURNAL_DAMAGED: this file cannot be read as a segment, whatever the disk does.
 */
export interface JournalDisk {
  /** Every file of the folder, segments and what was set aside, in order of name; parts of one segment count as one. */
  list(): readonly DiskFile[];
  /** Opens an existing segment; `read` never changes it and works beside a writer in another process. */
  open(name: string, access: "write" | "read"): DiskSegment;
  /**
   * Whether commits lie in a segment that a reader is not shown: behind a part of it that is damaged. Opened for writing it is
   * JOURNAL_DAMAGED then.
   */
  leavesOut(name: string): boolean;
  /** Writes a whole segment and puts it in place at once: the name holds all of it or what it held before. It is closed. */
  create(name: string, writes: Iterable<DiskWrite>): void;
  /** Keeps the file as it lies under another name as well, with the reason beside it as text. The file must be closed. */
  copyAside(name: string, aside: string, reason: string): void;
  remove(name: string): void;
  /**
   * The bytes of a file as they lie on the medium, whatever their state, for carving; parts in no particular order. With
   * `what-reads` there are zeros where the medium does not read; else that is DISK_UNUSABLE.
   */
  raw(name: string, which?: "what-reads"): readonly Uint8Array[];
  /** How large this disk is and what may still be written to it; null where nobody knows. */
  space(): { readonly free_bytes: number; readonly total_bytes: number } | null;
}

export interface DiskFile {
  readonly name: string;
  readonly bytes: number;
}

/** Rows ascend by key within a segment and are never changed; values are replaced by name. Blobs guard themselves. */
export interface DiskWrite {
  readonly rows: readonly DiskRow[];
  readonly values: readonly DiskValue[];
}

export interface DiskRow {
  /** A safe integer from 0 up. */
  readonly key: number;
  readonly blob: Uint8Array;
}

export interface DiskValue {
  readonly name: string;
  readonly blob: Uint8Array;
}

export interface DiskSegment {
  /** One atomic transaction, synced. */
  append(write: DiskWrite): void;
  /** From the row with the greatest key ≤ `from` (or else the first), ascending, at most `limit`. */
  rows(from: number, limit: number): readonly DiskRow[];
  values(): readonly DiskValue[];
  /** On the medium, with what is not folded in yet. */
  bytes(): number;
  close(): void;
}
