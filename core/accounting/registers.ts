import { compare, type Fraction, fraction, minus, plus, product, sum, times, ZERO } from "../emission/fraction.ts";
import { input, type Step, step } from "./chain.ts";
import { refuse } from "./refuse.ts";

/**
 * Energy (or volume) from the readings of a cumulative register (methods §1, W01, W02).
 *
 * A change of transformer or meter ends one stretch and begins the next, each with its own multiplier. A fall of the
 * register is a rollover only if the meter could have counted that far and stood in the top part of its range; else it is a
 * reset or a replaced meter, which is refused: the final reading of the old meter must be stated.
 */
export interface RegisterStretch {
  readonly start: Fraction;
  readonly end: Fraction;
  readonly ctRatio: Fraction;
  readonly vtRatio: Fraction;
  /** Amount of one count, in the activity's unit. */
  readonly perCount: Fraction;
  /** Digits before the point, where it starts again at 0; null = a fall is no rollover. */
  readonly digits: number | null;
  readonly hours: Fraction;
  /** Greatest amount an hour, in the activity's unit an hour; null = not stated. */
  readonly maxPerHour: Fraction | null;
}

export interface RegisterResult {
  readonly count: Fraction;
  readonly amount: Fraction;
  readonly rolledOver: boolean;
  readonly meanPerHour: Fraction;
  readonly ceiling: Fraction | null;
}

/** A rollover starts from the top tenth of the range. */
const TOP_PART = fraction(9n, 10n);

export function registerAmount(
  stretches: readonly RegisterStretch[],
  unit: string,
): {
  readonly total: Fraction;
  readonly results: readonly RegisterResult[];
  readonly steps: readonly Step[];
} {
  const results = stretches.map((stretch, at) =>
    stretchAmount(stretch, stretches.length > 1 ? `registers[${at}]` : "registers", unit),
  );
  const steps = results.map((result, at) => stepOf(stretches[at]!, result, unit));
  return { total: sum(results.map(({ amount }) => amount)), results, steps };
}

function stretchAmount(stretch: RegisterStretch, key: string, unit: string): RegisterResult {
  const { start, end, digits, hours, maxPerHour } = stretch;
  const multiplier = product(stretch.ctRatio, stretch.vtRatio, stretch.perCount);
  const range = digits === null ? null : fraction(10n ** BigInt(digits));
  if (range !== null && (compare(start, range) >= 0 || compare(end, range) >= 0)) {
    refuse(`${key}.digits`, `the register reads more than its ${digits} digits can show`);
  }
  const fall = compare(end, start) < 0;
  if (fall && range === null) {
    refuse(
      `${key}.end`,
      "is less than start: a rollover needs `digits`; for a reset or a replaced meter give two stretches, the first ending with the old meter's last reading",
    );
  }
  const count = fall ? plus(minus(end, start), range!) : minus(end, start);
  const amount = times(count, multiplier);
  const ceiling = maxPerHour === null ? null : times(maxPerHour, hours);
  const isTooFast = ceiling !== null && compare(amount, ceiling) > 0;
  if (fall && compare(start, times(range!, TOP_PART)) < 0) {
    refuse(
      `${key}.end`,
      "fell from below the top tenth of its range: not a rollover but a reset or a replaced meter; give two stretches",
    );
  }
  if (isTooFast) {
    refuse(
      `${key}.end`,
      fall
        ? `as a rollover that is more ${unit} than max_per_hour allows in the period: a reset or a replaced meter; give two stretches`
        : `is more ${unit} than max_per_hour allows in the period: check ct_ratio, vt_ratio and per_count, and whether they are in the readings already`,
    );
  }
  const meanPerHour = hours.n === 0n ? ZERO : times(amount, fraction(hours.d, hours.n));
  return { count, amount, rolledOver: fall, meanPerHour, ceiling };
}

function stepOf(stretch: RegisterStretch, { count, amount, rolledOver }: RegisterResult, unit: string): Step {
  const read = "register reading";
  return step(
    "register",
    rolledOver
      ? "amount = (end − start + 10^digits) × ct_ratio × vt_ratio × per_count"
      : "amount = (end − start) × ct_ratio × vt_ratio × per_count",
    [
      input("start", stretch.start, "counts", read),
      input("end", stretch.end, "counts", read),
      input("counted", count, "counts", rolledOver ? "rolled over" : "difference"),
      input("ct_ratio", stretch.ctRatio, "1", "stated"),
      input("vt_ratio", stretch.vtRatio, "1", "stated"),
      input("per_count", stretch.perCount, `${unit} per count`, "stated"),
    ],
    amount,
    unit,
  );
}
