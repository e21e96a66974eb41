/**
 * What a meter's own answers teach about its plan. Pure.
 *
 * A block the meter refuses is halved until what it refuses stands alone: that register is set aside with its reason and asked
 * again later, all others stay in the plan. Where both halves of a refused block are answered, no register is to blame but the
 * length or what lies between them: then it is cut there, or the meter's longest read is shortened.
 *
 * refusal    exceptions 1, 2 and 3, which speak of the request; a block that keeps timing out while its meter answers others.
 *            Exceptions 4…6 speak of the meter's state and 0x0A, 0x0B of the gateway: they teach nothing
 * cost       k culprits among n registers of a block are found in at most 1 + 2k⌈log2 n⌉ exchanges
 * again      a culprit after 1 minute, doubling to 1 hour, and at once when another one answers again; cuts and lengths are forgotten after a day and found again if need be
 */
import type { DeviceDefinition, PolledRegister } from "../../core/model/deviceDefinition.ts";
import type { ModelLimits, Register } from "../../core/model/meterModel.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { crc32c } from "../../core/wire/crc32c.ts";
import {
  type Avoided,
  type BlockRead,
  halves,
  type PollGroup,
  planFor,
  type ReadCost,
  SERIAL_COST,
} from "../../drivers/modbus/planner.ts";

export const RETRY_FIRST_MS = 60_000;
export const RETRY_MAX_MS = 3_600_000;
const FORGET_AFTER_MS = 86_400_000;

export type Refusal =
  | { readonly kind: "exception"; readonly code: number }
  /** Keeps silent at this block while it answers others. */
  | { readonly kind: "timeout" };

/** Codes that blame the request (MODBUS Application Protocol V1.1b3 §7): function, address, value. */
export function isRefusal(code: number): boolean {
  return code === 1 || code === 2 || code === 3;
}

export interface SetAside {
  readonly register: Register;
  readonly every_ms: number;
  readonly why: Refusal;
  readonly since_ms: EpochMs;
  readonly retryAt_ms: EpochMs;
  /** Times it was refused alone, since others came back. */
  readonly tries: number;
}

interface Cut {
  readonly fc: 3 | 4;
  readonly address: number;
  readonly at_ms: EpochMs;
}

interface Learned {
  readonly aside: readonly SetAside[];
  readonly cuts: readonly Cut[];
  readonly longest: { readonly registers: number; readonly at_ms: EpochMs } | null;
}

/** A block that was refused, and how its halves fare. */
interface Trial {
  readonly refused: BlockRead;
  readonly why: Refusal;
  readonly halves: readonly [BlockRead, BlockRead];
  readonly answered: readonly BlockRead[];
}

/** A meter's plan as it is now, and why it is so. Never changed in place. */
export interface Plan {
  readonly registers: readonly PolledRegister[];
  readonly limits: ModelLimits;
  readonly cost: ReadCost;
  readonly groups: readonly PollGroup[];
  readonly learned: Learned;
  /** Blocks that came out of halving and have not answered yet; empty = the plan is settled. */
  readonly suspects: ReadonlySet<BlockRead>;
  readonly trials: readonly Trial[];
}

const NO_READS: readonly BlockRead[] = [];
const NOTHING: Learned = { aside: [], cuts: [], longest: null };

export function startPlan(
  { registers }: Pick<DeviceDefinition, "registers">,
  limits: ModelLimits,
  cost: ReadCost = SERIAL_COST,
): Plan {
  return settled({ registers, limits, cost, groups: [], learned: NOTHING, suspects: new Set(), trials: [] });
}

/** A block was answered with words. */
export function answered(plan: Plan, block: BlockRead, at_ms: EpochMs): Plan {
  if (plan.suspects.size === 0 && plan.learned.aside.length === 0) return plan;
  const only = block.registers.length === 1 ? asideOf(plan, block.registers[0]!) : undefined;
  if (only !== undefined) return returned(plan, only, at_ms);
  if (!plan.suspects.has(block)) return plan;
  const suspects = without(plan.suspects, block);
  const trials = plan.trials.map((trial) =>
    trial.halves.includes(block) ? { ...trial, answered: [...trial.answered, block] } : trial,
  );
  const innocent = trials.filter((trial) => trial.answered.length === 2);
  const learned = innocent.reduce((known, trial) => withoutCulprit(known, trial, at_ms), plan.learned);
  return settledIfDone({ ...plan, suspects, learned, trials: trials.filter((trial) => trial.answered.length < 2) });
}

