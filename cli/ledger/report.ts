import { type CatalogMeter, catalogue, mainQuantity } from "../../cloud/api/catalogue.ts";
import type { SiteInfo, ZoneInfo } from "../../cloud/api/deps.ts";
import { expectation } from "../../cloud/api/tally.ts";
import { isoIn } from "../../cloud/api/time.ts";
import { LINES_MAX, meterLedger } from "../../cloud/ledger/gather.ts";
import { type LedgerLine, type LedgerTotals, ledgerTotals } from "../../cloud/ledger/ledger.ts";
import type { ZoneStore } from "../../cloud/store/store.ts";
import { intervalStart, zoneOffset_ms } from "../../core/interval/calendar.ts";
import { QUANTITIES } from "../../core/units/quantities.ts";
import { UNITS } from "../../core/units/units.ts";
import { counterValue } from "../../core/wire/content.ts";
import { usage } from "../command.ts";

/** The books of a site, as rows and as text; what the command prints either way. */
export interface SiteLedger {
  readonly zone: ZoneInfo;
  readonly site: SiteInfo;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly meters: readonly {
    readonly meter: CatalogMeter;
    readonly lines: readonly LedgerLine[];
    readonly totals: LedgerTotals;
  }[];
}

/** @throws {KhuXanhError} USAGE for a period of more intervals than one ledger holds. */
export function siteLedger(
  store: ZoneStore,
  zone: ZoneInfo,
  sites: readonly SiteInfo[],
  site: SiteInfo,
  period: { readonly from_ms: number; readonly to_ms: number },
  now_ms: number,
): SiteLedger {
  const online = new Set(store.gateways().flatMap(({ gateway, online }) => (online ? [gateway.edge] : [])));
  const meters = catalogue(store, zone, sites).filter((meter) => meter.site === site.id);
  return {
    zone,
    site,
    ...period,
    meters: meters.map((meter) => {
      const { interval_ms, time_zone } = meter.row;
      if ((period.to_ms - period.from_ms) / interval_ms > LINES_MAX) {
        throw usage(`the period holds more than ${LINES_MAX} intervals`, "Ask for a shorter period: a year at most.");
      }
      const span = store.intervalSpan(meter.key, meter.key.device);
      const { until_ms } = expectation(now_ms, interval_ms, zoneOffset_ms(time_zone, now_ms), span);
      const from_ms = intervalStart(period.from_ms, interval_ms, time_zone);
      const asked = {
        gateway: meter.key,
        device: meter.key.device,
        quantity: mainQuantity(meter),
        interval_ms,
        time_zone,
      };
      const to_ms = Math.min(period.to_ms, until_ms);
      const lines = meterLedger(store, asked, from_ms, to_ms, online.has(meter.key.edge));
      return { meter, lines, totals: ledgerTotals(lines) };
    }),
  };
}

export function ledgerJson({ zone, site, from_ms, to_ms, meters }: SiteLedger) {
  const iso = (at_ms: number): string => isoIn(zone.time_zone, at_ms);
  return {
    zone: zone.id,
    site: site.id,
    from: iso(from_ms),
    to: iso(to_ms),
    time_zone: zone.time_zone,
    meters: meters.map(({ meter, lines, totals }) => ({
      meter: meter.id,
      name: meter.name,
      carrier: meter.row.carrier,
      quantity: mainQuantity(meter),
      interval_ms: meter.row.interval_ms,
      totals,
      lines: lines.map((line) => ({
        from: iso(line.from_ms),
        to: iso(line.to_ms),
        ...line.polls,
        ...figureJson(meter, line),
        redated_ms: line.redated_ms,
        surplus: line.surplus,
        apart_ticks: String(line.apart_ticks),
        hole: line.hole,
        emissions: line.emissions.map(({ id, gas, mg, factorId, factorVersion, match, version }) => ({
          id,
          gas,
          mg: String(mg),
          factor_id: factorId,
          factor_version: factorVersion,
          match,
          version,
        })),
      })),
    })),
  };
}

function figureJson(meter: CatalogMeter, { figure }: LedgerLine) {
  if (figure === null) return { energy: null, flag: null, coverage: null, verification: null, batch: null };
  return {
    energy: {
      ticks: figure.ticks === null ? null : String(figure.ticks),
      tick: `${figure.tick.amount} ${UNITS[figure.tick.unit].ucum}`,
      ...amountOf(meter, figure),
    },
    flag: figure.flag,
    coverage: figure.coverage,
    verification: figure.verification,
    batch: { epoch: figure.epoch, number: figure.batch },
  };
}

/** In the quantity's unit, for display; the ticks are the figure. */
function amountOf(meter: CatalogMeter, { ticks, tick }: NonNullable<LedgerLine["figure"]>) {
  const { unit } = QUANTITIES[mainQuantity(meter)];
  return { value: ticks === null ? null : counterValue(ticks, tick, unit), unit: UNITS[unit].ucum };
}

/** @param all every interval a line; else only what is not whole, alike neighbours in one line. */
export function ledgerText(ledger: SiteLedger, all: boolean): string {
  const { zone, site, from_ms, to_ms, meters } = ledger;
  const local = (at_ms: number): string => isoIn(zone.time_zone, at_ms).slice(0, 16).replace("T", " ");
  const head = `${site.name.en} (${site.id}), ${local(from_ms)} to ${local(to_ms)} ${zone.time_zone}\n`;
  if (meters.length === 0) return `${head}\nNo meter of this site was ever heard of.\n`;
  return `${head}${meters.map((one) => `\n${meterText(one, local, all)}`).join("")}`;
}

