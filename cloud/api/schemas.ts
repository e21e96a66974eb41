import { z } from "zod";
import { INSTRUMENT_KINDS } from "../../core/accounting/market.ts";
import { CARRIER_IDS, METER_ROLES } from "../../core/emission/carriers.ts";
import { GAP_RULES } from "../../core/gap/gapRules.ts";
import { STEPS } from "../../core/interval/calendar.ts";
import { ENERGIES_ACROSS, HOLE_CAUSES } from "../ledger/cause.ts";

/**
 * The shapes of the HTTP API: OpenAPI is made from them, the page's client takes its types from them.
 * Times are ISO 8601 with offset. Every figure says its unit (UCUM), how complete it is and whether it is provisional.
 */
const Text = z.object({ vi: z.string(), en: z.string() });
const Time = z.string().describe("ISO 8601 with offset");

/** A figure with what it needs to be believed. */
export const Measure = z.object({
  value: z.number().nullable().describe("null = no data; that is not zero"),
  unit: z.string().describe("UCUM"),
  coverage_pct: z
    .number()
    .nullable()
    .describe(
      "measured time / elapsed time of the period asked for, %, time before the first reading included; " +
        "null = nothing of it is over yet, or there is no meter",
    ),
  estimated_pct: z
    .number()
    .nullable()
    .describe("share of the value whose shape or amount is estimated (flags S, E), %"),
  provisional: z.boolean().describe("a factor of the year is not published yet"),
  lower_bound: z
    .boolean()
    .describe(
      "part of the period is missing: the true value is higher, unless a gateway's clock was set in it (cause clock), which puts energy of other time here",
    ),
});
export const Point = Measure.extend({ from: Time, to: Time });

export const State = z.enum(["ok", "warn", "bad", "unknown"]);

export const Health = z.object({
  status: z.enum(["ok", "degraded"]),
  version: z.string(),
  now: Time,
  started_at: Time,
  zone: z.string(),
  store: z.string(),
  broker: z.enum(["connected", "disconnected"]),
  /** Demo only: history being computed in accelerated time. */
  history: z.object({ done_days: z.number(), total_days: z.number(), running: z.boolean() }).nullable(),
});

export const Zone = z.object({
  id: z.string(),
  name: Text,
  time_zone: z.string(),
  sites: z.array(z.string()),
  data_from: Time.nullable(),
  data_to: Time.nullable(),
});

export const Site = z.object({
  id: z.string(),
  zone: z.string(),
  name: Text,
  sector: z.string(),
  gateways: z.array(z.string()),
  meters: z.number().int(),
  state: State,
  last_reading_at: Time.nullable(),
  /** Place on the zone plan, 0…1 from the north-west corner, if the operator gave one. */
  plan: z.object({ x: z.number(), y: z.number() }).nullable(),
});

export const Value = z.object({
  quantity: z.string(),
  name: Text,
  value: z.number().nullable(),
  unit: z.string(),
  at: Time,
  quality: z.enum(["good", "uncertain", "bad", "stale"]),
  why: z.string().nullable(),
});

export const Meter = z.object({
  id: z.string().describe("<gateway>/<device>, unique in the zone"),
  device: z.string(),
  name: Text,
  site: z.string().nullable(),
  gateway: z.string(),
  model: z.string(),
  carrier: z.enum(CARRIER_IDS as [string, ...string[]]),
  role: z.enum(METER_ROLES),
  parent: z.string().nullable().describe("id of the meter it is fed through"),
  state: State,
  state_why: z.string().nullable().describe("silent | offline | bad-values | …; null when ok"),
  last_reading_at: Time.nullable(),
  values: z.array(Value),
});

/** What was not born as a meter: of a node of another maker that numbers no batches. Stored and readable, booked nowhere. */
export const Other = z.object({
  id: z.string().describe("<gateway>/<device>, as `meter` of /readings takes it"),
  device: z.string().describe('"": the node itself'),
  site: z.string().nullable(),
  gateway: z.string(),
  online: z.boolean(),
  last_reading_at: Time.nullable().describe("null: at a time that no calendar has"),
  metrics: z.array(
    z.object({
      name: z.string().describe("as its birth names it: `quantity` of /readings"),
      quantity: z.string().nullable().describe("id, where the name is one of ours"),
      last_at: Time.nullable(),
    }),
  ),
});

