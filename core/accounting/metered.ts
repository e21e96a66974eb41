import { usualUse } from "../emission/carriers.ts";
import type { Emitter } from "../emission/emission.ts";
import { fraction, fromText, times } from "../emission/fraction.ts";
import type { Interval } from "../interval/interval.ts";
import type { Activity } from "./activity.ts";

/**
 * The activity an interval of a meter is: the same thing as a stated one, with register words for evidence. `calculate` and
 * `emissionsOf` give the same milligrams for it; the latter is the fast way of the hot path.
 * Null for an interval without a figure: nothing is known, which is not zero.
 */
export function activityOfInterval(interval: Interval, emitter: Emitter): Activity | null {
  if (interval.ticks === null) return null;
  const { ncv_MJ_per_Nm3: ncv } = emitter;
  return {
    id: `${interval.device} ${interval.quantity} ${interval.from_ms}`,
    site: null,
    supplier: null,
    carrier: emitter.carrier,
    use: usualUse(emitter.carrier),
    period: { from_ms: interval.from_ms, to_ms: interval.to_ms },
    amount: {
      kind: "quantity",
      value: times(fraction(interval.ticks), fromText(interval.tick.amount)),
      unit: interval.tick.unit,
    },
    conditions: null,
    ncv:
      ncv === null
        ? null
        : { value: fromText(ncv), unit: "MJ/Nm3", source: "certificate of the meter", uncertainty_pct: null },
    density: null,
    factor: null,
    supply: null,
    mix: null,
    biogenicShare: null,
    losses: null,
    certificatesSold_MWh: null,
    toe: null,
    coalGrade: null,
    maxPower_kW: null,
    uncertainty: { activity_pct: null, ncv_pct: null, factor_pct: null, meter: null, meterId: interval.device },
    provenance: {
      kind: "metered",
      device: interval.device,
      quantity: interval.quantity,
      flag: interval.flag,
      coverage: interval.coverage,
    },
    // What a register says is judged where it is read; here it is taken as it is.
    accepted: "metered",
  };
}
