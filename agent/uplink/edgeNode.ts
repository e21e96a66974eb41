import { KhuXanhError } from "../../core/errors.ts";
import {
  atMost,
  type Clock,
  type Log,
  type MqttConnector,
  type MqttLink,
  type Random,
  type Timers,
} from "../../core/ports.ts";
import { MetricName, parseAck } from "../../core/wire/ack.ts";
import { data, decodePayload, type Metric } from "../../core/wire/payload.ts";
import { type HostState, parseState } from "../../core/wire/state.ts";
import { deviceCommandFilter, parseTopic, topicOf } from "../../core/wire/topics.ts";
import type { Journal } from "../journal/journal.ts";
import { Aliases } from "./aliases.ts";
import { deathPayload, type LiveDevice } from "./births.ts";
import { KEEPALIVE_S, Outbox } from "./outbox.ts";
import { BornSession } from "./session.ts";

export type { LiveDevice } from "./births.ts";

/**
 * The Sparkplug Edge Node: one MQTT session at a time, births, data out of the journal, commands in.
 *
 * It reads batches from the journal only, never from memory of a poll: what is published has been synced. Transport timers
 * (reconnect, RTO) are real time; everything with a timestamp is domain time.
 */
export interface EdgeNodeOptions {
  readonly group: string;
  readonly edge: string;
  readonly hostId: string | null;
  readonly delivery: "required" | "auto" | "off";
  readonly software: string;
  readonly site: string;
  readonly connect: { readonly url: string; readonly username?: string; readonly password?: string };
  readonly connector: MqttConnector;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Monotonic transport time. */
  readonly mono_ms: () => number;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  /** Devices configured now, and whether their meter answers. */
  readonly devices: () => readonly LiveDevice[];
  /**
   * How a meter that comes back within a session is announced: by a DBIRTH `alone` (when left out), or, for hosts that want
   * births before all data, `with-node` by the whole sequence of births.
   */
  readonly returnIsBorn?: "alone" | "with-node";
}

export interface EdgeNodeStatus {
  readonly state: "connecting" | "waiting-for-host" | "born" | "stopped";
  readonly bdSeq: number;
  readonly inFlight_bytes: number;
  readonly window_bytes: number;
  readonly sent: number;
  readonly resent: number;
  readonly ignoredCommands: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const RECONNECT_MIN_MS = 500;
/** Long enough for a broker under repair, short enough that a zone is whole again soon after it. */
const RECONNECT_MAX_MS = 10_000;
/** After a host went offline we are back and listening well within the 2 s that hosts expect. */
const RECONNECT_AFTER_HOST_OFFLINE_MS = 500;
/** How long a death certificate may wait for its PUBACK, and a DISCONNECT for the socket to close. */
const DEATH_MS = 2000;
const DISCONNECT_MS = 1000;
/** How often it is looked what waits for no event: an ack that did not come, a loss the journal numbered by itself. */
const PUMP_MS = 1000;
const PENDING_REPORT_MS = 60_000;
/** Commands that were ignored are said at most this often. */
const IGNORED_SAID_MS = 60_000;

export class EdgeNode {
  readonly #o: EdgeNodeOptions;
  readonly #aliases: Aliases;
  readonly #outbox: Outbox;
  readonly #topics: { readonly ncmd: string; readonly state: string | null };
  #link: MqttLink | null = null;
  #born: BornSession | null = null;
  #state: EdgeNodeStatus["state"] = "connecting";
  #isSubscribed = false;
  #isHostOnline = false;
  #bdSeq: number;
  #hostStateAt_ms = Number.NEGATIVE_INFINITY;
  #isStopping = false;
  #isPumpDue = false;
  #ignoredCommands = 0;
  #ignoredSaid_ms = Number.NEGATIVE_INFINITY;
  #endSession: (why: string) => void = () => {};
  #reconnectDelay_ms = RECONNECT_MIN_MS;

  constructor(options: EdgeNodeOptions) {
    this.#o = options;
    const { journal, group, edge } = options;
    this.#aliases = new Aliases(journal);
    this.#outbox = new Outbox(options, this.#aliases);
    this.#bdSeq = Number(journal.getState("bdSeq") ?? -1);
    this.#topics = {
      ncmd: topicOf({ kind: "NCMD", group, edge }),
      state: options.hostId === null ? null : topicOf({ kind: "STATE", host: options.hostId }),
    };
  }

