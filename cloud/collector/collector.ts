import type { EmissionFactor } from "../../core/emission/factor.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { type Clock, type Log, type MqttConnector, OnDemand, type Random, type Timers } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import type { GatewayKey, ZoneStore } from "../store/store.ts";
import { Arrivals } from "./arrivals.ts";
import { BirthReader } from "./births.ts";
import { COMMIT_MS, Commits } from "./commits.ts";
import { ACK_MS, Confirmations, HELLO_MS } from "./confirmations.ts";
import { Epochs } from "./epochs.ts";
import { HostSession } from "./hostSession.ts";
import type { LiveMeter, LiveView } from "./live.ts";
import { Messages } from "./messages.ts";
import { Nodes } from "./nodes.ts";
import { Outcomes } from "./outcomes.ts";
import { PlainMessages } from "./plain.ts";
import { Restater } from "./restater.ts";
import { liveValues } from "./session.ts";
import { VERIFY_MS, Verifier } from "./verifier.ts";

/**
 * The collector: the zone's primary Sparkplug host. It decodes what the gateways send, commits it, and only then confirms it.
 *
 * commit    `commits.ts`: one synced transaction of many batches
 * confirm   `confirmations.ts`: right after the commit of many, within half a second of a few; duplicates again
 * rebirth   asked for when data cannot be read for want of a birth
 * order     everything is stored whatever its order. With a reorder timeout, a gap in `seq` that stays open asks for a birth
 */
export interface CollectorOptions {
  readonly hostId: string;
  readonly zone: string;
  readonly connect: { readonly url: string; readonly username?: string; readonly password?: string };
  readonly connector: MqttConnector;
  readonly store: ZoneStore;
  readonly factors: readonly EmissionFactor[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** How long a gap in a node's `seq` may stay open before a birth is asked for; 0 (when left out) = for ever. */
  readonly reorderTimeout_ms?: number;
}

const GATEWAY_ROW_MS = 5_000;
const NOTIFY_MS = 250;
const REORDER_CHECK_MS = 250;

/** Each is armed when there is something for it, and by nothing else: an idle collector sleeps. */
interface Wakes {
  readonly commit: OnDemand;
  readonly ack: OnDemand;
  readonly verify: OnDemand;
  readonly notify: OnDemand;
}

export class Collector implements LiveView {
  readonly #o: CollectorOptions;
  readonly #nodes: Nodes;
  readonly #host: HostSession;
  readonly #commits: Commits;
  readonly #plain: PlainMessages;
  readonly #confirmations: Confirmations;
  readonly #verifier: Verifier;
  readonly #restater: Restater;
  readonly #outcomes: Outcomes;
  readonly #arrivals: Arrivals;
  readonly #messages: Messages;
  readonly #listeners = new Set<() => void>();
  /** While it runs: what wakes it up when there is something to do. */
  #wakes: Wakes | null = null;

