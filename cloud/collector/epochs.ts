import type { Log } from "../../core/ports.ts";
import { type BatchRange, BatchRanges } from "../../core/wire/ranges.ts";
import type { GatewayKey, ZoneStore } from "../store/store.ts";
import { GatewayMap } from "./gatewayMap.ts";

/** What is known of one epoch of a gateway. */
export interface Epoch {
  /** Held, or lost for good. */
  readonly numbers: BatchRanges;
  /** The lowest batch with intervals that may wait to be compared: nothing is looked for before all up to it is here. */
  waiting: number;
  /** The lowest number known to have come live: what was recorded before its epoch began has a lower one. */
  live: number;
  /**
   * A number of it came with two contents: the journal went back in time, and what is held says nothing of what the gateway has.
   * It begins another epoch, under which it sends what is not here.
   */
  isContested: boolean;
}

/** Which numbers of each epoch are accounted for: as the store says when it is first asked about, and noted from then on. */
export class Epochs {
  readonly #store: Pick<ZoneStore, "batchRanges" | "lostRanges" | "quarantineCount">;
  readonly #log: Log;
  readonly #epochs = new GatewayMap<Map<string, Epoch>>();

  constructor(store: Pick<ZoneStore, "batchRanges" | "lostRanges" | "quarantineCount">, log: Log) {
    this.#store = store;
    this.#log = log;
  }

  of(gateway: GatewayKey, epoch: string): Epoch {
    return this.#epochs.get(gateway)?.get(epoch) ?? this.#asStored(gateway, epoch);
  }

  #asStored(gateway: GatewayKey, epoch: string): Epoch {
    // What waits from before the start is not known: the first look says.
    const isContested = this.#store.quarantineCount(gateway, epoch) > 0;
    const known: Epoch = { numbers: new BatchRanges(), waiting: 1, live: Number.POSITIVE_INFINITY, isContested };
    const epochs = this.#epochs.get(gateway);
    if (epochs === undefined) this.#epochs.set(gateway, new Map([[epoch, known]]));
    else epochs.set(epoch, known);
    for (const [first, last] of this.#store.batchRanges(gateway, epoch)) this.accounted(gateway, epoch, first, last);
    for (const [first, last] of this.#store.lostRanges(gateway, epoch)) this.accounted(gateway, epoch, first, last);
    return known;
  }

  /** The numbers are held from now on, or lost for good: nobody waits for them. */
  accounted(gateway: GatewayKey, epoch: string, first: number, last: number): void {
    try {
      this.of(gateway, epoch).numbers.addRange(first, last);
    } catch (error) {
      // More holes than an honest counter makes: what lies beyond them stays uncompared.
      this.#log.warn("collector.too-many-gaps", { ...gateway, epoch, error: String(error) });
    }
  }

  /** The batch came live: it was recorded in this epoch, and so is what has a higher number. */
  cameLive(gateway: GatewayKey, epoch: string, number: number): void {
    const known = this.of(gateway, epoch);
    known.live = Math.min(known.live, number);
  }

  /** Whether the batch may have been recorded before its epoch began. */
  mayBeRenumbered(gateway: GatewayKey, epoch: string, number: number): boolean {
    return number < this.of(gateway, epoch).live;
  }

  /** Whether all that was recorded before this epoch began is here or lost: of earlier epochs nothing comes any more. */
  isCaughtUp(gateway: GatewayKey, epoch: string): boolean {
    const { numbers, live } = this.of(gateway, epoch);
    return numbers.contiguousThrough() >= live;
  }

  /** The highest number of the epoch that is held or known lost. */
  highest(gateway: GatewayKey, epoch: string): number {
    return this.of(gateway, epoch).numbers.highest;
  }

  /** What is neither held nor known lost below that, ascending. */
  missing(gateway: GatewayKey, epoch: string): readonly BatchRange[] {
    const { numbers } = this.of(gateway, epoch);
    return numbers.missingBelow(numbers.highest);
  }
}