  /** Connects and reconnects until stopped. Never rejects: an unreachable broker never ends an agent. */
  async run(): Promise<void> {
    while (!this.#isStopping) {
      const why = await this.#session().catch(errorText);
      this.#sessionIsOver();
      if (this.#isStopping) break;
      const retry_ms = Math.round(this.#reconnectDelay_ms);
      this.#o.log.warn("uplink.session-ended", { why, bdSeq: this.#bdSeq, retry_ms });
      await this.#sleep(this.#reconnectDelay_ms * (0.5 + this.#o.random.unit()));
      this.#reconnectDelay_ms = Math.min(this.#reconnectDelay_ms * 2, RECONNECT_MAX_MS);
    }
    this.#state = "stopped";
  }

  /** Batches were committed; `isLive` = captured just now, not history. */
  appended(numbers: readonly number[], isLive: boolean): void {
    this.#outbox.appended(numbers, isLive && this.#born !== null);
    this.#pump();
  }

  /** A meter fell silent or came back, or its definition became known. */
  deviceChanged(device: LiveDevice): void {
    this.#inSession((born) => {
      const id = device.definition.device;
      const isAlive = born.isAlive(id);
      const isAnother = born.hashOf(id) !== device.hash;
      if (device.isAnswering && (!isAlive || isAnother)) {
        if (this.#o.returnIsBorn === "with-node") this.#bear();
        else born.bearDevice(device);
      }
      if (!device.isAnswering && isAlive) born.killDevice(id);
    });
  }

  status(): EdgeNodeStatus {
    return {
      state: this.#state,
      bdSeq: this.#bdSeq,
      ...this.#outbox.status(),
      ignoredCommands: this.#ignoredCommands,
    };
  }

  /** NDEATH, DISCONNECT, done. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#leave();
    this.#endSession("stopped");
  }

  // The session

  async #session(): Promise<string> {
    this.#state = "connecting";
    this.#isSubscribed = false;
    this.#isHostOnline = false;
    this.#countSession();
    const { group, edge, connector, connect, log, hostId, timers } = this.#o;
    // Its own end: the close of a link that was left behind may be said much later, when another one is up.
    let end: (why: string) => void = () => {};
    const ended = new Promise<string>((resolve) => {
      end = resolve;
      this.#endSession = resolve;
    });
    const death = deathPayload(this.#bdSeq, this.#o.clock.now_ms());
    const link = await connector.connect({
      ...connect,
      clientId: `khuxanh-${group}-${edge}`,
      will: { topic: topicOf({ kind: "NDEATH", group, edge }), payload: death, qos: 1, retain: false },
      keepalive_s: KEEPALIVE_S,
      connectTimeout_ms: CONNECT_TIMEOUT_MS,
      onMessage: (topic, payload) => this.#onMessage(topic, payload),
      onClose: (why) => end(why),
    });
    this.#link = link;
    if (this.#isStopping) return "stopped";
    this.#state = "waiting-for-host";
    const filters = [this.#topics.ncmd, deviceCommandFilter({ group, edge })];
    if (this.#topics.state !== null) filters.push(this.#topics.state);
    await link.subscribe(filters.map((filter) => ({ filter, qos: 1 as const })));
    this.#isSubscribed = true;
    log.info("uplink.connected", { bdSeq: this.#bdSeq, waitsForHost: hostId });
    this.#reconnectDelay_ms = RECONNECT_MIN_MS;
    this.#bearWhenAllowed();
    const stopPump = timers.every(PUMP_MS, () => this.#tick());
    const stopReport = timers.every(PENDING_REPORT_MS, () => this.#reportPending());
    try {
      return await ended;
    } finally {
      stopPump();
      stopReport();
    }
  }

  /**
   * One more CONNECT, synced before it, so that a crash or power cut still counts up [topics-nbirth-bdseq-increment]. A disk
   * that takes no more is no reason not to connect: what the host confirms is what makes room on it.
   */
  #countSession(): void {
    this.#bdSeq = (this.#bdSeq + 1) % 256;
    try {
      this.#o.journal.commit({ entries: [], state: () => [["bdSeq", String(this.#bdSeq)]] });
    } catch (error) {
      this.#o.log.error("uplink.bdseq-not-kept", { bdSeq: this.#bdSeq, why: errorText(error) });
    }
  }

