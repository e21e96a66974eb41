import type { ZoneStore } from "../../../cloud/store/store.ts";
import { MetricName, parseAck } from "../../../core/wire/ack.ts";
import { decodePayload } from "../../../core/wire/payload.ts";
import { type BatchRange, BatchRanges } from "../../../core/wire/ranges.ts";
import { parseTopic } from "../../../core/wire/topics.ts";
import type { Findings } from "../findings.ts";

/**
 * Nothing is confirmed that is not committed: looked at where the collector says it, and again where the gateway believes
 * it. And the gateway's side of it: a number is given once in an epoch, in ascending order.
 */
export class AckChecker {
  readonly #findings: Findings;
  readonly #store: () => ZoneStore;
  readonly #group: string;
  readonly #newest = new Map<string, number>();
  /** What the collector confirmed while it held it, by gateway and epoch: it may be under way when the store goes back. */
  readonly #said = new Map<string, BatchRanges>();

  constructor(findings: Findings, group: string, store: () => ZoneStore) {
    this.#findings = findings;
    this.#group = group;
    this.#store = store;
  }

  /** The collector publishes. */
  command(topicText: string, bytes: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (topic?.kind !== "NCMD") return;
    for (const { name, stringValue } of decodePayload(bytes).metrics) {
      if (name !== MetricName.deliveryAck || stringValue === undefined) continue;
      const ack = parseAck(stringValue);
      if (ack.kind === "malformed") this.#findings.report("acks", `the collector says ${stringValue}: ${ack.why}`);
      if (ack.kind !== "ack") continue;
      this.#assertHeld("the collector confirms", topic.edge, ack.epoch, ack.ranges);
      const key = `${topic.edge} ${ack.epoch}`;
      const said = this.#said.get(key) ?? new BatchRanges();
      this.#said.set(key, said);
      for (const { first, last } of ack.ranges) said.addRange(first, last);
    }
  }

  /** The gateway takes batches for confirmed. */
  confirmed(edge: string, epoch: string, ranges: readonly BatchRange[]): void {
    const said = this.#said.get(`${edge} ${epoch}`);
    const unsaid = ranges.flatMap(({ first, last }) => said?.missingIn(first, last) ?? [{ first, last }]);
    this.#assertHeld("the gateway takes for confirmed", edge, epoch, unsaid);
  }

  numbered(edge: string, epoch: string, numbers: readonly number[]): void {
    const key = `${edge} ${epoch}`;
    for (const number of numbers) {
      const newest = this.#newest.get(key) ?? 0;
      if (number <= newest)
        this.#findings.report("numbers", `${edge} gives number ${number} after ${newest} in ${epoch}`);
      this.#newest.set(key, Math.max(newest, number));
    }
  }

  /** Its journal is an older one: it gives numbers again that it does not know of. */
  restored(edge: string): void {
    for (const key of this.#newest.keys()) if (key.startsWith(`${edge} `)) this.#newest.delete(key);
  }

  #assertHeld(who: string, edge: string, epoch: string, ranges: readonly BatchRange[]): void {
    const gateway = { group: this.#group, edge };
    const held = BatchRanges.of(
      this.#store()
        .batchRanges(gateway, epoch)
        .map(([first, last]) => ({ first, last })),
    );
    for (const { first, last } of ranges) {
      for (let number = first; number <= last; number++) {
        if (held.has(number)) continue;
        this.#findings.report("acks", `${who} batch ${number} of ${edge} ${epoch}, which is not in the store`);
        return;
      }
    }
  }
}
