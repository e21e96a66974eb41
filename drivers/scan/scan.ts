/**
 * Finds out which units of a bus answer and what they are, by reads (fc 3 and 4) and nothing else.
 *
 * Steps      1. one short read: no answer within the timeout, or a gateway's exception 0x0A or 0x0B, means silent
 *            2. the identity registers of all models, each address once; the first model that is confirmed and whose values do
 *               not speak against it is the answer
 *            3. else every model whose voltage or frequency is plausible is read twice and scored
 * Limits     a unit that stops answering is left after 3 lost replies in a row; the bus is left when it is unreachable twice
 *            in a row. A device that keeps silent instead of refusing an address it lacks looks silent in step 1.
 */
import type { MeterModel, Register } from "../../core/model/meterModel.ts";
import type { Bus, BusReply } from "../../core/ports.ts";
import { paced, readModel, withRegisters } from "../probe.ts";
import { type Answer, type Claim, type IdentityRead, identityReads, testimony } from "./identity.ts";
import { remembering } from "./memory.ts";
import { judge, missingWeight, round, type Score, scoreOf, type Verdict } from "./plausibility.ts";
import { isMain, type Snapshot, snapshotOf } from "./snapshot.ts";

export interface FoundUnit {
  readonly unit: number;
  /** null: it answers, and no model of the library fits. */
  readonly model: string | null;
  /** Why this model, one reason each. */
  readonly matched_by: readonly string[];
  /** 0…1; identity confirmed by values is 1, plausible values alone at most 0.9. */
  readonly confidence: number;
  /** Other models that fit as well or nearly so; the nameplate decides. */
  readonly candidates: readonly { readonly model: string; readonly confidence: number }[];
}

export interface ScanResult {
  readonly found: readonly FoundUnit[];
  readonly silent: readonly number[];
  readonly errors: readonly { readonly unit: number; readonly why: string }[];
}

export interface ScanOptions {
  readonly units: readonly number[];
  /** Wait for the first answer of a unit: what a silent one costs. */
  readonly timeout_ms: number;
  /** Wait for later answers of a unit that has answered. */
  readonly patience_ms: number;
  /** Pause between reads. */
  readonly gap_ms: number;
  readonly wait: (ms: number) => Promise<void>;
  readonly onProgress?: (progress: { readonly done: number; readonly of: number; readonly found: number }) => void;
}

/** Scores this far apart are a tie: both are reported. */
const TIE = 0.05;
/** Below this, values fit a model by chance. */
const CONFIDENCE_MIN = 0.3;
/** Below this, a model is not even worth a look at the nameplate. */
const CANDIDATE_MIN = 0.1;
const LOST_MAX = 3;
const UNREACHABLE_MAX = 2;
const UNREACHABLE_PAUSE_MS = 500;
/** Gateway path unavailable, gateway target device failed to respond: Modbus Application Protocol V1.1b3 §7. */
const GATEWAY_EXCEPTIONS: readonly number[] = [0x0a, 0x0b];

export async function scan(bus: Bus, models: readonly MeterModel[], options: ScanOptions): Promise<ScanResult> {
  const found: FoundUnit[] = [];
  const silent: number[] = [];
  const errors: { unit: number; why: string }[] = [];
  const line = paced(bus, options.gap_ms, options.wait);
  const identities = identityReads(models);
  let unreachable = 0;
  const prints: (string | null)[] = [];
  for (const [done, unit] of options.units.entries()) {
    options.onProgress?.({ done, of: options.units.length, found: found.length });
    const result = await scanUnit(line, unit, models, identities, options);
    if (result.kind === "silent") silent.push(unit);
    else if (result.kind === "found") found.push(...result.found);
    else errors.push({ unit, why: result.why });
    prints.push(result.kind === "found" ? result.print : null);
    if (isDeaf(prints)) return { found: [deafUnit(found[0]!, options.units.slice(0, DEAF_UNITS))], silent, errors };
    unreachable = result.kind === "unreachable" ? unreachable + 1 : 0;
    if (unreachable === UNREACHABLE_MAX) {
      const left = options.units.slice(done + 1);
      if (left.length > 0)
        errors.push({ unit: left[0]!, why: `not asked${norThose(left.length - 1)}: the bus is gone` });
      break;
    }
    if (result.kind === "unreachable") await options.wait(UNREACHABLE_PAUSE_MS);
  }
  options.onProgress?.({ done: options.units.length, of: options.units.length, found: found.length });
  return { found, silent, errors };
}

