/**
 * Which of the usual mistakes fits when a model's values look wrong: off by one, word order, function code, a decade.
 *
 * A mistake is only told when the model's own values are implausible and, with it undone, at least three quantities or
 * relations are plausible and none is not. Where several do, the one that fits best comes first: by what became plausible, then by
 * how exactly totals and means agree with the phases. Reads only what plausibility is judged by; a device is asked at most three maps more,
 * seven if no single mistake fits.
 * Limits   a meter behind voltage transformers (1…40 kV, phases alike) is believed; a site factor not configured is no mistake
 */
import type { MeterModel, Register } from "../core/model/meterModel.ts";
import type { Bus } from "../core/ports.ts";
import { type ModelReadings, type ProbeOptions, readModel, withRegisters } from "./probe.ts";
import { judge, missingWeight, near, phasePowers, scoreOf, type Verdict } from "./scan/plausibility.ts";
import { isMain, keyOf, type Snapshot, snapshotOf } from "./scan/snapshot.ts";

export interface Diagnosis {
  readonly mistake:
    | "address-one-lower"
    | "address-one-higher"
    | "word-order"
    | "function-code"
    | "decade"
    | "ct-ratio"
    | "combined";
  readonly why: { readonly vi: string; readonly en: string };
  /** What is plausible once the mistake is undone, one observation each. */
  readonly evidence: readonly string[];
  /** Another mistake, told before this one, explains the values better. */
  readonly isLessLikely: boolean;
}

const FITS_MIN = 3;

/** The likeliest first; empty when the values are plausible, or when no usual mistake explains them. `own` is what {@link readModel} brought. */
export async function diagnose(
  bus: Bus,
  unit: number,
  model: MeterModel,
  own: ModelReadings,
  options: ProbeOptions = {},
): Promise<readonly Diagnosis[]> {
  const snapshot = snapshotOf(model, own.readings);
  const decade = decadeMistakes(snapshot);
  if (decade.length > 0) return decade;
  // A SunSpec map is found by its marker, so its addresses, order and function code cannot be wrong.
  if (!looksWrong(model, snapshot) || model.discovery !== undefined) return [];
  // Nobody answers: there is nothing to tell apart.
  if (own.readings.length === 0 && !own.unread.some(({ why }) => why.startsWith("exception"))) return [];

  const told = withRegisters(model, (register) => isMain(register) && isTold(register));
  const isAsked = (key: string) => told.registers.some((register) => keyOf(register) === key);
  const against = judge(snapshot).filter(({ fits, what }) => !fits && isAsked(what)).length;
  const attempt = async (changes: readonly Change[]): Promise<readonly Candidate[]> => {
    const undone = (register: Register) =>
      changes.reduce<readonly Register[]>((registers, { change }) => registers.flatMap(change), [register]);
    const altered = { ...told, registers: told.registers.flatMap(undone) };
    const { readings } = await readModel(bus, unit, altered, options);
    const undoneSnapshot = snapshotOf(altered, readings);
    const verdicts = judge(undoneSnapshot);
    const isBetter = against === 0 || verdicts.filter(({ fits }) => !fits).length < against;
    if (!isBetter || !isConvincing(verdicts, told)) return [];
    const { confidence } = scoreOf(verdicts, missingWeight(undoneSnapshot));
    return [{ changes, verdicts, confidence, deviation: deviationOf(undoneSnapshot.values) }];
  };

  const single = await inTurn(
    CHANGES.map((change) => [change]),
    attempt,
  );
  return ranked(single.length > 0 || !isNonsense(model, snapshot) ? single : await inTurn(PAIRS, attempt));
}

/** A mistake that may explain the values, and how well. */
interface Candidate {
  readonly changes: readonly Change[];
  readonly verdicts: readonly Verdict[];
  /** Of the values with the mistake undone, 0…0.9. */
  readonly confidence: number;
  /** How far totals and means miss what the phases give; null where the map has none. */
  readonly deviation: number | null;
}

async function inTurn(
  trials: readonly (readonly Change[])[],
  attempt: (changes: readonly Change[]) => Promise<readonly Candidate[]>,
): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  for (const changes of trials) found.push(...(await attempt(changes)));
  return found;
}

