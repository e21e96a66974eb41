import { KhuXanhError } from "../../core/errors.ts";
import type { Clock, Log } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { metricContent } from "../../core/wire/content.ts";
import { encodeCanonical, type Metric, QUALITY_PROPERTY } from "../../core/wire/payload.ts";
import { type GatewayKey, MESSAGES_GIVEN_UP, type PlainMessage, type ZoneStore } from "../store/store.ts";
import { bornOf, type DeviceMetric, type DeviceSession, type Sent } from "./session.ts";

/** Messages that wait for a store that is busy or full; beyond it the oldest are given up: nobody sends them again. */
export const WAITING_MAX = 10_000;

/** What a message of a node that numbers no batches brings: what can be kept, and what cannot, with the reason of the first. */
export interface PlainIntake {
  readonly sent: Sent;
  readonly unusable: readonly Metric[];
  readonly why: string | null;
  /** Some metric has no birth that we know: a birth may mend it for what comes next. */
  readonly isUnexplained: boolean;
}

export const NOT_ANNOUNCED = "a metric that no birth announces";

/** Metric by metric: nobody sends it again, so that one that makes no sense must not take the others with it. */
export function plainIntake(device: DeviceSession, metrics: readonly Metric[], sent_ms: EpochMs): PlainIntake {
  const sound: Metric[] = [];
  const of: DeviceMetric[] = [];
  const unusable: Metric[] = [];
  let why: string | null = null;
  let isUnexplained = false;
  for (const metric of metrics) {
    const born = bornOf(device, metric);
    const content = born === undefined ? null : metricContent(device.device, metric, born.born, sent_ms);
    if (born !== undefined && content?.kind !== "malformed") {
      sound.push(metric);
      of.push(born);
      continue;
    }
    isUnexplained ||= born === undefined;
    why ??= content?.kind === "malformed" ? content.why : NOT_ANNOUNCED;
    unusable.push(metric);
  }
  return { sent: { at_ms: sent_ms, metrics: sound, of }, unusable, why, isUnexplained };
}

/** The values of a birth as data: one that never changes is sent in no other message. Null is "not read yet". */
export function valuesOfBirth(metrics: readonly Metric[]): Metric[] {
  return metrics.flatMap(({ properties, ...metric }) => {
    const { name } = metric;
    if (name === undefined || metric.datatype === undefined || metric.isNull === true) return [];
    if (name === "bdSeq" || name.startsWith("Node Control/")) return [];
    const quality = properties?.get(QUALITY_PROPERTY);
    return [quality === undefined ? metric : { ...metric, properties: new Map([[QUALITY_PROPERTY, quality]]) }];
  });
}

export interface PlainMessagesOptions {
  readonly store: Pick<ZoneStore, "commitPlain" | "putAlarm">;
  readonly clock: Pick<Clock, "now_ms">;
  readonly log: Log;
  /** The store can never hold this one. */
  readonly onRefused: (message: PlainMessage, why: string) => void;
}

/**
 * Messages of gateways that number no batches, on their way into the store (reference sparkplug §17.4): stored by (device,
 * metric, timestamp) with the quality they were sent with, confirmed to nobody, booked nowhere. Readings that the sender
 * calls transient are shown and not kept. What had to be given up is an alarm as soon as the store takes one.
 */
export class PlainMessages {
  readonly #o: PlainMessagesOptions;
  #waiting: PlainMessage[] = [];
  readonly #unsaid = new Map<string, { readonly gateway: GatewayKey; messages: number }>();
  /** Samples stored since the start, and messages given up. */
  stored = 0;
  givenUp = 0;

  constructor(options: PlainMessagesOptions) {
    this.#o = options;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  add(gateway: GatewayKey, { device, birthId }: DeviceSession, { metrics, of, at_ms: sent_ms }: Sent): void {
    const samples = metrics.flatMap((metric, i) => {
      if (metric.isTransient === true) return [];
      const at_ms = metric.timestamp_ms ?? sent_ms;
      return [{ metric: of[i]!.born.name, at_ms, payload: encodeCanonical([{ ...metric, timestamp_ms: at_ms }]) }];
    });
    if (samples.length === 0) return;
    this.#waiting.push({ gateway, device, birthId, samples });
    if (this.#waiting.length > WAITING_MAX) this.#giveUp(this.#waiting.shift()!);
  }

  /** What a busy or full store does not take goes on waiting: {@link isWaiting}. */
  commit(): void {
    const messages = this.#waiting;
    if (messages.length === 0) return;
    this.#waiting = [];
    const refused: { readonly message: PlainMessage; readonly why: string }[] = [];
    this.#commitSome(messages, refused);
    for (const { message, why } of refused) {
      this.givenUp += 1;
      this.#o.onRefused(message, why);
    }
    if (this.#waiting.length === 0) this.#sayGivenUp();
  }

  /** One message that can never be stored is looked for by halves, and stops no other. */
  #commitSome(messages: readonly PlainMessage[], refused: { message: PlainMessage; why: string }[]): void {
    try {
      this.stored += this.#o.store.commitPlain(messages);
      return;
    } catch (error) {
      const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
      const isRefused = code === "STORE_REFUSED" || code === "INTERNAL";
      if (!isRefused || messages.length === 1) {
        this.#o.log.error("collector.plain-not-stored", { messages: messages.length, code, error: String(error) });
      }
      if (!isRefused) {
        for (const message of messages) this.#waiting.push(message);
        return;
      }
      if (messages.length === 1) {
        refused.push({ message: messages[0]!, why: String(error) });
        return;
      }
    }
    const middle = messages.length >> 1;
    this.#commitSome(messages.slice(0, middle), refused);
    this.#commitSome(messages.slice(middle), refused);
  }

  #giveUp({ gateway }: PlainMessage): void {
    this.givenUp += 1;
    const key = `${gateway.group}/${gateway.edge}`;
    const unsaid = this.#unsaid.get(key) ?? { gateway, messages: 0 };
    unsaid.messages += 1;
    this.#unsaid.set(key, unsaid);
  }

  #sayGivenUp(): void {
    for (const [key, { gateway, messages }] of this.#unsaid) {
      const why = `the store took nothing for too long: ${WAITING_MAX} messages wait at most`;
      this.#o.log.error("collector.messages-given-up", { ...gateway, messages, why, code: MESSAGES_GIVEN_UP });
      const at_ms = this.#o.clock.now_ms();
      this.#o.store.putAlarm({ code: MESSAGES_GIVEN_UP, gateway, device: null, at_ms, detail: { messages } });
      this.#unsaid.delete(key);
    }
  }
}
