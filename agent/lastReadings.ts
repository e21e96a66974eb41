import type { Reading } from "../core/reading/reading.ts";
import type { QuantityId } from "../core/units/quantities.ts";

/**
 * The newest reading of each quantity of a meter. They come with every sample and are asked for by births and the gateway's page
 * only, so a sample is not looked through when it comes: nearly always the next one brings the same quantities.
 */
export class LastReadings {
  readonly #byQuantity = new Map<QuantityId, Reading>();
  /** Of the newest sample: newer than what is known by quantity. */
  #newest: readonly Reading[] = [];
  /** Of its readings. Beside them, because theirs have long left the processor's cache when the next ones come. */
  #quantities: readonly QuantityId[] = [];

  /** @param readings of one sample, which nobody changes any more */
  take(readings: readonly Reading[]): void {
    if (readings.length === 0) return;
    if (!areOf(this.#quantities, readings)) {
      this.#sortIn();
      this.#quantities = readings.map(({ quantity }) => quantity);
    }
    this.#newest = readings;
  }

  /** As they are now. */
  all(): ReadonlyMap<QuantityId, Reading> {
    this.#sortIn();
    return this.#byQuantity;
  }

  #sortIn(): void {
    for (const reading of this.#newest) this.#byQuantity.set(reading.quantity, reading);
    this.#newest = [];
  }
}

/** Whether the readings are of these quantities, in this order. */
function areOf(quantities: readonly QuantityId[], readings: readonly Reading[]): boolean {
  if (readings.length !== quantities.length) return false;
  for (let i = 0; i < readings.length; i++) if (readings[i]!.quantity !== quantities[i]) return false;
  return true;
}