function norThose(count: number): string {
  if (count === 0) return "";
  return count === 1 ? ", nor the unit after it" : `, nor the ${count} units after it`;
}

/** Units in a row that show the very same counters before a device counts as deaf to the unit number. */
const DEAF_UNITS = 10;

/** Devices with a port of their own often answer whatever unit is asked for: one meter, not 247. */
function isDeaf(prints: readonly (string | null)[]): boolean {
  return prints.length === DEAF_UNITS && prints[0] !== null && prints.every((print) => print === prints[0]);
}

function deafUnit(first: FoundUnit, units: readonly number[]): FoundUnit {
  const note = `units ${units[0]}…${units.at(-1)} all gave the same counters: the device answers whatever unit is asked for, the rest was not asked`;
  return { ...first, matched_by: [...first.matched_by, note] };
}

type UnitResult =
  | { readonly kind: "silent" }
  /** `print`: the counters of the meter, by which two meters of one model differ; null if it has none that count. */
  | { readonly kind: "found"; readonly found: readonly FoundUnit[]; readonly print: string | null }
  | { readonly kind: "error" | "unreachable"; readonly why: string };

async function scanUnit(
  bus: Bus,
  unit: number,
  models: readonly MeterModel[],
  identities: readonly IdentityRead[],
  options: ScanOptions,
): Promise<UnitResult> {
  const first = await presence(bus, unit, identities[0], options);
  if (first.kind === "timeout") return { kind: "silent" };
  if (first.kind === "exception" && GATEWAY_EXCEPTIONS.includes(first.code)) return { kind: "silent" };
  if (first.kind === "unreachable") return { kind: "unreachable", why: `unreachable: ${first.detail}` };
  if (first.kind === "garbled") return { kind: "error", why: `garbled: ${first.detail}` };

  const line = patient(bus);
  const passes: readonly [Bus, Bus] = [remembering(line), remembering(line)];
  const reader: UnitReader = { unit, passes, timeout_ms: options.patience_ms, isGone: () => line.isGone() };
  const claims = await askIdentity(reader, identities);
  const confirmed = await confirm(reader, claims);
  if (confirmed.length > 0)
    return { kind: "found", found: confirmed, print: await printOf(reader, models, confirmed[0]!) };
  const scored = await scoreModels(reader, models, claims);
  if (scored.model === null && line.isGone()) {
    return { kind: "error", why: `answered once, then lost ${LOST_MAX} replies in a row` };
  }
  return { kind: "found", found: [scored], print: await printOf(reader, models, scored) };
}

async function printOf(reader: UnitReader, models: readonly MeterModel[], found: FoundUnit): Promise<string | null> {
  const model = models.find(({ id }) => id === found.model);
  if (model === undefined || model.discovery !== undefined) return null;
  const isCounter = (register: Register) => isMain(register) && isTelling(register) && register.kind === "counter";
  const { values } = await pass(reader, 0, withRegisters(model, isCounter));
  const counters = [...values].filter(([name, value]) => /_total$/.test(name) && value !== 0);
  return counters.length === 0 ? null : JSON.stringify([found.model, counters]);
}

function presence(
  bus: Bus,
  unit: number,
  read: IdentityRead | undefined,
  { timeout_ms }: ScanOptions,
): Promise<BusReply> {
  const { fc, address, count } = read ?? { fc: 3 as const, address: 0, count: 2 };
  return bus.read({ unit, fc, address, count, timeout_ms });
}

