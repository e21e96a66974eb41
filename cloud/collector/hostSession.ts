import {
  atMost,
  type Clock,
  type Log,
  type MqttConnector,
  type MqttLink,
  type Random,
  type Timers,
} from "../../core/ports.ts";
import { encodeState, parseState } from "../../core/wire/state.ts";
import { ALL_TOPICS_FILTER, parseTopic, type Topic, topicOf } from "../../core/wire/topics.ts";
import type { ZoneStore } from "../store/store.ts";

/**
 * The collector's own MQTT session as primary host: CONNECT with the STATE will, subscribe, STATE online, and again when it
 * ends. STATE is ordered by its timestamp, so that is kept on disk and always grows (reference sparkplug §14).
 */
export interface HostSessionOptions {
  readonly hostId: string;
  readonly connect: { readonly url: string; readonly username?: string; readonly password?: string };
  readonly connector: MqttConnector;
  readonly store: Pick<ZoneStore, "getValue" | "setValue" | "putAlarm">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly log: Log;
  readonly onMessage: (topic: Topic, payload: Uint8Array, topicText: string) => void;
  readonly onLost: () => void;
}

const KEEPALIVE_S = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MS = 1_000;
/** How long STATE offline may wait for its PUBACK when we stop. */
const FAREWELL_MS = 1_500;
const STATE_KEY = "state_at_ms";
/** Topics kept parsed, each as often heard as a meter is polled; beyond it they are parsed anew, and a long one always. */
const TOPICS_MAX = 20_000;
/** Names of ours are some twenty characters; a topic may have 65,535. So what is kept stays below some 10 MB. */
const TOPIC_KEPT_MAX = 200;
/** Our clock this far behind what we once said is an alarm: gateways go by the greater of the two. */
const WENT_BACK_MS = 60_000;

export class HostSession {
  readonly #o: HostSessionOptions;
  readonly #topic: string;
  #link: MqttLink | null = null;
  #isStopping = false;
  #end: (why: string) => void = () => {};
  #stateAt_ms: number;
  /** STATE offline that came while the session was being made. */
  #retained: Uint8Array | null = null;
  readonly #topics = new Map<string, Topic | null>();

  constructor(options: HostSessionOptions) {
    this.#o = options;
    this.#topic = topicOf({ kind: "STATE", host: options.hostId });
    this.#stateAt_ms = Number(options.store.getValue(STATE_KEY) ?? 0);
  }

  get isConnected(): boolean {
    return this.#link !== null;
  }

  /** Connects and reconnects until stopped; an unreachable broker never ends a collector. */
  async run(): Promise<void> {
    const { timers, random, log, onLost } = this.#o;
    while (!this.#isStopping) {
      const why = await this.#session().catch((error: unknown) => String(error));
      this.#link = null;
      onLost();
      if (this.#isStopping) break;
      log.warn("collector.session-ended", { why });
      await new Promise<void>((resolve) => timers.after(RECONNECT_MS * (0.5 + random.unit()), resolve));
    }
  }

  /** QoS 0; a link that does not take it is over. */
  publish(topic: string, payload: Uint8Array): void {
    this.#link?.publish(topic, payload, { qos: 0, retain: false }).catch((error) => this.#end(String(error)));
  }

  /** STATE offline, acknowledged or not, then DISCONNECT. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const link = this.#link;
    if (link !== null) {
      this.#keepStateTime(Math.max(this.#o.clock.now_ms(), this.#stateAt_ms));
      const state = encodeState({ online: false, timestamp_ms: this.#stateAt_ms });
      const said = link.publish(this.#topic, state, { qos: 1, retain: true }).then(() => link.end());
      await atMost(FAREWELL_MS, said, this.#o.timers).catch(() => link.destroy());
    }
    this.#end("stopped");
  }

  async #session(): Promise<string> {
    const { hostId, connector, connect, log } = this.#o;
    this.#nextStateTime();
    this.#retained = null;
    const ended = new Promise<string>((resolve) => {
      this.#end = resolve;
    });
    const death = encodeState({ online: false, timestamp_ms: this.#stateAt_ms });
    const link = await connector.connect({
      ...connect,
      clientId: `khuxanh-host-${hostId}`,
      will: { topic: this.#topic, payload: death, qos: 1, retain: true },
      keepalive_s: KEEPALIVE_S,
      connectTimeout_ms: CONNECT_TIMEOUT_MS,
      onMessage: (topic, payload) => this.#onMessage(topic, payload),
      onClose: (why) => this.#end(why),
    });
    await link.subscribe([
      { filter: this.#topic, qos: 1 },
      { filter: ALL_TOPICS_FILTER, qos: 1 },
    ]);
    this.#link = link;
    this.#sayOnline();
    // What is retained comes before the subscription is confirmed.
    if (this.#retained !== null) this.#onOwnState(this.#retained);
    log.info("collector.online", { host: hostId });
    return await ended;
  }

  #nextStateTime(): void {
    const { clock, store, log } = this.#o;
    const now_ms = clock.now_ms();
    if (now_ms < this.#stateAt_ms - WENT_BACK_MS) {
      const detail = { now_ms, said_ms: this.#stateAt_ms };
      log.error("collector.clock-went-back", detail);
      store.putAlarm({ code: "CLOCK_WENT_BACK", gateway: null, device: null, at_ms: now_ms, detail });
    }
    this.#stateAt_ms = Math.max(now_ms, this.#stateAt_ms + 1);
    store.setValue(STATE_KEY, String(this.#stateAt_ms));
  }

  /** The clock may be put back before the next start: what was said last is the least that is said then. */
  #keepStateTime(at_ms: number): void {
    this.#stateAt_ms = at_ms;
    try {
      this.#o.store.setValue(STATE_KEY, String(at_ms));
    } catch (error) {
      // A full disk keeps nobody from saying goodbye. What is retained then tells the next start.
      this.#o.log.warn("collector.state-time-not-kept", { error: String(error) });
    }
  }

  #sayOnline(): void {
    const state = encodeState({ online: true, timestamp_ms: this.#stateAt_ms });
    this.#link?.publish(this.#topic, state, { qos: 1, retain: true }).catch((error) => this.#end(String(error)));
  }

  #onMessage(topicText: string, payload: Uint8Array): void {
    const topic = this.#topicOf(topicText);
    if (topic === null) return;
    if (topic.kind !== "STATE") this.#o.onMessage(topic, payload, topicText);
    else if (topic.host === this.#o.hostId) this.#onOwnState(payload);
  }

  #topicOf(text: string): Topic | null {
    if (text.length > TOPIC_KEPT_MAX) return parseTopic(text);
    let topic = this.#topics.get(text);
    if (topic === undefined) {
      topic = parseTopic(text);
      if (this.#topics.size >= TOPICS_MAX) this.#topics.clear();
      this.#topics.set(text, topic);
    }
    return topic;
  }

  /** Someone (an old will of ours) says we are offline: contradict at once, or, if that is newer, with a newer session. */
  #onOwnState(bytes: Uint8Array): void {
    const state = parseState(bytes);
    if (state === null || state.online || this.#isStopping) return;
    if (this.#link === null) {
      this.#retained = bytes;
      return;
    }
    this.#sayOnline();
    if (state.timestamp_ms <= this.#stateAt_ms) return;
    this.#stateAt_ms = state.timestamp_ms;
    this.#o.log.warn("collector.state-from-the-future", { timestamp_ms: state.timestamp_ms });
    this.#link.destroy();
  }
}