export const Gateway = z.object({
  id: z.string(),
  zone: z.string(),
  site: z.string().nullable(),
  state: State,
  state_why: z
    .string()
    .nullable()
    .describe(
      "offline | sessions (two with one name, or a connection that keeps breaking) | backlog; null when ok or unknown",
    ),
  online: z.boolean(),
  last_seen_at: Time.nullable(),
  born_at: Time.nullable(),
  epoch: z.string().nullable(),
  pending_batches: z.number().int().nullable(),
  oldest_pending_at: Time.nullable(),
  clock_offset_ms: z.number().nullable(),
  received_batches: z.number().int(),
  duplicate_batches: z.number().int(),
  missing_batches: z.number().int().describe("numbers below the highest seen that have not arrived"),
  lost_batches: z.number().int().describe("numbers that the gateway gave up and said so, or that were set aside here"),
  dead_letters: z.number().int(),
  software: z.string().nullable(),
});

const Period = z.object({
  zone: z.string(),
  site: z.string().nullable(),
  from: Time,
  to: Time,
  step: z.enum(STEPS),
  time_zone: z.string(),
});

/** A total; its parts in time carry no uncertainty of their own. */
export const Total = Measure.extend({
  uncertainty_pct: z.number().nullable().describe("half-width at 95 %; null = something of it is not known, never 0"),
});

/** What a total's uncertainty is made of: where better meters or analyses would pay. */
export const Uncertainty = z.object({
  pct: z.number().nullable().describe("half-width at 95 % of the total; null = something is not known, see `unknown`"),
  half_width: z.number().nullable(),
  unit: z.string(),
  method: z.string(),
  sources: z.array(
    z.object({
      meter: z.string(),
      name: Text,
      pct: z.number().nullable(),
      contribution_pct: z.number().nullable().describe("share of the variance"),
    }),
  ),
  causes: z
    .array(z.object({ key: z.string(), half_width: z.number().nullable(), contribution_pct: z.number().nullable() }))
    .describe("what errs: a meter, a factor or calorific value that several meters share"),
  unknown: z.array(z.string()),
  assumptions: z.array(z.string()).describe("configured where nothing is published"),
});

const Group = z.object({
  key: z.string().describe("carrier, scope (scope1, scope2), site or meter id, as asked by `by`"),
  name: Text,
  colour: z.string().nullable().describe("design token of a carrier or scope"),
  total: Total,
  points: z.array(Point),
});

export const Energy = Period.extend({
  by: z.enum(["carrier", "meter", "site"]),
  groups: z.array(
    Group.extend({
      carrier: z.string(),
      direction: z.enum(["import", "export", "generation", "use"]),
      meter: z.string().nullable(),
      uncertainty: Uncertainty,
    }),
  ),
});

export const FactorUse = z.object({
  id: z.string(),
  version: z.string(),
  carrier: z.string(),
  stated: z.object({ value: z.string(), unit: z.string() }),
  match: z.enum(["exact", "provisional"]),
  why: z.string().nullable(),
  document: z.string(),
  sources: z.array(z.string()),
  confidence: z.enum(["official", "secondary", "recalled"]),
  level: z.enum(["own", "ministry", "ipcc"]),
  valid_from: z.string(),
  valid_to: z.string().nullable(),
  known_from: z.string().nullable(),
  ncv: z.object({ value: z.string(), unit: z.string(), source: z.string(), confidence: z.string() }).nullable(),
});

/** What a market-based figure rests on (GHG Protocol Scope 2 Guidance). */
export const MarketUse = z.object({
  statement: z
    .string()
    .describe("what stands in where no instrument covers: the absence of a residual mix is disclosed"),
  residual: z.enum(["residual mix", "grid average"]),
  consumption_MWh: z
    .number()
    .describe("grid electricity of the period, certificates sold included; export has no part"),
  covered_MWh: z.number().describe("by instruments"),
  uncovered_MWh: z.number(),
  instruments: z
    .array(
      z.object({
        id: z.string(),
        kind: z.enum(INSTRUMENT_KINDS),
        site: z.string(),
        quantity_MWh: z.number(),
        rate_t_per_MWh: z.number(),
        from: z.string(),
        to: z.string().describe("day after its last"),
        document: z.string(),
        criteria: z.object({
          conveys_rate: z.boolean(),
          sole_claim: z.boolean(),
          retired: z.boolean(),
          vintage: z.number().nullable(),
          market: z.string().nullable(),
        }),
        fails: z.array(z.string()).describe("quality criteria it fails; with one of them it counts for nothing"),
        used_MWh: z.number().describe("in the period asked for"),
        left_MWh: z
          .number()
          .describe("not used by the end of the period asked for; has no value once its own period is over"),
      }),
    )
    .describe("of the sites and the period asked for"),
  certificates_sold: z
    .array(
      z.object({
        site: z.string(),
        quantity_MWh: z.number(),
        from: z.string(),
        to: z.string(),
        document: z.string(),
      }),
    )
    .describe("own generation that is grid electricity in this figure"),
});

