import type { BusReply } from "../../core/ports.ts";
import type { PolledMeter } from "./polledMeter.ts";

/** Failures in a row, of two units where the line has them. */
const FAILURES_MAX = 2;

/**
 * Whether a line can be reached at all. One failure, or those of one unit, may be a device that hangs up, and its neighbours are
 * not to pay for it.
 */
export class Reach {
  readonly #hasOneUnit: boolean;
  #failures = 0;
  /** Units that could not be reached since somebody was, the last one last. */
  readonly #unreached = new Set<number>();

  constructor(meters: readonly PolledMeter[]) {
    this.#hasOneUnit = meters.every(({ of }) => of.unit === meters[0]!.of.unit);
  }

  note(unit: number, { kind }: BusReply): void {
    if (kind === "unreachable") {
      this.#failures += 1;
      this.#unreached.delete(unit);
      this.#unreached.add(unit);
    } else if (this.#failures > 0) {
      this.#failures = 0;
      this.#unreached.clear();
    }
  }

  /** The last exchange reached nobody. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  /** Nobody on the line can be asked. */
  get isGone(): boolean {
    return this.#failures >= FAILURES_MAX && (this.#hasOneUnit || this.#unreached.size > 1);
  }

  /** Who was asked in vain last is asked last: it may be that one alone. */
  inOrder(due: readonly PolledMeter[]): readonly PolledMeter[] {
    const last = [...this.#unreached].at(-1);
    if (last === undefined || due.length < 2) return due;
    return [...due.filter(({ of }) => of.unit !== last), ...due.filter(({ of }) => of.unit === last)];
  }
}
