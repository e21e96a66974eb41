import modbusSerial from "modbus-serial";
import type { BusRead, BusReply, Cancel } from "../../core/ports.ts";
import type { LinePort } from "./linePort.ts";
import type { BusMachine } from "./machine.ts";
import { newWords } from "./words.ts";

/** A line that never falls silent is given up on after this many silences. */
const DRAINS_MAX = 10;

/** Bytes that lie in the machine are read within this, ms. */
const HEARING_MS = 20;
/** The same in a process that was not stalled. */
const LISTENING_MS = 5;

/** The very words that another address said: to be asked again when no copy of those can come. */
export const UNCERTAIN: BusReply = { kind: "garbled", detail: "the very words of another address" };

const ModbusRTU = modbusSerial.default;
/** The part of the library that is used. It takes a callback instead of giving a promise; its types do not say so. */
interface Client {
  open(): void;
  destroy(done: () => void): void;
  setID(unit: number): void;
  setTimeout(timeout_ms: number): void;
  readHoldingRegisters(address: number, count: number, next: Next): void;
  readInputRegisters(address: number, count: number, next: Next): void;
}

/** What differs between a socket and a serial line. */
export interface LineKind {
  /** Silence that must follow a reply before it is believed, ms; 0 where frames carry a transaction number. */
  readonly settle_ms: number;
  /** Bytes are only delivered to a process that something else wakes. */
  readonly mustKeepAwake: boolean;
  /** Lets go of what is below; tells when nothing of it is left open. */
  release(done: () => void): void;
  /** After a lost, broken or unexpected reply: makes sure no byte of it can reach a later request. */
  resynchronise(line: Line): Promise<void>;
}

/** The request in flight. */
interface Pending {
  readonly settle: (reply: BusReply) => void;
  readonly doze: Cancel | null;
  giveUp: Cancel;
  /** A reply that waits for the silence behind it. */
  held: BusReply | null;
  quiet: Cancel | null;
}

const NOTHING_TO_CANCEL: Cancel = () => {};
const NO_ANSWER: BusReply = { kind: "timeout" };

/** An open line: one request at a time through the library, and an end that is told once. */
export class Line {
  readonly #client: Client;
  readonly #port: LinePort;
  readonly #machine: BusMachine;
  readonly #kind: LineKind;
  readonly #released = Promise.withResolvers<void>();
  #pending: Pending | null = null;
  #ended: string | null = null;

  constructor(port: LinePort, machine: BusMachine, kind: LineKind) {
    this.#port = port;
    this.#machine = machine;
    this.#kind = kind;
    const client = new ModbusRTU(port) as unknown as Client;
    this.#client = client;
    // The port is open already; the library begins to listen to it.
    client.open();
    // For ever: how long a reply is waited for is the machine's time.
    client.setTimeout(0);
  }

  /** Why the line is no more; null while it is open. */
  get ended(): string | null {
    return this.#ended;
  }

  /** Settles when nothing of the line is left open. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  /** Bytes came that belong to no request. */
  get isDirty(): boolean {
    return this.#port.isDirty;
  }

  /** A byte came since the last request was sent. */
  get hasHeard(): boolean {
    return this.#port.hasHeard;
  }

  end(why: string): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    this.#client.destroy(() => this.#kind.release(this.#released.resolve));
    if (this.#pending !== null) this.#finish(this.#pending, this.#believed() ?? { kind: "unreachable", detail: why });
  }

  resynchronise(): Promise<void> {
    return this.#kind.resynchronise(this);
  }