/** Figures that can be asked "why": `id` opens the trace. */
const TracedGroup = Group.extend({ id: z.string() });

export const Emissions = Period.extend({
  by: z.enum(["scope", "carrier", "site"]),
  basis: z.enum(["location", "market"]),
  gwp: z.enum(["AR4", "AR5", "AR6"]),
  total: Total.extend({ id: z.string() }),
  uncertainty: Uncertainty,
  bases: z
    .object({ location: Measure, market: Measure })
    .describe("the total by both bases side by side, each with its own factors"),
  market: MarketUse,
  roll_up: z
    .object({
      naive_kg: z.number().nullable().describe("sum of the sites as each of them reports; null = none has data"),
      eliminated_kg: z
        .number()
        .nullable()
        .describe("sold inside the zone: scope 2 of the buyer, already counted at the seller"),
      scope1_kg: z.number().nullable(),
      scope2_kg: z.number().nullable().describe("of what crosses the zone's fence"),
      uncovered: z.array(z.string()).describe("sites without data in the period: not zero"),
      internal: z.array(
        z.object({
          meter: z.string(),
          name: Text,
          site: z.string().nullable().describe("the buyer"),
          supplier: z.string(),
          kg: z.number().nullable(),
          eliminated: z.boolean(),
          kept_because: z.enum(["no-such-site", "seller-without-data"]).nullable(),
        }),
      ),
    })
    .nullable()
    .describe("zone only: total = naive − eliminated; groups by site are what each site reports"),
  review: z
    .object({
      status: z.enum(["sound", "needs-review", "lower-bound"]),
      limit_pct: z.number().describe("share of estimates beyond which a period of this length needs a person's review"),
      needs_approval: z.boolean().describe("beyond materiality (5 %): not to be frozen without approval"),
    })
    .describe("methods §9: 10 % of a month or 5 % of a year estimated is too much to stand without a look"),
  previous: Measure.nullable().describe("the period of the same length before, compared up to the same elapsed time"),
  groups: z.array(TracedGroup),
  gases_kg: z.record(z.string(), z.number()),
  factors: z.array(FactorUse),
});

const TraceWords = z.object({ fc: z.number(), address: z.number(), hex: z.string(), at: Time });

export const TraceBoundary = z.object({
  count: z.string().describe("register count at the boundary, ticks"),
  words: TraceWords.nullable().describe("register words of the reading it rests on"),
  across: TraceWords.nullable().describe(
    "register words of the reading on the other side of the boundary; null when a reading lies on it",
  ),
});

export const TraceInterval = z.object({
  from: Time,
  to: Time,
  quantity: z.string(),
  ticks: z.string().nullable(),
  tick: z.string(),
  value: z.number().nullable(),
  unit: z.string(),
  flag: z.enum(["M", "C", "S", "E", "X"]),
  coverage_pct: z.number(),
  polls_expected: z.number(),
  polls_answered: z.number(),
  cause: z
    .string()
    .nullable()
    .describe("why it is not whole; clock: the gateway's clock was set, and the figure may hold energy of other time"),
  verification: z
    .enum(["pending", "agreed", "disagreed", "unverifiable", "recomputed"])
    .describe("recomputed: the gateway had lost readings that had arrived, and the figure is the zone server's own"),
  opening: TraceBoundary.nullable(),
  closing: TraceBoundary.nullable(),
  batch: z.object({ gateway: z.string(), epoch: z.string(), number: z.number() }),
  substitution: z
    .object({
      name: z.string(),
      rule: z.enum(GAP_RULES),
      author: z.string(),
      inputs: z.record(z.string(), z.string()),
      known_from: Time,
    })
    .nullable()
    .describe("what stands in for a missing measurement, by which rule, and who said so"),
  gateway_said: z
    .object({
      ticks: z.string().nullable(),
      value: z.number().nullable(),
      flag: z.enum(["M", "C", "S", "E", "X"]),
      until: Time.describe("when the recomputed figure took its place"),
    })
    .nullable()
    .describe("of a recomputed interval: the gateway's own figure; null for all others"),
  entries: z.array(
    z.object({
      id: z.string(),
      gas: z.string(),
      mg: z.string(),
      factor: z.string().describe("<id>@<version>"),
      match: z.enum(["exact", "provisional"]),
      earlier: z
        .array(
          z.object({
            id: z.string(),
            mg: z.string(),
            factor: z.string(),
            match: z.enum(["exact", "provisional"]),
            known_from: Time,
            superseded_because: z.string().describe("factors-changed | interval-corrected"),
          }),
        )
        .describe("versions whose place it took, oldest first; empty for most"),
    }),
  ),
});