function meterText(
  { meter, lines, totals }: SiteLedger["meters"][number],
  local: (at_ms: number) => string,
  all: boolean,
): string {
  const { polls } = totals;
  const counts =
    `  polls     ${polls.expected} expected, ${polls.read} read, ${polls.journaled === null ? "" : `${polls.journaled} journaled, `}` +
    `${polls.received} received, ${polls.stored} stored, ${polls.lost} lost${surplusText(totals)}\n`;
  const rows = all
    ? lines.map((line) => [line])
    : runsOf(lines.filter(({ hole, surplus }) => hole !== null || surplus > 0));
  const whole = totals.intervals - totals.holes.reduce((sum, { intervals }) => sum + intervals, 0);
  return (
    `${meter.id}  ${meter.name.en}, ${QUANTITIES[mainQuantity(meter)].display.en}\n` +
    `  intervals ${totals.intervals}, ${totals.held} held, ${whole} whole${redatedText(totals)}\n` +
    counts +
    energyText(meter, lines) +
    emissionText(lines) +
    (rows.length === 0 ? "" : rowsText(meter, rows, local))
  );
}

/** As people write it; the document carries UCUM. */
function unitOf(meter: CatalogMeter): string {
  return QUANTITIES[mainQuantity(meter)].unit;
}

function redatedText({ redated }: LedgerTotals): string {
  return redated === 0 ? "" : `, ${redated} taken by a clock that was wrong`;
}

function surplusText({ surplus }: Pick<LedgerTotals, "surplus">): string {
  return surplus === 0 ? "" : `, ${surplus} more stored than read`;
}

function energyText(meter: CatalogMeter, lines: readonly LedgerLine[]): string {
  const figures = lines.flatMap(({ figure }) =>
    figure === null || figure.ticks === null ? [] : [amountOf(meter, figure)],
  );
  if (figures.length === 0) return "  energy    none booked\n";
  const sum = figures.reduce((total, { value }) => total + (value ?? 0), 0);
  return `  energy    ${sum.toFixed(3)} ${unitOf(meter)} booked\n`;
}

function emissionText(lines: readonly LedgerLine[]): string {
  const masses = new Map<string, bigint>();
  for (const { emissions } of lines) {
    for (const { gas, mg, factorId, factorVersion } of emissions) {
      const key = `${gas} by ${factorId}@${factorVersion}`;
      masses.set(key, (masses.get(key) ?? 0n) + mg);
    }
  }
  return [...masses].map(([key, mg]) => `  emitted   ${(Number(mg) / 1e6).toFixed(3)} kg ${key}\n`).join("");
}

/** Neighbours that miss the same for the same reason. */
function runsOf(lines: readonly LedgerLine[]): LedgerLine[][] {
  const runs: LedgerLine[][] = [];
  for (const line of lines) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    const isAlike =
      before?.to_ms === line.from_ms &&
      before.hole?.cause === line.hole?.cause &&
      before.hole?.detail === line.hole?.detail &&
      before.hole?.energy === line.hole?.energy &&
      before.surplus > 0 === line.surplus > 0 &&
      line.apart_ticks === 0n;
    if (run !== undefined && isAlike) run.push(line);
    else runs.push([line]);
  }
  return runs;
}

const ENERGY_TEXT = {
  known: "its energy is known",
  shared: "energy exact, divided by estimate",
  "lower-bound": "energy is a lower bound",
  misplaced: "some of its energy may stand in other intervals, and some of theirs here",
  across: "energy known across the gap",
  apart: "it does not open with the count the interval before closed with",
  open: "still under way",
  unknown: "energy unknown",
} as const;

function rowsText(
  meter: CatalogMeter,
  rows: readonly (readonly LedgerLine[])[],
  local: (at_ms: number) => string,
): string {
  const cells = rows.map((run) => {
    const first = run[0]!;
    const sum = (pick: (line: LedgerLine) => number | null): string => {
      const values = run.map(pick).filter((value) => value !== null);
      return values.length === 0 ? "-" : String(values.reduce((total, value) => total + value, 0));
    };
    const value = run.length === 1 && first.figure !== null ? amountOf(meter, first.figure) : null;
    return [
      local(first.from_ms),
      String(run.length),
      sum(({ polls }) => polls.expected),
      sum(({ polls }) => polls.read),
      sum(({ polls }) => polls.journaled),
      sum(({ polls }) => polls.received),
      sum(({ polls }) => polls.stored),
      value?.value == null ? "" : `${value.value.toFixed(3)} ${unitOf(meter)}`,
      whyText(run),
    ];
  });
  const head = ["from", "n", "expected", "read", "journaled", "received", "stored", "energy", "why not whole"];
  return indented([head, ...cells]);
}

/** Why these intervals are not whole, or hold more than they should. */
function whyText(run: readonly LedgerLine[]): string {
  const hole = run[0]?.hole ?? null;
  const surplus = run.reduce((sum, line) => sum + line.surplus, 0);
  if (hole === null) return surplusText({ surplus }).slice(2);
  const detail = hole.detail === null ? "" : ` (${hole.detail})`;
  return `${hole.cause}${detail}: ${ENERGY_TEXT[hole.energy]}${apartText(run[0]!)}${surplusText({ surplus })}`;
}

function apartText({ apart_ticks, figure }: LedgerLine): string {
  if (apart_ticks === 0n || figure === null) return "";
  const { amount, unit } = figure.tick;
  return apart_ticks > 0n
    ? `, ${apart_ticks} × ${amount} ${unit} stand in no interval`
    : `, ${-apart_ticks} × ${amount} ${unit} stand in both`;
}

const NUMBERS = [1, 2, 3, 4, 5, 6, 7];

function indented(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => {
      const cells = row.map((cell, at) =>
        NUMBERS.includes(at) ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!),
      );
      return `  ${cells.join("  ")}`.trimEnd();
    })
    .map((line) => `${line}\n`)
    .join("");
}