  /** Lets time pass until `abort`, listening: what came by then has been heard. */
  async pause(length_ms: number, abort: AbortSignal): Promise<void> {
    const doze = this.#keepAwake();
    if (length_ms > 0) await pause(this.#machine, length_ms, abort);
    // A process that was stalled finds its timers expired before it has read what came meanwhile.
    await pause(this.#machine, length_ms > 0 ? HEARING_MS : LISTENING_MS, abort);
    doze?.();
  }

  /** Settles when the line has been silent for `quiet_ms`; bytes that come meanwhile are nobody's. */
  async silence(quiet_ms: number): Promise<void> {
    const doze = this.#keepAwake();
    for (let waits = 0; waits < DRAINS_MAX; waits++) {
      this.#port.forget();
      await new Promise<void>((resolve) => this.#machine.after(quiet_ms, resolve));
      if (!this.#port.isDirty || this.#ended !== null) break;
    }
    this.#port.forget();
    doze?.();
  }

  /** One request at a time: the caller waits for the reply before it asks again. */
  ask(request: BusRead, settle: (reply: BusReply) => void): void {
    if (this.#ended !== null) return settle({ kind: "unreachable", detail: this.#ended });
    const doze = this.#keepAwake();
    const pending: Pending = { settle, doze, giveUp: NOTHING_TO_CANCEL, held: null, quiet: null };
    this.#pending = pending;
    this.#port.ask(request);
    this.#port.onSuspect = (hold_ms) => {
      pending.quiet = this.#afterSilence(hold_ms, () => this.#endSuspicion(pending));
    };
    pending.giveUp = this.#machine.after(request.timeout_ms, () => {
      if (this.#pending === pending) this.#finish(pending, NO_ANSWER);
    });
    const client = this.#client;
    client.setID(request.unit);
    const next: Next = (error, result) => {
      // A request that the end of the line has settled may be called back once more.
      if (this.#pending !== pending) return;
      if (error !== null)
        this.#hold(pending, this.#port.isUncertain ? UNCERTAIN : failureReply(error, this.#port.complaint));
      else this.#hold(pending, this.#port.words ?? wordsReply(result!.data, request.count));
    };
    const count = this.#port.receives === "receipts" ? 1 : request.count;
    if (request.fc === 3) client.readHoldingRegisters(request.address, count, next);
    else client.readInputRegisters(request.address, count, next);
  }

  /** What follows an RTU frame at once may be the true answer to the question that this one only seems to answer. */
  #hold(pending: Pending, reply: BusReply): void {
    const { settle_ms } = this.#kind;
    if (settle_ms === 0 || (reply.kind !== "words" && reply.kind !== "exception")) return this.#finish(pending, reply);
    pending.held = reply;
    pending.giveUp();
    pending.quiet?.();
    pending.quiet = this.#afterSilence(settle_ms, () => this.#believe(pending));
  }

  /** A stalled process has not heard silence before it has read what came meanwhile. */
  #afterSilence(quiet_ms: number, run: () => void): Cancel {
    return this.#machine.after(quiet_ms, () => this.#machine.afterInput(run));
  }

  #endSuspicion(pending: Pending): void {
    if (this.#pending === pending && pending.held === null) this.#port.endSuspicion();
  }

  #believe(pending: Pending): void {
    if (this.#pending === pending) this.#finish(pending, this.#believed()!);
  }

  /** The reply that was held, unless other bytes came behind it. */
  #believed(): BusReply | null {
    const held = this.#pending?.held ?? null;
    if (held === null || !this.#port.hasForeignSurplus) return held;
    return { kind: "garbled", detail: "further bytes behind the reply" };
  }

  #finish({ settle, doze, giveUp, quiet }: Pending, reply: BusReply): void {
    this.#pending = null;
    if (reply.kind === "words" || reply.kind === "exception") this.#port.accept();
    this.#port.question = null;
    giveUp();
    quiet?.();
    doze?.();
    settle(reply);
  }

  /** null where nothing needs it. */
  #keepAwake(): Cancel | null {
    return this.#kind.mustKeepAwake ? this.#machine.keepAwake() : null;
  }
}

/** Ends early, without an error, when `abort` does. */
export function pause(machine: BusMachine, length_ms: number, abort: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      abort.removeEventListener("abort", end);
      resolve();
    };
    const cancel = machine.after(length_ms, end);
    abort.addEventListener("abort", end);
  });
}

type Next = (error: LibraryError | null, result?: { readonly data: readonly number[] }) => void;

function wordsReply(data: readonly number[], count: number): BusReply {
  if (data.length !== count) return { kind: "garbled", detail: `${data.length} registers instead of ${count}` };
  const words = newWords(count);
  for (let i = 0; i < count; i++) words[i] = data[i]!;
  return { kind: "words", words };
}

/** What the library rejects with, as far as it tells. */
interface LibraryError {
  readonly message?: string;
  readonly errno?: string;
  readonly modbusCode?: number;
}

function failureReply(error: LibraryError, complaint: string | null): BusReply {
  if (complaint !== null) return { kind: "garbled", detail: complaint };
  if (error.modbusCode !== undefined) return { kind: "exception", code: error.modbusCode };
  if (error.errno !== undefined) return { kind: "unreachable", detail: detailOf(error) };
  return { kind: "garbled", detail: detailOf(error) };
}

/** What went wrong, as the library or the system says it. */
export function detailOf(error: unknown): string {
  const { message, code } = (error ?? {}) as { readonly message?: string; readonly code?: string };
  return message === undefined || message === "" ? (code ?? String(error)) : message;
}