export const TraceActivity = z.object({
  meter: z.string(),
  name: Text,
  site: Text.nullable().describe("name of the factory it belongs to"),
  model: z.string(),
  register: z.string().nullable().describe("fc:address:type of the counter"),
  carrier: z.string(),
  scope: z.number(),
  quantity: z.string(),
  activity: Measure,
  co2e_kg: z.number(),
  gases_mg: z.record(z.string(), z.string()),
  factors: z.array(z.string()),
  intervals_total: z.number().int(),
  next_offset: z
    .number()
    .int()
    .nullable()
    .describe("ask again with meter and this offset for the older ones; null = there are none"),
  intervals: z.array(TraceInterval).describe("newest first, at most 200 from the offset asked for"),
});

export const Trace = z.object({
  id: z.string(),
  from: Time,
  to: Time,
  time_zone: z.string(),
  gwp: z.enum(["AR4", "AR5", "AR6"]),
  basis: z.enum(["location", "market"]),
  market: MarketUse.nullable().describe("of a market-based figure: instruments with their documents"),
  value_kg: z.number().nullable(),
  formulas: z
    .array(z.object({ text: z.string(), scope: z.number() }))
    .describe(
      "lines a person can check with a calculator: 104.216 MWh × 0.6592 tCO2/MWh = 68.699 t CO2e. Activity to the tick, " +
        "tonnes to three decimals; the result is the sum of book entries, each rounded to the milligram per interval",
    ),
  activities: z.array(TraceActivity),
  factors: z.array(FactorUse),
});

export const BlendedFactor = Period.extend({
  gwp: z.enum(["AR4", "AR5", "AR6"]),
  why_unknown: z.string().nullable(),
  points: z.array(
    z.object({
      from: Time,
      to: Time,
      import_kWh: z.number(),
      export_kWh: z.number(),
      solar_kWh: z.number(),
      consumption_kWh: z.number().describe("import + solar - export"),
      purchased_kg: z.number().describe("CO2e of the electricity bought, location-based; export lowers nothing"),
      kg_per_kWh: z.number().nullable().describe("null = nothing was consumed, or it cannot be said"),
      is_complete: z.boolean().describe("false = part of the energy is missing or a lower bound"),
    }),
  ),
});

export const Restatements = z.object({
  gwp: z.enum(["AR4", "AR5", "AR6"]),
  significance_pct: z.number(),
  restatements: z
    .array(
      z.object({
        restated_at: Time,
        reason: z.string().describe("factors-changed"),
        meter: z.string(),
        name: Text,
        site: z.string().nullable(),
        factor_before: z
          .string()
          .nullable()
          .describe("<id>@<version>; null = nothing was booked, for want of a factor"),
        factor_after: z.string(),
        from: Time,
        to: Time,
        entries: z.number().int().describe("book entries, one a gas and interval"),
        before_kg: z.number().describe("CO2e of those entries before"),
        after_kg: z.number(),
        delta_kg: z.number(),
        delta_pct: z.number().nullable().describe("of the figure before; null = that was zero"),
        is_material: z.boolean().describe("at or beyond significance_pct; disclosed either way"),
      }),
    )
    .describe("newest first"),
});

