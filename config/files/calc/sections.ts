import { z } from "zod";
import { section, text } from "../../fields.ts";
import { ownFactor } from "./figures.ts";
import { amount, halfWidth } from "./numbers.ts";
import { PERFORMANCE_SECTIONS } from "./performance.ts";

/**
 * Sections of a calculation file beside its activities, one constant each. To add one: its schema here (or in a file of its
 * own beside this one) and in `SECTIONS`, its calculation in `cli/calc/sections.ts`.
 */

const zone = section({
  sites: z
    .array(
      section({
        id: text("Name of the factory, as in `site` of the activities"),
        scope1_t: amount("Scope 1 stated as a total, t CO2e, beside its activities").exactOptional(),
        scope2_t: amount("Scope 2 stated as a total, t CO2e, without what was bought inside the zone").exactOptional(),
      }),
    )
    .min(1)
    .max(2000)
    .describe("All factories and the operator; one without activities and totals is shown as uncovered"),
}).describe("Roll-up of the zone: what is sold inside it (`supplier` of an activity) is counted once");

const uncertainty = section({
  sources: z
    .array(
      section({
        name: text("Name of the source"),
        t: amount("Its emission, t CO2e"),
        activity_pct: halfWidth("Of the activity").exactOptional(),
        ncv_pct: halfWidth("Of the calorific value").exactOptional(),
        factor_pct: halfWidth("Of the factor").exactOptional(),
        factor: text("Sources with the same factor err together").exactOptional(),
      }),
    )
    .min(1)
    .max(2000)
    .describe("Sources with stated emissions"),
}).describe("Uncertainty of a sum of stated emissions (IPCC approach 1), apart from the activities");

const restatement = section({
  activity: text("Id of the activity whose factor is replaced"),
  factor: ownFactor("The new factor"),
  other_emissions_t: amount("Emissions of the period beside the activities of this file, t CO2e").prefault(0),
  significance_pct: z.number().min(0).max(100).describe("From this change on it is material").prefault(5),
}).describe("What a new factor does to the total; both figures stand");

export const SECTIONS = {
  zone: zone.exactOptional(),
  uncertainty: uncertainty.exactOptional(),
  restatement: restatement.exactOptional(),
  ...PERFORMANCE_SECTIONS,
};
