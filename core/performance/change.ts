/**
 * Why a figure changed: activity or factor, structure or performance, restatement (methods §7, §10; W06, W23, W24).
 */

export interface ActivityYear {
  /** In the unit the factor is per. */
  readonly activity: number;
  readonly factor: number;
}

export interface ChangeSplit {
  readonly activityEffect: number;
  readonly factorEffect: number;
  /** Equal to the two effects together. */
  readonly change: number;
}

/**
 * Splits the change of activity × factor: the activity effect at the old factor, the factor effect at the new activity.
 * A fall that the grid's factor caused is not the factory's own saving, so the two are shown apart.
 */
export function splitChange(before: ActivityYear, after: ActivityYear): ChangeSplit {
  const activityEffect = (after.activity - before.activity) * before.factor;
  const factorEffect = after.activity * (after.factor - before.factor);
  return { activityEffect, factorEffect, change: activityEffect + factorEffect };
}

export interface Restatement {
  readonly before_t: number;
  readonly after_t: number;
  readonly delta_t: number;
  /** Of the earlier total; null when that was zero. */
  readonly delta_pct: number | null;
  /** At or beyond the threshold, up or down. A factor change is restated and disclosed either way. */
  readonly isMaterial: boolean;
}

export function restatement(before_t: number, after_t: number, significance_pct: number): Restatement {
  const delta_t = after_t - before_t;
  const delta_pct = before_t === 0 ? null : (delta_t / before_t) * 100;
  const isMaterial = delta_pct === null ? delta_t !== 0 : Math.abs(delta_pct) >= significance_pct;
  return { before_t, after_t, delta_t, delta_pct, isMaterial };
}

/** Changes of structure, each in emissions of the base year: what the unit emitted then. Organic growth is not one. */
export interface StructuralChange {
  readonly kind: "acquired" | "divested" | "insourced" | "outsourced" | "method" | "error";
  /** Magnitude; for `method` and `error` signed as it changes the base year. */
  readonly baseYear_t: number;
  readonly why: string;
}

export interface BaseYearReview {
  readonly change_t: number;
  readonly change_pct: number;
  readonly isRecalculated: boolean;
  /** As it stands after the review: unchanged below the threshold. */
  readonly baseYear_t: number;
}

const SIGN: Readonly<Record<StructuralChange["kind"], 1 | -1>> = {
  acquired: 1,
  insourced: 1,
  method: 1,
  error: 1,
  divested: -1,
  outsourced: -1,
};

/**
 * Whether the base year has to be recalculated: when the cumulated effect of all changes reaches the threshold.
 * @param threshold_pct policy of the organisation; 5 % is common (GHG Protocol leaves it to the company)
 * @throws {RangeError} for a base year without emissions.
 */
export function reviewBaseYear(
  baseYear_t: number,
  changes: readonly StructuralChange[],
  threshold_pct: number,
): BaseYearReview {
  if (!(baseYear_t > 0)) throw new RangeError(`base year emissions of ${baseYear_t} t`);
  const change_t = changes.reduce((sum, change) => sum + SIGN[change.kind] * change.baseYear_t, 0);
  const change_pct = (change_t / baseYear_t) * 100;
  const isRecalculated = Math.abs(change_pct) >= threshold_pct;
  return { change_t, change_pct, isRecalculated, baseYear_t: isRecalculated ? baseYear_t + change_t : baseYear_t };
}
