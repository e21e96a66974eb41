import type { Clock } from "../../core/ports.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { encodePayload, type Metric, type Payload } from "../../core/wire/payload.ts";
import type { GatewayKey } from "../store/store.ts";
import type { Commits } from "./commits.ts";
import type { Confirmations } from "./confirmations.ts";
import type { Epochs } from "./epochs.ts";
import type { Intake } from "./intake.ts";
import type { Node } from "./nodes.ts";
import type { Outcomes } from "./outcomes.ts";
import { NOT_ANNOUNCED, type PlainMessages, plainIntake } from "./plain.ts";
import { type DeviceSession, showLive } from "./session.ts";
import type { Verifier } from "./verifier.ts";

/** Batches of one gateway remembered as unexplained by any birth; beyond it the oldest are forgotten, and asked about again. */
const UNEXPLAINED_MAX = 1_000;

export interface ArrivalsOptions {
  readonly clock: Pick<Clock, "now_ms">;
  readonly commits: Commits;
  readonly plain: PlainMessages;
  readonly outcomes: Outcomes;
  readonly epochs: Epochs;
  readonly verifier: Verifier;
  readonly confirmations: Confirmations;
  /** There is work of this kind. */
  readonly wake: (what: "commit" | "notify") => void;
}

/** What data messages bring, on its way into the store: numbered batches, samples without numbers, and what cannot be read. */
export class Arrivals {
  readonly #o: ArrivalsOptions;
  /** Messages with values and no batch number. */
  foreign = 0;

  constructor(options: ArrivalsOptions) {
    this.#o = options;
  }

  take(node: Node, epoch: string, intake: Intake, device: string, bytes: Uint8Array, topic: string): void {
    const { gateway } = node;
    if (intake.kind === "unknown-metric") return this.#onUnexplained(node, epoch, intake.number, bytes, topic);
    if (intake.kind === "malformed") {
      const { why, number, at_ms } = intake;
      const content = at_ms === null ? null : { device, at_ms };
      const letter = { gateway, topic, why, payload: bytes, content };
      return number === null ? this.#o.outcomes.setAside(letter, null) : this.#o.outcomes.giveUp(letter, epoch, number);
    }
    if (intake.kind === "plain") {
      this.foreign += 1;
      return;
    }
    this.#o.verifier.noteArrival();
    const { batch, isLive } = intake;
    if (isLive) this.#o.epochs.cameLive(gateway, epoch, batch.number);
    const mayBeRenumbered = this.#o.epochs.mayBeRenumbered(gateway, epoch, batch.number);
    this.#o.commits.add({ ...batch, gateway, epoch, mayBeRenumbered });
    this.#o.wake("commit");
  }

  /** Of a node that does not number batches: what can be read is shown and kept, the rest is set aside. */
  takePlain({ gateway }: Node, born: DeviceSession, { timestamp_ms, metrics }: Payload, topic: string): void {
    const at_ms = timestamp_ms ?? this.#o.clock.now_ms();
    const { sent, unusable, why, isUnexplained } = plainIntake(born, metrics, at_ms);
    this.foreign += 1;
    showLive(sent);
    this.#o.wake("notify");
    this.#o.plain.add(gateway, born, sent);
    this.#o.wake("commit");
    if (isUnexplained) this.#o.confirmations.askRebirth(gateway);
    if (why === null) return;
    const content = { device: born.device, at_ms };
    this.#o.outcomes.setAside({ gateway, topic, why, payload: encodePayload({ metrics: unusable }), content }, null);
  }

  setAsideUnborn({ gateway }: Node, device: string, payload: Uint8Array, topic: string): void {
    const content = { device, at_ms: this.#o.clock.now_ms() };
    this.#o.outcomes.setAside({ gateway, topic, why: "data of a device that was not born", payload, content }, null);
  }

  keepPlain(gateway: GatewayKey, born: DeviceSession, metrics: readonly Metric[], sent_ms: EpochMs | undefined): void {
    const at_ms = sent_ms ?? this.#o.clock.now_ms();
    this.#o.plain.add(gateway, born, plainIntake(born, metrics, at_ms).sent);
    this.#o.wake("commit");
  }

  /**
   * A metric no birth explains: a birth is asked for, and the batch comes again. If it does so after a birth and is still
   * not explained, it never will be: it is set aside, so that it is not sent for ever.
   */
  #onUnexplained(node: Node, epoch: string, number: number | null, bytes: Uint8Array, topic: string): void {
    const { unexplained, births, gateway } = node;
    const before = number === null ? undefined : unexplained.get(number);
    if (number !== null && before !== undefined && before < births) {
      unexplained.delete(number);
      return this.#o.outcomes.giveUp(
        { gateway, topic, why: NOT_ANNOUNCED, payload: bytes, content: null },
        epoch,
        number,
      );
    }
    if (number !== null && before === undefined) {
      const oldest = unexplained.keys().next();
      if (unexplained.size >= UNEXPLAINED_MAX && oldest.done !== true) unexplained.delete(oldest.value);
      unexplained.set(number, births);
    }
    this.#o.confirmations.askRebirth(gateway);
  }
}