/** A confidence or deviation that differs by less tells nothing. */
const CONFIDENCE_TELLS = 0.05;
const DEVIATION_TELLS = 2;

function ranked(candidates: readonly Candidate[]): readonly Diagnosis[] {
  const sorted = [...candidates].sort(
    (a, b) => (isPoorer(a, b) ? 1 : isPoorer(b, a) ? -1 : 0) || b.confidence - a.confidence,
  );
  return sorted.map((one) => diagnosisOf(one, isPoorer(one, sorted[0]!)));
}

function isPoorer(one: Candidate, other: Candidate): boolean {
  if (Math.abs(one.confidence - other.confidence) > CONFIDENCE_TELLS) return one.confidence < other.confidence;
  return one.deviation !== null && other.deviation !== null && one.deviation > DEVIATION_TELLS * other.deviation;
}

/** Agreement closer than this is as good as exact: meters reckon with single floats and round. */
const EXACT = 1e-6;

/**
 * Geometric mean of how far, relatively, what a meter reckons from its phases is off them: total power, mean voltages, power from
 * U·I·PF. With an address one off in a float of the other word order every value keeps its upper word and gets another's lower
 * one: plausible to a percent, but nothing adds up exactly.
 */
function deviationOf(values: ReadonlyMap<string, number>): number | null {
  const all = (names: readonly string[]) => {
    const found = names.map((name) => values.get(name) ?? 0);
    return found.every((value) => value !== 0) ? found : null;
  };
  const powers = all(["active_power_l1", "active_power_l2", "active_power_l3"]);
  const phases = all(["voltage_l1", "voltage_l2", "voltage_l3"]);
  const lines = all(["voltage_l1_l2", "voltage_l2_l3", "voltage_l3_l1"]);
  const pairs: readonly (readonly [number | undefined, number | undefined])[] = [
    [values.get("active_power_total"), powers?.reduce((sum, power) => sum + power, 0)],
    [values.get("voltage_ln_avg"), meanOf(phases)],
    [values.get("voltage_ll_avg"), meanOf(lines)],
    ...phasePowers(values).flatMap(({ power_W, expected_W }) =>
      expected_W === null ? [] : [[Math.abs(power_W), Math.abs(expected_W)] as const],
    ),
  ];
  const logs = pairs.flatMap(([told, reckoned]) =>
    told === undefined || reckoned === undefined || told === 0 || reckoned === 0
      ? []
      : [Math.log(EXACT + Math.abs(told / reckoned - 1))],
  );
  return logs.length === 0 ? null : Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

/** Gauges of electricity: what plausibility can judge in one pass. */
function isTold({ kind, quantity }: Register): boolean {
  return (
    kind === "gauge" &&
    quantity !== undefined &&
    /^(voltage_|current_l|frequency$|power_factor_|cos_phi_|active_power_(l\d|total)$)/.test(quantity)
  );
}

/** Whether a model's own values cannot be a meter's: nonsense, powers beyond reason, or no frequency where the model has one. */
function looksWrong(model: MeterModel, snapshot: Snapshot): boolean {
  const against = judge(snapshot).filter(({ fits }) => !fits);
  const isTelltale = ({ what }: Verdict) => what === "frequency" || /^(active_power|current)_(l\d|total)$/.test(what);
  return (
    isNonsense(model, snapshot) ||
    isEmpty(model, snapshot) ||
    against.some(isTelltale) ||
    snapshot.missing.has("frequency")
  );
}

/** Nothing but zeros where voltage and frequency should be: Eastron answers the wrong function code without an error. */
function isEmpty({ registers }: MeterModel, snapshot: Snapshot): boolean {
  const keys = registers
    .filter(isMain)
    .map(keyOf)
    .filter((key) => /^(voltage_l|frequency$)/.test(key));
  return keys.length > 0 && keys.every((key) => (snapshot.values.get(key) ?? 0) === 0);
}

function isNonsense(model: MeterModel, snapshot: Snapshot): boolean {
  const verdicts = judge(snapshot).filter((verdict) => verdict.strong && !isMediumVoltage(verdict, snapshot));
  const isKey = (key: string) => /^(voltage_l|frequency$)/.test(key);
  const expects = model.registers.some((register) => isMain(register) && isKey(register.quantity ?? ""));
  const refused = [...snapshot.missing].some(isKey) && verdicts.length === 0;
  const against = verdicts.filter(({ fits }) => !fits).length;
  // One odd relation among many sound values is the wiring's or the load's, not the map's.
  return expects && (refused || against * 2 > verdicts.length - against);
}

/** Phase voltages of 1…40 kV that agree with each other: primary values behind voltage transformers. */
function isMediumVoltage({ what, fits }: Verdict, { values }: Snapshot): boolean {
  const volts = ["l1", "l2", "l3"].map((phase) => values.get(`voltage_${phase}`) ?? 0);
  return !fits && what.startsWith("voltage_") && volts.every((v) => v > 1000 && v < 40_000 && near(v, volts[0]!, 0.2));
}

function isConvincing(verdicts: readonly Verdict[], { registers }: MeterModel): boolean {
  const strong = verdicts.filter((verdict) => verdict.strong);
  const quantities = verdicts.filter(
    ({ fits, what }) => fits && /^(voltage_|frequency$|power_factor_|cos_phi_|power )/.test(what),
  );
  // Two registers on, every value is its neighbour's and voltages still look right; the frequency has no such neighbour.
  const needsFrequency = registers.some(({ quantity }) => quantity === "frequency");
  const isComplete = !needsFrequency || strong.some(({ what }) => what === "frequency");
  return isComplete && strong.every(({ fits }) => fits) && quantities.length >= FITS_MIN && strong.length >= 2;
}

/** A mistake undone: every register of the map as it would be without it. */
interface Change {
  readonly mistake: Exclude<Diagnosis["mistake"], "decade" | "ct-ratio" | "combined">;
  readonly change: (register: Register) => readonly Register[];
  readonly vi: string;
  readonly en: string;
}

const CHANGES: readonly Change[] = [
  {
    mistake: "address-one-lower",
    change: (register) => moved(register, -1),
    vi: "địa chỉ thanh ghi thấp hơn một",
    en: "addresses are one lower",
  },
  {
    mistake: "address-one-higher",
    change: (register) => moved(register, 1),
    vi: "địa chỉ thanh ghi cao hơn một",
    en: "addresses are one higher",
  },
  {
    mistake: "word-order",
    change: (register) => [{ ...register, word_order: register.word_order === "big" ? "little" : "big" }],
    vi: "thứ tự từ (word) đảo ngược",
    en: "the word order is the other one",
  },
  {
    mistake: "function-code",
    change: (register) => [{ ...register, fc: register.fc === 3 ? 4 : 3 }],
    vi: "mã hàm 3 và 4 đổi cho nhau",
    en: "function codes 3 and 4 are exchanged",
  },
];

const PAIRS: readonly (readonly Change[])[] = [
  [0, 2],
  [1, 2],
  [0, 3],
  [1, 3],
  [2, 3],
].map((pair) => pair.map((index) => CHANGES[index]!));

function moved(register: Register, by: -1 | 1): readonly Register[] {
  const address = register.address + by;
  if (address < 0 || address + register.words > 0x1_0000) return [];
  const { scale_exp_address: exponent } = register;
  return [{ ...register, address, ...(exponent === undefined ? {} : { scale_exp_address: exponent + by }) }];
}

function meanOf(values: readonly number[] | null): number | undefined {
  return values === null ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function diagnosisOf({ changes, verdicts }: Candidate, isLessLikely: boolean): Diagnosis {
  const [vi, en] = isLessLikely
    ? ["Ít khả năng hơn: các giá trị tạm", "Less likely: the values roughly"]
    : ["Các giá trị", "The values"];
  return {
    mistake: changes.length === 1 ? changes[0]!.mistake : "combined",
    why: {
      vi: `${vi} hợp lý nếu ${changes.map((change) => change.vi).join(" và ")}.`,
      en: `${en} fit if ${changes.map((change) => change.en).join(" and ")}.`,
    },
    evidence: evidenceOf(verdicts),
    isLessLikely,
  };
}

const EVIDENCE_MAX = 6;

function evidenceOf(verdicts: readonly Verdict[]): readonly string[] {
  return verdicts
    .filter(({ fits }) => fits)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, EVIDENCE_MAX)
    .map(({ saw }) => saw);
}

const DECADES: readonly number[] = [0.001, 0.01, 0.1, 10, 100, 1000];
const NOMINAL_V = { low: 85, high: 290 } as const;

/** Scale mistakes, told from the values alone: voltage, frequency or power off by a power of ten, or power by a constant ratio. */
function decadeMistakes({ values }: Snapshot): readonly Diagnosis[] {
  const phases = phasePowers(values).filter(
    ({ roughly_W, apparent_VA }) => roughly_W !== null && Math.abs(roughly_W) > 0.05 * apparent_VA,
  );
  const voltage = decadeOfVoltage(values);
  if (voltage !== null) return [voltage];
  const ratios = phases.map(({ power_W, roughly_W }) => Math.abs(power_W / roughly_W!));
  const ratio = ratios[0];
  if (ratio === undefined || ratios.length < 3 || near(ratio, 1, 0.4) || ratios.some((one) => !near(one, ratio, 0.15)))
    return [];
  const volts = ["l1", "l2", "l3"].map((phase) => values.get(`voltage_${phase}`) ?? 0);
  if (volts.some((v) => v < 50 || v > 40_000)) return [];
  const decade = DECADES.find((power) => near(ratio, power, 0.2));
  const factor = decade ?? Number(ratio.toPrecision(3));
  const evidence = phases.map(
    ({ phase, power_W, roughly_W }) =>
      `power ${phase} ${power_W.toPrecision(4)} W where U·I·PF gives ${roughly_W!.toPrecision(4)} W`,
  );
  const [vi, en] =
    decade === undefined
      ? [
          `tỷ số biến dòng (CT) ${plainRatio(factor)} chỉ được nhân vào dòng điện hoặc chỉ vào công suất`,
          `a CT ratio of ${plainRatio(factor)} is applied to current or to power only`,
        ]
      : [
          `điện áp, dòng điện hoặc công suất đang lệch ${plainRatio(factor)} lần (hệ số thang đo hoặc tỷ số CT)`,
          `voltage, current or power is off by a factor of ${plainRatio(factor)} (scale or CT ratio)`,
        ];
  return [
    {
      mistake: decade === undefined ? "ct-ratio" : "decade",
      why: { vi: `Các giá trị chỉ khớp nhau nếu ${vi}.`, en: `The values fit if ${en}.` },
      evidence,
      isLessLikely: false,
    },
  ];
}

function plainRatio(factor: number): string {
  return String(factor < 1 ? Number((1 / factor).toPrecision(3)) : factor);
}

/** All three phase voltages and the frequency become plausible by moving the decimal point. */
function decadeOfVoltage(values: ReadonlyMap<string, number>): Diagnosis | null {
  const volts = ["l1", "l2", "l3"].map((phase) => values.get(`voltage_${phase}`) ?? 0);
  const hertz = values.get("frequency") ?? 0;
  const low = Math.min(...volts);
  if (!(low > 0) || Math.max(...volts) > 1.2 * low || inRange(hertz, 45, 65) || (inRange(low, 50, 500) && hertz === 0))
    return null;
  const forVolts = inRange(low, 50, 500)
    ? 1
    : DECADES.find((factor) => inRange(low * factor, NOMINAL_V.low, NOMINAL_V.high));
  const forHertz = DECADES.find((factor) => inRange(hertz * factor, 45, 65));
  if (forVolts === undefined || forHertz === undefined) return null;
  const evidence = [
    ...volts.map((v, i) => `voltage_l${i + 1} ${v} × ${forVolts} = ${Number((v * forVolts).toPrecision(5))} V`),
    `frequency ${hertz} × ${forHertz} = ${Number((hertz * forHertz).toPrecision(5))} Hz`,
  ];
  return {
    mistake: "decade",
    why: {
      vi: "Các giá trị hợp lý nếu dấu thập phân được dời: hệ số thang đo (scale) trong tệp mô hình sai bội số của mười.",
      en: "The values fit if the decimal point is moved: the scale in the model file is off by a power of ten.",
    },
    evidence,
    isLessLikely: false,
  };
}

function inRange(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}
