/**
 * Whether values look like those of a meter: the evidence by which `scan` tells models apart and `probe` finds the usual
 * mistakes. Pure.
 *
 * Ranges     phase voltage 50…500 V, line voltage 80…900 V, frequency 45…65 Hz, |power factor| ≤ 1 (reference meters/README.md)
 * Relations  phase voltages within 20 % of each other, line voltage = √3 × phase voltage, P = U·I·PF, total = sum of phases
 * Zero       says nothing: a dead phase, no load, or a register that the device fills with 0
 * Source     weights are ours: a value that only one wrong map in a hundred would give by chance weighs most
 */
import type { Snapshot } from "./snapshot.ts";

export interface Verdict {
  /** Quantity or relation, e.g. `frequency`, `voltages agree`. */
  readonly what: string;
  readonly fits: boolean;
  /** How much it tells, about 0.3 (any number would do) to 3. */
  readonly weight: number;
  /** What was seen, e.g. `frequency 50.02 Hz`. */
  readonly saw: string;
  /** A quantity that decides whether a map is right: frequency, voltages, and relations between values. */
  readonly strong: boolean;
}

interface Range {
  readonly pattern: RegExp;
  readonly low: number;
  readonly high: number;
  readonly weight: number;
  readonly unit: string;
  readonly strong: boolean;
}

const RANGES: readonly Range[] = [
  { pattern: /^frequency$/, low: 45, high: 65, weight: 3, unit: "Hz", strong: true },
  { pattern: /^voltage_(l[123]|ln_avg)$/, low: 50, high: 500, weight: 2, unit: "V", strong: true },
  { pattern: /^voltage_(l1_l2|l2_l3|l3_l1|ll_avg)$/, low: 80, high: 900, weight: 1, unit: "V", strong: true },
  { pattern: /^(power_factor|cos_phi)_/, low: -1.001, high: 1.001, weight: 0.5, unit: "", strong: false },
  { pattern: /^current_/, low: 0, high: 20_000, weight: 0.3, unit: "A", strong: false },
  {
    pattern: /^(active|reactive|apparent)_power_(l[123]|total)$/,
    low: -2e8,
    high: 2e8,
    weight: 0.3,
    unit: "W",
    strong: false,
  },
  {
    pattern: /^(active|reactive|apparent)_energy_|^volume_.*total/,
    low: 0,
    high: 1e11,
    weight: 0.3,
    unit: "",
    strong: false,
  },
  { pattern: /^pressure_absolute$/, low: 0.5, high: 100, weight: 0.7, unit: "bar", strong: false },
  { pattern: /^temperature_/, low: -60, high: 300, weight: 0.7, unit: "°C", strong: false },
  { pattern: /^volume_flow_lps$/, low: -1e5, high: 1e5, weight: 0.3, unit: "l/s", strong: false },
  { pattern: /^(volume_)?flow(_|$)/, low: -1e5, high: 1e5, weight: 0.3, unit: "m3/h", strong: false },
];

/** Values nearer to zero come from words that are no float: real meters round long before. */
const TINY = 1e-6;

const PHASES = ["l1", "l2", "l3"] as const;

/** Verdicts on one pass, or on two passes a moment apart: then values must also hold still and counters must not fall. */
export function judge(first: Snapshot, second: Snapshot | null = null): readonly Verdict[] {
  return [...ranges(first, second), ...phasesAgree(first), ...lineVoltages(first), ...powers(first), ...totals(first)];
}

function ranges(first: Snapshot, second: Snapshot | null): Verdict[] {
  const keys = [...first.values.keys(), ...first.nonsense];
  return keys.flatMap((key) => {
    const range = RANGES.find(({ pattern }) => pattern.test(key));
    if (range === undefined) return [];
    const value = first.values.get(key);
    if (value === 0) return [];
    const again = second?.values.get(key);
    const fits = value !== undefined && inside(value, range) && (again === undefined || holds(key, value, again));
    // A wrong map gives numbers beyond all bounds; such a number tells as much against it as a good one for it.
    const weight = fits ? range.weight : Math.max(1, range.weight);
    return [
      { what: key, fits, weight, saw: `${key} ${text(value)}${range.unit && ` ${range.unit}`}`, strong: range.strong },
    ];
  });
}

function inside(value: number, { low, high }: Range): boolean {
  return value >= low && value <= high && Math.abs(value) > TINY;
}

/** A second reading a moment later: frequency and voltage hold still, counters do not fall. */
function holds(key: string, before: number, after: number): boolean {
  if (key === "frequency") return Math.abs(after - before) < 1;
  if (key.startsWith("voltage_")) return Math.abs(after - before) <= 0.2 * Math.abs(before);
  if (/_energy_(?!net)|^volume_.*total/.test(key))
    return after >= before && after - before < Math.max(1000, 0.01 * before);
  return true;
}

function phasesAgree({ values }: Snapshot): Verdict[] {
  const volts = PHASES.map((phase) => values.get(`voltage_${phase}`) ?? 0);
  if (volts.some((v) => !(Math.abs(v) > TINY))) return [];
  const low = Math.min(...volts);
  const high = Math.max(...volts);
  return [
    relation("voltages agree", low > 0 && high <= 1.2 * low, 2, `phase voltages ${volts.map(text).join(", ")} V`),
  ];
}