  constructor(options: CollectorOptions) {
    this.#o = options;
    const { zone, store, clock, timers, random, log, factors } = options;
    const nodes = new Nodes(store, clock);
    const births = new BirthReader(store);
    const epochs = new Epochs(store, log);
    const verifier = new Verifier({ store, factors, clock, log, births, epochs });
    const restater = new Restater({ store, factors, clock, log, births });
    const wake = (what: keyof Wakes): void => this.#wakes?.[what].arm();
    this.#host = new HostSession({
      ...options,
      onMessage: (topic, bytes, text) => this.#guarded(text, () => this.#messages.take(topic, bytes, text)),
      onLost: () => this.#guarded("session", () => this.#onLost()),
    });
    const confirmations = new Confirmations({
      clock,
      timers,
      random,
      isConnected: () => this.#host.isConnected,
      publish: (topic, payload) => this.#host.publish(topic, payload),
      onRebirthAsked: (gateway) => log.info("collector.rebirth-asked", { ...gateway }),
    });
    const outcomes = new Outcomes({ store, clock, log, nodes, epochs, confirmations, verifier, restater, wake });
    const plain = new PlainMessages({
      store,
      clock,
      log,
      onRefused: ({ gateway, device, samples }, why) => {
        const content = { device, at_ms: Math.max(...samples.map(({ at_ms }) => at_ms)) };
        const payload = Buffer.concat(samples.map((sample) => sample.payload));
        outcomes.setAside({ gateway, topic: device, why, payload, content }, null);
      },
    });
    const commits = new Commits({
      store,
      log,
      onCommitted: (batches, ofThem) => outcomes.committed(batches, ofThem),
      onRefused: ({ gateway, epoch, number, device, to_ms, payload }, why) =>
        outcomes.giveUp({ gateway, topic: device, why, payload, content: { device, at_ms: to_ms } }, epoch, number),
    });
    const arrivals = new Arrivals({ clock, commits, plain, outcomes, epochs, verifier, confirmations, wake });
    const onChanged = () => wake("notify");
    const parts = { nodes, epochs, confirmations, outcomes, arrivals };
    this.#messages = new Messages({ zone, store, clock, log, ...parts, onChanged });
    this.#nodes = nodes;
    this.#confirmations = confirmations;
    this.#outcomes = outcomes;
    this.#arrivals = arrivals;
    this.#verifier = verifier;
    this.#restater = restater;
    this.#plain = plain;
    this.#commits = commits;
  }

  get isConnected(): boolean {
    return this.#host.isConnected;
  }

  get counts() {
    return {
      messages: this.#messages.received,
      ...this.#outcomes.counts,
      foreign: this.#arrivals.foreign,
      plainStored: this.#plain.stored,
      plainGivenUp: this.#plain.givenUp,
      refused: this.#commits.notTaken,
      disagreed: this.#verifier.disagreed,
      restated: this.#restater.restated,
    };
  }

  /** Connects and reconnects until stopped; an unreachable broker never ends a collector. */
  async run(): Promise<void> {
    const { timers, reorderTimeout_ms = 0 } = this.#o;
    const every = (period_ms: number, what: string, run: () => void) =>
      timers.every(period_ms, () => this.#guarded(what, run));
    const wake = (delay_ms: number, what: string, run: () => void) =>
      new OnDemand(timers, delay_ms, () => this.#guarded(what, run));
    const wakes: Wakes = {
      commit: wake(COMMIT_MS, "commit", () => this.#commit()),
      ack: wake(ACK_MS, "ack", () => this.#flushAcks()),
      verify: wake(VERIFY_MS, "verify", () => this.#verify()),
      notify: wake(NOTIFY_MS, "notify", () => this.#notify()),
    };
    this.#wakes = wakes;
    for (const one of Object.values(wakes)) one.arm();
    const stops = [
      every(GATEWAY_ROW_MS, "gateways", () => this.#keep()),
      every(HELLO_MS, "hello", () => this.#confirmations.sayHellos()),
    ];
    if (reorderTimeout_ms > 0) {
      stops.push(every(REORDER_CHECK_MS, "reorder", () => this.#checkOrder(reorderTimeout_ms)));
    }
    await this.#host.run();
    this.#wakes = null;
    for (const one of Object.values(wakes)) one.cancel();
    for (const stop of stops) stop();
  }

  /** Commits and confirms what has arrived, says STATE offline, disconnects. */
  async stop(): Promise<void> {
    this.#guarded("stop", () => {
      this.#commit();
      this.#confirmations.flushAll();
      this.#nodes.keepAll();
    });
    this.#confirmations.stop();
    await this.#host.stop();
  }

  // What the API shows

  meters(): readonly LiveMeter[] {
    return [...this.#nodes.values()].flatMap(({ session }) =>
      session === null
        ? []
        : [...session.devices.values()].map((device) => ({
            gateway: session.gateway,
            device: device.device,
            online: session.isOnline && device.isAlive,
            staleSince_ms: device.staleSince_ms,
            values: liveValues(device),
          })),
    );
  }

  isOnline(gateway: GatewayKey): boolean {
    return this.#nodes.find(gateway)?.session?.isOnline ?? false;
  }

  booksTo_ms(): EpochMs | null {
    return this.#outcomes.booksTo_ms;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // What it does beside, when it is time

  #commit(): void {
    this.#commits.commit();
    this.#plain.commit();
  }

  #verify(): void {
    const nodes = [...this.#nodes.values()].map(({ gateway, row: { epoch } }) => ({ gateway, epoch }));
    const isVerified = this.#verifier.run(nodes);
    const isRestated = this.#restater.run();
    if (!isVerified || !isRestated) this.#wakes?.verify.arm();
  }

  /** And now and then what may have stopped half way (a store that was busy, a day that came) goes on. */
  #keep(): void {
    this.#wakes?.verify.arm();
    if (this.#plain.isWaiting) this.#wakes?.commit.arm();
    this.#nodes.keepAll();
  }

  /** What could not be said, for want of a connection, is said later. */
  #flushAcks(): void {
    if (this.#confirmations.flushAll() > 0) this.#wakes?.ack.arm();
  }

  #checkOrder(timeout_ms: number): void {
    const now_ms = this.#o.clock.mono_ms();
    for (const node of this.#nodes.values()) {
      if (node.seq.isOverdue(timeout_ms, now_ms)) this.#confirmations.askRebirth(node.gateway);
    }
  }

  /** Our own session is over: nobody hears the gateways, whether they are there or not. */
  #onLost(): void {
    for (const node of this.#nodes.values()) {
      this.#confirmations.died(node.gateway);
      if (this.#nodes.setOffline(node, "unknown")) this.#changed();
    }
    this.#nodes.keepAll();
  }

  #changed(): void {
    this.#wakes?.notify.arm();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  /** A store that is locked or full for a while is no reason to end: what was not stored is not confirmed and comes again. */
  #guarded(what: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
      const stack = code === "INTERNAL" && error instanceof Error ? error.stack : String(error);
      this.#o.log.error("collector.failed", { what, code, error: stack });
    }
  }
}
