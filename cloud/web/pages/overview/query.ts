import type { Step } from "../../../../core/interval/calendar.ts";
import type { Attention, Emissions, Energy, Site } from "../../../api/schemas.ts";
import { attentionQuery, emissionsQuery, energyQuery } from "../../api.ts";
import { useApp } from "../../app/context.tsx";
import { useNow } from "../../app/hooks.ts";
import { type Loaded, useQuery } from "../../app/queries.ts";
import { type Change, changeOf, type EmissionGroup, ranked } from "../../derive.ts";
import { barStep, QUARTER_MS, type Range, todayOf } from "../../period.ts";
import { mass_kg } from "../../units.ts";

/** Everything the overview asks. */
export interface OverviewAnswers {
  readonly step: Step;
  readonly byCarrier: Loaded<Emissions>;
  readonly byScope: Loaded<Emissions>;
  readonly bySite: Loaded<Emissions>;
  readonly bySiteBefore: Loaded<Emissions>;
  readonly energy: Loaded<Energy>;
  readonly today: Range;
  readonly energyToday: Loaded<Energy>;
  readonly attention: Loaded<readonly Attention[]>;
}

export function useOverview(): OverviewAnswers {
  const { zone, span, range, previous, timeZone, route } = useApp();
  const where = { zone: zone.id };
  const step = barStep(range);
  const now_ms = useNow(60_000);
  const today = todayOf(Math.floor(now_ms / QUARTER_MS) * QUARTER_MS, timeZone);
  const before = { range: previous, timeZone };
  const isComparable = route.isCompared && previous.to_ms > previous.from_ms;
  return {
    step,
    byCarrier: useQuery(emissionsQuery(where, span, step, "carrier")),
    byScope: useQuery(emissionsQuery(where, span, step, "scope")),
    bySite: useQuery(emissionsQuery(where, span, step, "site")),
    bySiteBefore: useQuery(isComparable ? emissionsQuery(where, before, step, "site") : null),
    energy: useQuery(energyQuery(where, span, step, "carrier")),
    today,
    energyToday: useQuery(energyQuery(where, { range: today, timeZone }, "15min", "carrier")),
    attention: useQuery(attentionQuery(zone.id)),
  };
}

export interface FactoryRow {
  readonly site: Site;
  readonly group: EmissionGroup | null;
  readonly t: number | null;
  readonly change: Change;
}

export function factoryRows(
  sites: readonly Site[],
  now: Emissions | null,
  before: Emissions | null,
  reachesBack: boolean,
): readonly FactoryRow[] {
  const rows = sites.map((site) => {
    const group = now?.groups.find((one) => one.key === site.id) ?? null;
    const earlier = before?.groups.find((one) => one.key === site.id) ?? null;
    const kg = group === null ? null : mass_kg(group.total.value, group.total.unit);
    return {
      site,
      group,
      t: kg === null ? null : kg / 1000,
      change: changeOf(group?.total ?? null, earlier?.total ?? null, reachesBack),
    };
  });
  return ranked(rows, (row) => row.t);
}
