/**
 * Compliance with a pilot emission quota (Decree 119/2025/ND-CP Art. 1(16); methods §7, W27). Quotas cover scope 1 only.
 *
 * Units    t CO2e over one allocation period.
 */
export interface QuotaUse {
  readonly allocation_t: number;
  readonly verifiedDirect_t: number;
  /** Carbon credits handed in, and quota borrowed from the next period, as wished. */
  readonly credits_t: number;
  readonly borrowed_t: number;
  /** Shares of the allocation that credits and borrowing may reach: 0.30 and 0.15 in the decree. */
  readonly creditCap: number;
  readonly borrowCap: number;
}

export interface QuotaResult {
  readonly creditsMax_t: number;
  readonly borrowMax_t: number;
  /** What counts of the credits and of the borrowing: the wish or the cap. */
  readonly creditsUsed_t: number;
  readonly borrowedUsed_t: number;
  readonly toSurrender_t: number;
  /** What has to be bought; 0 when the allocation is enough. */
  readonly purchase_t: number;
  /** Quota left over; 0 when some has to be bought. */
  readonly surplus_t: number;
}

/** @throws {RangeError} for a negative quantity. */
export function quotaCompliance(use: QuotaUse): QuotaResult {
  for (const [name, value] of Object.entries(use)) {
    if (!(value >= 0)) throw new RangeError(`${name} is ${value}`);
  }
  const creditsMax_t = use.allocation_t * use.creditCap;
  const borrowMax_t = use.allocation_t * use.borrowCap;
  const creditsUsed_t = Math.min(use.credits_t, creditsMax_t, use.verifiedDirect_t);
  const toSurrender_t = use.verifiedDirect_t - creditsUsed_t;
  const borrowedUsed_t = Math.min(use.borrowed_t, borrowMax_t);
  const short_t = toSurrender_t - use.allocation_t - borrowedUsed_t;
  return {
    creditsMax_t,
    borrowMax_t,
    creditsUsed_t,
    borrowedUsed_t,
    toSurrender_t,
    purchase_t: Math.max(0, short_t),
    surplus_t: Math.max(0, -short_t),
  };
}
