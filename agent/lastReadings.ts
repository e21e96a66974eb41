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

  /** @param readings of one sample, which nobody changes any more */
  take(readings: readonly Reading[]): void {
    if (readings.length === 0) return;
    if (!beginsAlike(readings, this.#newest)) this.#sortIn();
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

/** Whether there is a reading of each quantity of those before, in their order. */
function beginsAlike(readings: readonly Reading[], before: readonly Reading[]): boolean {
  if (readings.length < before.length) return false;
  for (let i = 0; i < before.length; i++) if (readings[i]!.quantity !== before[i]!.quantity) return false;
  return true;
}
