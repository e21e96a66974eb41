import { divideHalfEven } from "../emission/decimal.ts";

/**
 * A shared plant (boiler, compressor, chiller, waste water): its emissions divided by metered output; what no meter shows is
 * the operator's (methods §4).
 *
 * Exact    the parts add up to the total to the milligram: each running sum is rounded, not each part.
 */
export interface SharedUse {
  readonly user: string;
  /** Metered output taken, in whole ticks of one unit. */
  readonly output: bigint;
}

export interface SharedPart {
  readonly user: string;
  readonly mg: bigint;
}

export interface SharedAllocation {
  readonly parts: readonly SharedPart[];
  /** The unmetered rest. */
  readonly operator_mg: bigint;
}

/**
 * @param produced output of the plant in the same ticks; users may have taken less, never more.
 * @throws {RangeError} for negative output, or users who took more than was produced.
 */
export function allocateShared(total_mg: bigint, produced: bigint, uses: readonly SharedUse[]): SharedAllocation {
  const negative = uses.find(({ output }) => output < 0n);
  if (negative !== undefined) throw new RangeError(`${negative.user} took ${negative.output}`);
  const taken = uses.reduce((sum, { output }) => sum + output, 0n);
  if (produced <= 0n) throw new RangeError(`a plant that produced ${produced} has nothing to divide by`);
  if (taken > produced) throw new RangeError(`users took ${taken} of ${produced} produced: check the plant's meter`);
  let seen = 0n;
  let given_mg = 0n;
  const parts = uses.map(({ user, output }) => {
    seen += output;
    const upTo_mg = divideHalfEven(total_mg * seen, produced);
    const mg = upTo_mg - given_mg;
    given_mg = upTo_mg;
    return { user, mg };
  });
  return { parts, operator_mg: total_mg - given_mg };
}