function lineVoltages({ values }: Snapshot): Verdict[] {
  const phase = mean(PHASES.map((name) => values.get(`voltage_${name}`) ?? 0));
  const line = mean(["voltage_l1_l2", "voltage_l2_l3", "voltage_l3_l1"].map((name) => values.get(name) ?? 0));
  if (!(Math.abs(phase) > TINY) || !(Math.abs(line) > TINY)) return [];
  return [
    relation("line voltage", near(line, Math.sqrt(3) * phase, 0.1), 2, `line ${text(line)} V, phase ${text(phase)} V`),
  ];
}

/** Active power of each phase against U·I·PF, or below U·I where no power factor is told. */
function powers({ values }: Snapshot): Verdict[] {
  return phasePowers(values).map(({ phase, power_W, expected_W, apparent_VA }) => {
    const fits =
      expected_W === null
        ? Math.abs(power_W) <= 1.1 * apparent_VA && Math.abs(power_W) >= 0.01 * apparent_VA
        : near(Math.abs(power_W), Math.abs(expected_W), 0.15, 0.02 * apparent_VA);
    return relation(
      `power ${phase}`,
      fits,
      2,
      `P ${text(power_W)} W where U·I${expected_W === null ? "" : "·PF"} gives ${text(expected_W ?? apparent_VA)}`,
    );
  });
}

export interface PhasePower {
  readonly phase: string;
  readonly power_W: number;
  /** U·I. */
  readonly apparent_VA: number;
  /** U·I·PF; null without a power factor of the phase. */
  readonly expected_W: number | null;
  /** The same with the total power factor where the phase has none: exact only for a balanced load. */
  readonly roughly_W: number | null;
}

/** Phases (or the only one of a single-phase meter) whose voltage, current and power are told and not zero. */
export function phasePowers(values: ReadonlyMap<string, number>): readonly PhasePower[] {
  const single = !values.has("voltage_l2") && !values.has("active_power_l1");
  const total = values.get("power_factor_total") ?? values.get("power_factor_avg") ?? values.get("cos_phi_total") ?? 0;
  return PHASES.flatMap((phase) => {
    const suffix = single ? "total" : phase;
    const power_W = values.get(`active_power_${suffix}`) ?? 0;
    const apparent_VA = (values.get(`voltage_${phase}`) ?? 0) * (values.get(`current_${phase}`) ?? 0);
    const factor = values.get(`power_factor_${suffix}`) ?? values.get(`cos_phi_${suffix}`) ?? 0;
    if (!(Math.abs(power_W) > TINY) || !(apparent_VA > TINY)) return [];
    // What the sign of a power factor tells differs from maker to maker: the direction of power, or the kind of load.
    const by = (one: number) => (one === 0 ? null : Math.sign(power_W) * apparent_VA * Math.abs(one));
    const expected_W = by(factor);
    return [{ phase, power_W, apparent_VA, expected_W, roughly_W: expected_W ?? by(total) }];
  });
}

function totals({ values }: Snapshot): Verdict[] {
  const phases = PHASES.map((phase) => values.get(`active_power_${phase}`));
  const total = values.get("active_power_total");
  if (total === undefined || phases.some((value) => value === undefined)) return [];
  const sum = phases.reduce<number>((all, value) => all + value!, 0);
  const size = phases.reduce<number>((all, value) => all + Math.abs(value!), 0);
  if (!(size > TINY)) return [];
  return [
    relation(
      "power total",
      near(total, sum, 0.02, 0.02 * size),
      2,
      `P total ${text(total)} W, sum of phases ${text(sum)} W`,
    ),
  ];
}

function relation(what: string, fits: boolean, weight: number, saw: string): Verdict {
  return { what, fits, weight, saw, strong: true };
}

/** Weight of a quantity that the model tells of and the device does not: half of what its value would have told. */
export function missingWeight(snapshot: Snapshot): number {
  const zeroVoltage = [...snapshot.values].filter(([key, value]) => value === 0 && /^(voltage_|frequency$)/.test(key));
  const keys = [...snapshot.missing, ...zeroVoltage.map(([key]) => key)];
  return keys.reduce((sum, key) => sum + (RANGES.find(({ pattern }) => pattern.test(key))?.weight ?? 0) / 2, 0);
}

export interface Score {
  /** 0…0.9: plausibility alone never proves a model. */
  readonly confidence: number;
  readonly reasons: readonly string[];
}

/** Weight of evidence at which confidence has risen to 63 % of what the share of fitting values allows. */
const EVIDENCE = 5;
const REASONS_MAX = 6;

export function scoreOf(verdicts: readonly Verdict[], missing: number): Score {
  const weigh = (fits: boolean) => verdicts.filter((v) => v.fits === fits).reduce((sum, v) => sum + v.weight, 0);
  const pro = weigh(true);
  const contra = weigh(false);
  const share = pro === 0 ? 0 : pro / (pro + 2 * contra + missing);
  const reasons = verdicts
    .filter(({ fits }) => fits)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, REASONS_MAX)
    .map(({ saw }) => saw);
  return { confidence: round(0.9 * share * (1 - Math.exp(-pro / EVIDENCE))), reasons };
}

export function round(confidence: number): number {
  return Math.round(confidence * 100) / 100;
}

export function near(a: number, b: number, relative: number, absolute = 0): boolean {
  return Math.abs(a - b) <= Math.max(relative * Math.abs(b), absolute);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function text(value: number | undefined): string {
  return value === undefined ? "not a number" : String(Number(value.toPrecision(5)));
}