/** A block was refused. `next`: what to read instead, now or at the next poll. */
export function refused(
  plan: Plan,
  block: BlockRead,
  why: Refusal,
  at_ms: EpochMs,
): { readonly plan: Plan; readonly next: readonly BlockRead[] } {
  const parts = halves(block, plan.limits);
  if (parts === null) return { plan: withCulprit(plan, block, why, at_ms), next: [] };
  // Planned anew since this poll began: its halves would be on trial in no plan, for ever. The next poll asks.
  if (!plan.groups.some(({ blocks }) => blocks.includes(block))) return { plan, next: [] };
  const groups = plan.groups.map((group) => ({
    ...group,
    blocks: group.blocks.flatMap((one) => (one === block ? parts : [one])),
  }));
  const suspects = new Set([...without(plan.suspects, block), ...parts]);
  const trials = [...plan.trials, { refused: block, why, halves: parts, answered: [] }];
  return { plan: { ...plan, groups, suspects, trials }, next: parts };
}

/** Reads that ask registers set aside again: counters before all others, then those that wait longest. */
export function retries(plan: Plan, every_ms: number, at_ms: EpochMs): readonly BlockRead[] {
  if (plan.learned.aside.length === 0) return NO_READS;
  return plan.learned.aside
    .filter((one) => one.every_ms === every_ms && isDue(one.retryAt_ms, at_ms))
    .sort((a, b) => Number(isCounter(b)) - Number(isCounter(a)) || a.retryAt_ms - b.retryAt_ms)
    .map(({ register }) => readOf(register, plan.limits));
}

/** Forgets cuts and lengths after a day: firmware changes, and a wrong conclusion must not last. */
export function refreshed(plan: Plan, at_ms: EpochMs): Plan {
  const { cuts, longest } = plan.learned;
  if (cuts.length === 0 && longest === null) return plan;
  const isFresh = (one: { readonly at_ms: EpochMs }) => Math.abs(at_ms - one.at_ms) < FORGET_AFTER_MS;
  if (cuts.every(isFresh) && (longest === null || isFresh(longest))) return plan;
  const learned = {
    ...plan.learned,
    cuts: cuts.filter(isFresh),
    longest: longest !== null && isFresh(longest) ? longest : null,
  };
  return settledIfDone({ ...plan, learned });
}

/** What was learned, as text to be kept; only good for the same model and plan. */
export function saveLearned(plan: Plan, definition: Pick<DeviceDefinition, "model" | "modelVersion">): string {
  const { aside, cuts, longest } = plan.learned;
  return JSON.stringify({
    for: planKey(plan, definition),
    aside: aside.map(({ register: { name, fc, address }, ...rest }) => ({ name, fc, address, ...rest })),
    cuts,
    longest,
  });
}

/** The plan with what was kept; as it was if that was learned of another model, version or plan. */
export function restoreLearned(
  plan: Plan,
  definition: Pick<DeviceDefinition, "model" | "modelVersion">,
  text: string | null,
): Plan {
  if (text === null) return plan;
  const saved = JSON.parse(text) as SavedLearned;
  if (saved.for !== planKey(plan, definition)) return plan;
  const aside = saved.aside.flatMap(({ name, fc, address, ...rest }) => {
    const polled = plan.registers.find(
      ({ register, every_ms }) =>
        register.name === name && register.fc === fc && register.address === address && every_ms === rest.every_ms,
    );
    return polled === undefined ? [] : [{ register: polled.register, ...rest }];
  });
  return settled({ ...plan, learned: { aside, cuts: saved.cuts, longest: saved.longest } });
}

interface SavedLearned {
  readonly for: string;
  readonly aside: readonly (Omit<SetAside, "register"> & {
    readonly name: string;
    readonly fc: 3 | 4;
    readonly address: number;
  })[];
  readonly cuts: readonly Cut[];
  readonly longest: Learned["longest"];
}