/** Stops asking after several lost replies in a row: what comes then is answered with a timeout at once. */
function patient(bus: Bus): Bus & { isGone(): boolean } {
  let lost = 0;
  return {
    async read(request) {
      if (lost >= LOST_MAX) return { kind: "timeout" };
      const reply = await bus.read(request);
      lost = reply.kind === "words" || reply.kind === "exception" ? 0 : lost + 1;
      return reply;
    },
    close: () => bus.close(),
    isGone: () => lost >= LOST_MAX,
  };
}

interface UnitReader {
  readonly unit: number;
  /** Two moments: each remembers what it has read. */
  readonly passes: readonly [Bus, Bus];
  readonly timeout_ms: number;
  isGone(): boolean;
}

/** What the identity registers said of each model. */
interface Claims {
  readonly matches: ReadonlyMap<MeterModel, readonly string[]>;
  readonly contradicted: ReadonlySet<MeterModel>;
  readonly refused: ReadonlySet<MeterModel>;
}

async function askIdentity(reader: UnitReader, identities: readonly IdentityRead[]): Promise<Claims> {
  const matches = new Map<MeterModel, string[]>();
  const contradicted = new Set<MeterModel>();
  const refused = new Set<MeterModel>();
  for (const { claims, fc, address, count } of identities) {
    if (claims.every(({ model }) => isSettled(model, matches))) continue;
    const { unit, timeout_ms } = reader;
    const ask = (registers: number) => reader.passes[0].read({ unit, fc, address, count: registers, timeout_ms });
    const reply = await ask(count);
    const even = claims.some(({ model }) => model.limits.count_must_be_even) && count % 2 === 1;
    const again = reply.kind === "exception" && even ? await ask(count + 1) : reply;
    const answer: Answer =
      again.kind === "words" ? { kind: "words", words: again.words.subarray(0, count) } : { kind: "refused" };
    for (const claim of claims) hear(claim, answer, { matches, contradicted, refused });
  }
  return { matches, contradicted, refused };
}

/** A SunSpec marker need not be looked for at the other bases once it is found. */
function isSettled(model: MeterModel, matches: ReadonlyMap<MeterModel, readonly string[]>): boolean {
  return model.discovery !== undefined && matches.has(model);
}

function hear(
  claim: Claim,
  answer: Answer,
  into: {
    readonly matches: Map<MeterModel, string[]>;
    readonly contradicted: Set<MeterModel>;
    readonly refused: Set<MeterModel>;
  },
): void {
  const heard = testimony(claim, answer);
  if (heard.kind === "match") into.matches.set(claim.model, [...(into.matches.get(claim.model) ?? []), heard.because]);
  if (heard.kind === "contradiction") into.contradicted.add(claim.model);
  if (heard.kind === "none" && claim.model.discovery === undefined) into.refused.add(claim.model);
}

/** Identity confirmed by values: the best vendor model, or every SunSpec model of the chain. */
async function confirm(reader: UnitReader, { matches, contradicted }: Claims): Promise<readonly FoundUnit[]> {
  const named = [...matches].filter(([model]) => !contradicted.has(model));
  const vendor: FoundUnit[] = [];
  const chain: FoundUnit[] = [];
  for (const [model, because] of named) {
    const { readable, contra, score } = await valuesOf(reader, model);
    if (!readable) continue;
    const confidence = contra ? 0.4 : round(0.85 + (0.15 * score.confidence) / 0.9);
    const unit = {
      unit: reader.unit,
      model: model.id,
      matched_by: [...because, ...score.reasons],
      confidence,
      candidates: [],
    };
    (model.discovery === undefined ? vendor : chain).push(unit);
  }
  const sure = vendor.filter(({ confidence }) => confidence >= 0.5).sort((a, b) => b.confidence - a.confidence);
  const best = sure[0];
  if (best === undefined) return chain.filter(({ confidence }) => confidence >= 0.5);
  const candidates = [...sure.slice(1), ...chain].map(({ model, confidence }) => ({ model: model!, confidence }));
  return [{ ...best, candidates }];
}

