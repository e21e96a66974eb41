/**
 * Per tonne of product, or per anything: the ratio of sums over a period, never a mean of ratios (methods §6, W16).
 * null when nothing was produced: a ratio to zero is no figure.
 */
export function intensity(parts: readonly { readonly amount: number; readonly output: number }[]): number | null {
  let amount = 0;
  let output = 0;
  for (const part of parts) {
    amount += part.amount;
    output += part.output;
  }
  return output > 0 ? amount / output : null;
}