function planKey(
  { registers, limits }: Plan,
  { model, modelVersion }: Pick<DeviceDefinition, "model" | "modelVersion">,
) {
  const text = JSON.stringify([
    registers.map(({ register: r, every_ms }) => [r.fc, r.address, r.words, every_ms]),
    limits,
  ]);
  return `${model} ${modelVersion} ${crc32c(new TextEncoder().encode(text)).toString(16)}`;
}

function withCulprit(plan: Plan, block: BlockRead, why: Refusal, at_ms: EpochMs): Plan {
  const register = block.registers[0]!;
  const before = asideOf(plan, register);
  const tries = (before?.tries ?? 0) + 1;
  const wait_ms = Math.min(RETRY_FIRST_MS * 2 ** Math.min(tries - 1, 16), RETRY_MAX_MS);
  const every_ms = before?.every_ms ?? plan.groups.find(({ blocks }) => blocks.includes(block))?.every_ms;
  if (every_ms === undefined) return plan; // planned anew as well
  const entry: SetAside = {
    register,
    every_ms,
    why,
    since_ms: before?.since_ms ?? at_ms,
    retryAt_ms: at_ms + wait_ms,
    tries,
  };
  if (before !== undefined) {
    return {
      ...plan,
      learned: { ...plan.learned, aside: plan.learned.aside.map((one) => (one === before ? entry : one)) },
    };
  }
  return settledIfDone({
    ...plan,
    groups: plan.groups.map((group) => ({ ...group, blocks: group.blocks.filter((one) => one !== block) })),
    suspects: without(plan.suspects, block),
    learned: { ...plan.learned, aside: [...plan.learned.aside, entry] },
  });
}

/** A register set aside answers again: so may the others, which are asked at once, and their waits begin anew. */
function returned(plan: Plan, entry: SetAside, at_ms: EpochMs): Plan {
  const aside = plan.learned.aside
    .filter((one) => one !== entry)
    .map((one) => ({ ...one, retryAt_ms: Math.min(one.retryAt_ms, at_ms), tries: 0 }));
  return settledIfDone({ ...plan, learned: { ...plan.learned, aside } });
}

/** Both halves were answered: the meter minds the length, or what lies between them. */
function withoutCulprit(
  learned: Learned,
  { refused: whole, why, halves: [left, right] }: Trial,
  at_ms: EpochMs,
): Learned {
  const isContiguous = left.address + left.count >= right.address;
  const longest = Math.max(left.count, right.count);
  const isCutBefore = learned.cuts.some(({ fc }) => fc === whole.fc);
  const blamesLength = (why.kind === "exception" && why.code === 3) || isCutBefore;
  if (isContiguous && blamesLength && longest < whole.count) {
    const registers = Math.min(longest, learned.longest?.registers ?? longest);
    return { ...learned, longest: { registers, at_ms } };
  }
  if (right.address <= left.address) return learned;
  return { ...learned, cuts: [...learned.cuts, { fc: whole.fc, address: right.address, at_ms }] };
}

/** While blocks are under trial they stay as they are; what came back or was forgotten joins the plan when it is settled. */
function settledIfDone(plan: Plan): Plan {
  return plan.suspects.size === 0 ? settled(plan) : plan;
}

/** Plans anew around everything that was learned. */
function settled(plan: Plan): Plan {
  const { aside, cuts, longest } = plan.learned;
  const avoided: Avoided = {
    cuts,
    registers: aside.map(({ register }) => register),
    max_registers_per_read: longest?.registers ?? null,
  };
  return { ...plan, groups: planFor(plan, plan.limits, plan.cost, avoided), suspects: new Set(), trials: [] };
}

function readOf(register: Register, limits: ModelLimits): BlockRead {
  const count = limits.count_must_be_even ? register.words + (register.words % 2) : register.words;
  return { fc: register.fc, address: register.address, count, registers: [register] };
}

function asideOf({ learned }: Plan, register: Register): SetAside | undefined {
  return learned.aside.find((one) => one.register === register);
}

function isCounter({ register }: SetAside): boolean {
  return register.kind === "counter";
}

/** A retry further off than any wait there is was set before the clock went back. */
function isDue(retryAt_ms: EpochMs, at_ms: EpochMs): boolean {
  return retryAt_ms <= at_ms || retryAt_ms - at_ms > RETRY_MAX_MS;
}

function without<T>(set: ReadonlySet<T>, item: T): ReadonlySet<T> {
  return new Set([...set].filter((one) => one !== item));
}
