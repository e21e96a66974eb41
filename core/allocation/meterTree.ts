/**
 * The tree of meters: what a main meter counted, what its sub-meters explain, and whether the rest can be explained by the
 * meters' own errors (methods §1, W21).
 *
 * Units    any one unit of energy or volume for the whole tree; uncertainties are 95 % half-widths in per cent.
 * Limits   32 levels; a deeper tree, or one that contains itself, is a mistake.
 */
export interface MeterNode {
  readonly id: string;
  /** null = not known in this period: the balance above it is then a lower bound. */
  readonly amount: number | null;
  /** null = unknown, which is not zero: the imbalance cannot be judged. */
  readonly uncertainty_pct: number | null;
  readonly children: readonly MeterNode[];
}

export interface Balance {
  readonly id: string;
  readonly main: number | null;
  readonly subTotal: number;
  /** main − sum of subs: losses and what has no meter. null when a figure is missing. */
  readonly rest: number | null;
  readonly rest_pct: number | null;
  /** Half-width of the rest, in the unit; null when an uncertainty is unknown. */
  readonly restUncertainty: number | null;
  /**
   * unmetered: the rest is more than the meters' errors can be · within: it is not · negative: the subs show more than the
   * main by more than errors · unknown: a figure or an uncertainty is missing
   */
  readonly verdict: "within" | "unmetered" | "negative" | "unknown";
  readonly missing: readonly string[];
}

const LEVELS_MAX = 32;

/** One balance for every meter that has sub-meters, the root first. @throws {RangeError} beyond 32 levels. */
export function balances(root: MeterNode, level = 0): readonly Balance[] {
  if (level > LEVELS_MAX) throw new RangeError(`a meter tree of more than ${LEVELS_MAX} levels at ${root.id}`);
  if (root.children.length === 0) return [];
  return [balanceOf(root), ...root.children.flatMap((child) => balances(child, level + 1))];
}

function balanceOf({ id, amount: main, uncertainty_pct, children }: MeterNode): Balance {
  const missing = children.filter(({ amount }) => amount === null).map((child) => child.id);
  const subTotal = children.reduce((sum, { amount }) => sum + (amount ?? 0), 0);
  if (main === null || missing.length > 0) {
    return {
      id,
      main,
      subTotal,
      rest: null,
      rest_pct: null,
      restUncertainty: null,
      verdict: "unknown",
      missing: main === null ? [id, ...missing] : missing,
    };
  }
  const rest = main - subTotal;
  const restUncertainty = halfWidth([{ amount: main, uncertainty_pct }, ...children]);
  return {
    id,
    main,
    subTotal,
    rest,
    rest_pct: main === 0 ? null : (rest / main) * 100,
    restUncertainty,
    verdict: restUncertainty === null ? "unknown" : verdictOf(rest, restUncertainty),
    missing: [],
  };
}

function verdictOf(rest: number, halfWidth: number): Balance["verdict"] {
  if (Math.abs(rest) <= halfWidth) return "within";
  return rest > 0 ? "unmetered" : "negative";
}

function halfWidth(
  terms: readonly { readonly amount: number | null; readonly uncertainty_pct: number | null }[],
): number | null {
  let squares = 0;
  for (const { amount, uncertainty_pct } of terms) {
    if (amount === null || uncertainty_pct === null) return null;
    squares += ((amount * uncertainty_pct) / 100) ** 2;
  }
  return Math.sqrt(squares);
}