interface ModelValues {
  /** At least one register of the model could be read. */
  readonly readable: boolean;
  /** The values speak against the model. */
  readonly contra: boolean;
  readonly score: Score;
}

async function valuesOf(reader: UnitReader, model: MeterModel): Promise<ModelValues> {
  const told = withRegisters(model, (register) => isMain(register) && isTelling(register));
  const [first, second] = [await pass(reader, 0, told), await pass(reader, 1, told)];
  const verdicts = judge(first, second);
  const score = scoreOf(verdicts, missingWeight(first));
  return { readable: first.read.size > 0, contra: speaksAgainst(verdicts), score };
}

function speaksAgainst(verdicts: readonly Verdict[]): boolean {
  const weigh = (fits: boolean) =>
    verdicts.filter((v) => v.strong && v.fits === fits).reduce((sum, v) => sum + v.weight, 0);
  return weigh(false) > weigh(true);
}

/** Instantaneous values and total counters: what plausibility can be told by. Settings and identity are not read. */
function isTelling({ kind, quantity }: Register): boolean {
  if (quantity === undefined || quantity.includes("_demand")) return false;
  return kind === "gauge" || (kind === "counter" && /_(import|export)_total$|^volume_/.test(quantity));
}

async function pass({ unit, passes, timeout_ms }: UnitReader, moment: 0 | 1, model: MeterModel): Promise<Snapshot> {
  const { readings } = await readModel(passes[moment], unit, model, { timeout_ms });
  return snapshotOf(model, readings);
}

async function scoreModels(reader: UnitReader, models: readonly MeterModel[], claims: Claims): Promise<FoundUnit> {
  const scored: { model: string; confidence: number; reasons: readonly string[] }[] = [];
  for (const model of models) {
    if (model.discovery !== undefined || !(await mayFit(reader, model))) continue;
    const { score } = await valuesOf(reader, model);
    const confidence = round(score.confidence * doubt(model, claims));
    const reasons = [...(claims.matches.get(model) ?? []), ...score.reasons];
    scored.push({ model: model.id, confidence, reasons });
  }
  scored.sort((a, b) => b.confidence - a.confidence);
  const best = scored[0];
  const others = scored.slice(1).map(({ model, confidence }) => ({ model, confidence }));
  if (best === undefined || best.confidence < CONFIDENCE_MIN) {
    const candidates =
      best === undefined || best.confidence < CANDIDATE_MIN ? [] : [{ model: best.model, confidence: best.confidence }];
    return { unit: reader.unit, model: null, matched_by: [], confidence: 0, candidates };
  }
  return {
    unit: reader.unit,
    model: best.model,
    matched_by: best.reasons,
    confidence: best.confidence,
    candidates: others.filter(({ confidence }) => confidence >= best.confidence - TIE),
  };
}

/** A model whose identity register says otherwise is most likely not it; one whose identity is refused, perhaps not. */
function doubt(model: MeterModel, { contradicted, refused, matches }: Claims): number {
  if (contradicted.has(model)) return 0.3;
  return refused.has(model) && !matches.has(model) ? 0.95 : 1;
}

/** One or two short reads tell whether a model is worth reading whole. */
async function mayFit(reader: UnitReader, model: MeterModel): Promise<boolean> {
  const keys = ["voltage_l1", "frequency", "voltage_l1_l2", "temperature_gas", "volume_flow"]
    .filter((name) => model.registers.some((register) => register.name === name))
    .slice(0, 2);
  for (const key of keys) {
    const snapshot = await pass(
      reader,
      0,
      withRegisters(model, ({ name }) => name === key),
    );
    const verdicts = judge(snapshot);
    if (verdicts.length > 0) return verdicts.every(({ fits }) => fits);
  }
  return false;
}