  #sessionIsOver(): void {
    this.#link?.destroy();
    this.#link = null;
    this.#born = null;
    this.#state = "connecting";
    this.#outbox.sessionEnded();
  }

  /** An intended end: NDEATH first, at QoS 1 and acknowledged, then DISCONNECT [operational-behavior-edge-node-intentional-disconnect-ndeath]. */
  async #leave(): Promise<void> {
    const link = this.#link;
    if (link === null) return;
    const wasBorn = this.#born !== null;
    this.#link = null;
    this.#born = null;
    this.#state = "connecting";
    const { group, edge, clock, timers } = this.#o;
    try {
      if (wasBorn) {
        const topic = topicOf({ kind: "NDEATH", group, edge });
        const death = deathPayload(this.#bdSeq, clock.now_ms());
        await atMost(DEATH_MS, link.publish(topic, death, { qos: 1, retain: false }), timers);
      }
      await atMost(DISCONNECT_MS, link.end(), timers);
    } catch {
      link.destroy();
    }
  }

  // Births

  #bearWhenAllowed(): void {
    const mayBear = this.#state === "waiting-for-host" && this.#isSubscribed;
    if (mayBear && (this.#topics.state === null || this.#isHostOnline)) this.#bear();
  }

  /** NBIRTH and the DBIRTHs of all meters that answer; in a session that was born already, a rebirth. */
  #bear(): void {
    const link = this.#link;
    if (link === null) return;
    const { journal, devices, site, software, log, group, edge, clock } = this.#o;
    const { unconfirmed, oldestUnconfirmed_ms } = journal.status();
    const facts = {
      bdSeq: this.#bdSeq,
      epoch: journal.epoch,
      site,
      software,
      pending: unconfirmed,
      oldestPending_ms: oldestUnconfirmed_ms,
    };
    const born =
      this.#born ??
      new BornSession({
        group,
        edge,
        link,
        clock,
        aliasOf: (device, name) => this.#aliases.of(device, name),
        keepAliases: () => this.#keepAliases(),
        onFailed: (error) => this.#endSession(errorText(error)),
      });
    try {
      born.bear(facts, devices());
    } catch (error) {
      this.#endSession(errorText(error));
      return;
    }
    this.#born = born;
    this.#state = "born";
    log.info("uplink.born", { bdSeq: this.#bdSeq, epoch: journal.epoch, pending: unconfirmed });
    this.#pump();
  }

  #rebirth(): void {
    if (this.#born === null) return;
    this.#bear();
    this.#outbox.restartTimers();
  }

  #keepAliases(): void {
    const change = this.#aliases.takeChange();
    if (change !== null) this.#o.journal.commit({ entries: [], state: () => [change] });
  }

  // What the host says

  #onMessage(topic: string, bytes: Uint8Array): void {
    if (topic === this.#topics.ncmd) return this.#onCommand(bytes);
    const parsed = parseTopic(topic);
    if (parsed?.kind === "STATE" && parsed.host === this.#o.hostId) this.#onHostState(bytes);
    // Meters take no commands: there is nothing to write on any of them.
    if (parsed?.kind === "DCMD") this.#ignore("a command to a meter");
  }

  #onHostState(bytes: Uint8Array): void {
    const state = parseState(bytes);
    if (state === null) return;
    if (state.timestamp_ms < this.#hostStateAt_ms) return this.#noteOlderState(state);
    this.#hostStateAt_ms = state.timestamp_ms;
    this.#isHostOnline = state.online;
    if (state.online) this.#bearWhenAllowed();
    else if (this.#born !== null) {
      this.#o.log.info("uplink.host-offline", { host: this.#o.hostId });
      this.#reconnectDelay_ms = RECONNECT_AFTER_HOST_OFFLINE_MS;
      void this.#leave().then(() => this.#endSession("host offline"));
    }
  }

  /**
   * Ignored [message-flow-edge-node-birth-publish-phid-wait-timestamp]: a host whose clock was ahead is waited for until time
   * is there, or this process begins anew. Who waits so is told.
   */
  #noteOlderState({ online, timestamp_ms }: HostState): void {
    if (!online || this.#born !== null) return;
    this.#o.log.warn("uplink.host-state-older", {
      host: this.#o.hostId,
      said_ms: timestamp_ms,
      seen_ms: this.#hostStateAt_ms,
      hint: "The host's clock went back behind its earlier word. Restart this agent to take the host as it is now.",
    });
  }

  #onCommand(bytes: Uint8Array): void {
    let metrics: readonly Metric[];
    try {
      metrics = decodePayload(bytes).metrics;
    } catch (error) {
      this.#ignore(errorText(error));
      return;
    }
    for (const { name, booleanValue, stringValue } of metrics) {
      if (name === MetricName.rebirth && booleanValue === true) this.#rebirth();
      else if (name === MetricName.deliveryAck && stringValue !== undefined) this.#onAck(stringValue);
      else if (booleanValue !== false) this.#ignore(`no command: ${(name ?? "").slice(0, 60)}`);
    }
  }

  #ignore(why: string): void {
    this.#ignoredCommands += 1;
    const now_ms = this.#o.mono_ms();
    if (now_ms - this.#ignoredSaid_ms < IGNORED_SAID_MS) return;
    this.#ignoredSaid_ms = now_ms;
    this.#o.log.warn("uplink.command-ignored", { why, sinceStart: this.#ignoredCommands });
  }

  #onAck(text: string): void {
    const ack = parseAck(text);
    const { journal } = this.#o;
    if (ack.kind === "malformed") return this.#ignore(ack.why);
    if (ack.epoch !== journal.epoch) return this.#ignore("an ack of another epoch");
    this.#outbox.noteAckSeen();
    const highest = ack.kind === "hello" ? ack.highest : (ack.ranges.at(-1)?.last ?? 0);
    if (highest >= journal.nextNumber()) return this.#onUnknownBatches(highest);
    if (ack.kind === "hello") this.#outbox.heldUpTo(highest);
    else if (ack.kind === "missing") this.#outbox.missing(ack.ranges);
    else this.#outbox.confirmed(ack.ranges);
    this.#pump();
  }

  /**
   * The host holds batches this journal never numbered: a restored image or a cloned card. Under this epoch the numbers are
   * taken; what is unconfirmed goes on under a new one, and in a new session: births may be lost, and only after a death
   * does a host know that what comes without one is not of the old epoch.
   */
  #onUnknownBatches(highest: number): void {
    const { journal, log } = this.#o;
    log.error("uplink.journal-went-back", { highest, next: journal.nextNumber(), epoch: journal.epoch });
    this.#inSession(() => {
      journal.renew(`the host holds batch ${highest}`);
      this.#outbox.renewed();
      this.#born = null;
      this.#state = "connecting";
      this.#endSession("a new epoch");
    });
  }

  // Batches out

  #tick(): void {
    if (this.#born === null) return;
    this.#outbox.look();
    this.#pump();
  }

  /** Sends what the window lets go, in bursts, so that polls and acks get their turn in between. */
  #pump(): void {
    this.#inSession((born) => {
      if (this.#outbox.pump(born) === "more") this.#pumpSoon();
    });
  }

  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    this.#o.timers.after(0, () => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #reportPending(): void {
    this.#inSession((born) => {
      const { unconfirmed, oldestUnconfirmed_ms } = this.#o.journal.status();
      const head = (name: string) => ({ timestamp_ms: this.#o.clock.now_ms(), alias: this.#aliases.of("", name) });
      born.publishData(null, (to) => {
        to.metric(data.int64(head(MetricName.deliveryPending), unconfirmed));
        to.metric(data.dateTime(head(MetricName.deliveryOldest), oldestUnconfirmed_ms));
      });
    });
  }

  /** Nothing happens outside a born session; what fails in it (a disk that cannot keep an alias) ends it, and only it. */
  #inSession(work: (born: BornSession) => void): void {
    if (this.#born === null) return;
    try {
      work(this.#born);
    } catch (error) {
      this.#born = null;
      this.#state = "connecting";
      this.#endSession(errorText(error));
    }
  }

  #sleep(delay_ms: number): Promise<void> {
    return new Promise((resolve) => this.#o.timers.after(delay_ms, resolve));
  }
}

function errorText(error: unknown): string {
  return error instanceof KhuXanhError || error instanceof Error ? error.message : String(error);
}