export const Attention = z.object({
  severity: z.enum(["bad", "warn", "info"]),
  code: z
    .string()
    .describe(
      "gateway-offline | meter-silent | provisional-factor | missing-data | backlog | books-disagree | no-factor | …",
    ),
  site: z.string().nullable(),
  gateway: z.string().nullable(),
  meter: z.string().nullable(),
  since: Time.nullable(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
});

/** `event: live` of /live, about once a second while anything changes, at least every 15 s. */
export const LiveEvent = z.object({
  at: Time,
  zone: z.object({ power_W: z.number().nullable(), generation_W: z.number().nullable() }),
  sites: z.array(
    z.object({
      id: z.string(),
      state: State,
      power_W: z.number().nullable().describe("drawn from the grid now; negative = fed in"),
      generation_W: z.number().nullable(),
      at: Time.nullable(),
    }),
  ),
  meters: z.array(
    z.object({
      id: z.string(),
      state: State,
      at: Time.nullable(),
      power_W: z.number().nullable(),
      values: z.record(z.string(), z.number().nullable()).describe("quantity id → value"),
    }),
  ),
  others: z
    .array(
      z.object({
        id: z.string().describe("<gateway>/<device>"),
        online: z.boolean(),
        at: Time.nullable(),
        values: z.record(z.string(), z.number().nullable()).describe("quantity id → value"),
      }),
    )
    .describe("devices that were not born as meters, of nodes that number no batches; metrics with names of ours"),
  /** Newest interval end the books hold: when it grows, figures of the current period have changed. */
  books_to: Time.nullable(),
  history: Health.shape.history,
});

export const Completeness = Period.extend({
  meters: z.array(
    z.object({
      meter: z.string(),
      name: Text,
      site: z.string().nullable(),
      carrier: z.string(),
      quantity: z.string(),
      coverage_pct: z.number().nullable().describe("of the whole period"),
      points: z.array(
        z.object({
          from: Time,
          to: Time,
          coverage_pct: z.number().nullable().describe("measured time / elapsed time, %; null = nothing is over yet"),
          expected: z.number().int().describe("intervals of the step that are over by now"),
          held: z.number().int(),
          incomplete: z.number().int().describe("held, but part of their energy is missing (flag X)"),
          unknown: z.number().int().describe("held, and nothing is known of their energy"),
          disagreed: z.number().int().describe("the recomputation from the readings gives another figure"),
          causes: z.record(z.string(), z.number()).describe("why: cause → intervals; not-received = no record yet"),
          delivery: z
            .object({
              expected: z.number().int().describe("polls that were due"),
              read: z.number().int().describe("polls that were answered"),
              journaled: z
                .number()
                .int()
                .nullable()
                .describe(
                  "samples the gateway recorded, at least those stored; null = it gave no account, and none is stored",
                ),
              received: z.number().int().describe("batches of readings that arrived"),
              stored: z.number().int(),
              lost: z.number().int().describe("given up by the gateway, as it said"),
              surplus: z.number().int().describe("polls stored beyond those that were taken; 0 as it should be"),
              redated: z.number().int().describe("intervals booked by a clock that was wrong"),
              holes: z.array(
                z.object({
                  cause: z.enum(HOLE_CAUSES),
                  energy: z.enum(ENERGIES_ACROSS).describe("whether the energy across it is known all the same"),
                  intervals: z.number().int(),
                }),
              ),
            })
            .nullable()
            .describe("from the ledger; null when the period holds too many intervals: ask for a shorter one"),
        }),
      ),
    }),
  ),
});

export const Readings = z.object({
  meter: z.string(),
  quantity: z.string(),
  unit: z.string().describe("UCUM, or as its birth says it; empty: it says none"),
  from: Time,
  to: Time,
  step: z.enum(["raw", ...STEPS]),
  truncated: z.boolean().describe("there are more than the answer holds: ask for a shorter period"),
  points: z.array(
    z.object({
      at: Time.describe("of the reading, or the start of the step"),
      value: z.number().nullable().describe("the reading; of a step the mean of a gauge, the last of a counter"),
      min: z.number().nullable(),
      max: z.number().nullable(),
      count: z.number().int().describe("good readings in it"),
      quality: z.enum(["good", "uncertain", "bad", "stale"]),
      why: z.string().nullable(),
    }),
  ),
});

/** RFC 9457 problem document. */
export const ProblemDocument = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string(),
  hint: z.string(),
});

export type Measure = z.infer<typeof Measure>;
export type Point = z.infer<typeof Point>;
export type State = z.infer<typeof State>;
export type Health = z.infer<typeof Health>;
export type Zone = z.infer<typeof Zone>;
export type Site = z.infer<typeof Site>;
export type Meter = z.infer<typeof Meter>;
export type Other = z.infer<typeof Other>;
export type Gateway = z.infer<typeof Gateway>;
export type Energy = z.infer<typeof Energy>;
export type Emissions = z.infer<typeof Emissions>;
export type FactorUse = z.infer<typeof FactorUse>;
export type Uncertainty = z.infer<typeof Uncertainty>;
export type MarketUse = z.infer<typeof MarketUse>;
export type Trace = z.infer<typeof Trace>;
export type TraceInterval = z.infer<typeof TraceInterval>;
export type Restatements = z.infer<typeof Restatements>;
export type Completeness = z.infer<typeof Completeness>;
export type Readings = z.infer<typeof Readings>;
export type Attention = z.infer<typeof Attention>;
export type LiveEvent = z.infer<typeof LiveEvent>;
