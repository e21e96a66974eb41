import type { Step } from "../../../../core/interval/calendar.ts";
import type { Emissions, Energy, Meter } from "../../../api/schemas.ts";
import { emissionsQuery, energyQuery, metersQuery } from "../../api.ts";
import { useApp } from "../../app/context.tsx";
import { type Loaded, useQuery } from "../../app/queries.ts";
import { barStep, loadStep } from "../../period.ts";

/** Everything the factory page asks. */
export interface FactoryAnswers {
  readonly barStep: Step;
  readonly emissions: Loaded<Emissions>;
  /** By carrier in the steps of the load curve; its totals are also the figures of the strip. */
  readonly loadStep: Step;
  readonly load: Loaded<Energy>;
  readonly byMeter: Loaded<Energy>;
  readonly meters: Loaded<readonly Meter[]>;
}

export function useFactory(site: string): FactoryAnswers {
  const { span, range } = useApp();
  const where = { site };
  const bars = barStep(range);
  const load = loadStep(range);
  return {
    barStep: bars,
    loadStep: load,
    emissions: useQuery(emissionsQuery(where, span, bars, "carrier")),
    load: useQuery(energyQuery(where, span, load, "carrier")),
    // Only the totals are drawn; the coarsest step keeps the answer small.
    byMeter: useQuery(energyQuery(where, span, "year", "meter")),
    meters: useQuery(metersQuery(where)),
  };
}
