import type { SimMeter } from "../meters/simMeter.ts";
import type { FaultWhat } from "./catalogue.ts";
import { rollingQuantity } from "./eras.ts";
import { canBeEmpty } from "./meterFaults.ts";

/** Why a fault would do nothing to a meter, in words with what is allowed; null = it does something. */
export function whyNothing(meter: SimMeter, what: FaultWhat): string | null {
  const { model } = meter;
  switch (what.kind) {
    case "rollover":
      return whyNoEnd(meter, what.quantity);
    case "ct-reversed": {
      const isElectric = model.registers.some(({ quantity }) => quantity?.startsWith("active_") === true);
      return isElectric ? null : `${model.id} measures no electricity and has no transformers (allowed: power meters)`;
    }
    case "no-value": {
      const own = model.registers.filter((one) => what.quantity === null || one.quantity === what.quantity);
      if (own.length === 0) return `${model.id} has no ${what.quantity} (allowed: a quantity of the model)`;
      if (own.some((one) => canBeEmpty(meter, one))) return null;
      return `${what.quantity ?? "what it measures"} of ${model.id} stands in integers, and the model names no word for "no value"`;
    }
    default:
      return null;
  }
}

function whyNoEnd(meter: SimMeter, quantity: SimMeter["model"]["registers"][number]["quantity"] | null): string | null {
  const { model } = meter;
  const first = rollingQuantity(meter);
  if (first === null) return `${model.id} has its counters in float registers, which pass no end`;
  if (quantity === null || quantity === undefined || meter.rangeTicks(quantity) !== null) return null;
  const isThere = model.registers.some((one) => one.quantity === quantity && one.kind === "counter");
  const why = isThere ? "stands in a float register, which passes no end" : "is no counter of it";
  return `${quantity} of ${model.id}: it ${why} (allowed: ${first} and other counters in integer registers)`;
}
