/**
 * Power factor of a billing period and what a low one costs (methods §1, W25).
 *
 * Source   Circular 15/2014/TT-BCT: the factor from energies of the whole period, never a mean of momentary values.
 */
export interface PowerFactorCharge {
  /** null without any energy. */
  readonly cosPhi: number | null;
  /** To two decimals, as the Circular's table is read. */
  readonly cosPhiTable: number | null;
  /** Per cent on top of the active energy bill; 0 from 0.90 on, 52.54 below 0.60. */
  readonly surcharge_pct: number;
  readonly surcharge_VND: number;
  /** Reactive energy that had to be compensated in the period to reach the threshold, kvarh. */
  readonly compensation_kvarh: number;
}

export const COS_PHI_THRESHOLD = 0.9;
const COS_PHI_FLOOR = 0.6;
const SURCHARGE_BELOW_FLOOR_PCT = 52.54;

/** @throws {RangeError} for negative energies or a negative bill. */
export function powerFactorCharge(
  active_kWh: number,
  reactive_kvarh: number,
  activeBill_VND: number,
): PowerFactorCharge {
  if (!(active_kWh >= 0 && reactive_kvarh >= 0 && activeBill_VND >= 0)) {
    throw new RangeError(`energies and bill must not be negative: ${active_kWh}, ${reactive_kvarh}, ${activeBill_VND}`);
  }
  const apparent = Math.hypot(active_kWh, reactive_kvarh);
  if (apparent === 0) {
    return { cosPhi: null, cosPhiTable: null, surcharge_pct: 0, surcharge_VND: 0, compensation_kvarh: 0 };
  }
  const cosPhi = active_kWh / apparent;
  const cosPhiTable = hundredths(cosPhi);
  const surcharge_pct = surchargeOf(cosPhiTable);
  const allowed_kvarh = active_kWh * Math.tan(Math.acos(COS_PHI_THRESHOLD));
  return {
    cosPhi,
    cosPhiTable,
    surcharge_pct,
    surcharge_VND: (activeBill_VND * surcharge_pct) / 100,
    compensation_kvarh: Math.max(0, reactive_kvarh - allowed_kvarh),
  };
}

function surchargeOf(cosPhi: number): number {
  if (cosPhi >= COS_PHI_THRESHOLD) return 0;
  if (cosPhi < COS_PHI_FLOOR) return SURCHARGE_BELOW_FLOOR_PCT;
  return hundredths(100 * (COS_PHI_THRESHOLD / cosPhi - 1));
}

/** To two decimals, half up; the slack takes back what binary fractions lose on a written 0.005. */
function hundredths(value: number): number {
  return Math.floor(value * 100 + 0.5 + 1e-9) / 100;
}
