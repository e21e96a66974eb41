/**
 * Registers → block reads. Pure.
 *
 * A read costs the turnaround of an exchange plus the time of its words; neighbours share an exchange. A gap of undefined
 * addresses is only ever spanned where the model allows it (`limits.max_gap`): one undefined register can fail a whole block.
 *
 * Source   MODBUS Application Protocol V1.1b3 §6.3: at most 125 registers a read
 * Limits   quadratic in the registers of one function code; a model has at most a few hundred
 */

import { KhuXanhError } from "../../core/errors.ts";
import type { DeviceDefinition, PolledRegister } from "../../core/model/deviceDefinition.ts";
import type { FunctionCode, ModelLimits, Register } from "../../core/model/meterModel.ts";
import { ADDRESSES } from "../../core/model/modbus.ts";
import { exchangeTime, type Wire } from "../wireTime.ts";

export interface BlockRead {
  readonly fc: FunctionCode;
  readonly address: number;
  readonly count: number;
  /** The registers it was planned for, in address order. */
  readonly registers: readonly Register[];
}

/** Blocks that fall due together. */
export interface PollGroup {
  readonly every_ms: number;
  readonly blocks: readonly BlockRead[];
}

/** What an exchange costs; only the proportion counts. */
export interface ReadCost {
  /** One exchange more: both frames' overhead, silent intervals and the meter's turnaround. */
  readonly exchange: number;
  /** One register more in a block. */
  readonly register: number;
}

/** What a meter's own answers forbid beyond its model's limits: see `agent/poll/learn.ts`. */
export interface Avoided {
  /** No block may go on across these: it may begin there or end before. */
  readonly cuts: readonly { readonly fc: FunctionCode; readonly address: number }[];
  /** Registers no block may touch, not even in a gap. */
  readonly registers: readonly Pick<Register, "fc" | "address" | "words">[];
  /** Longest read of this meter; null = the model's. */
  readonly max_registers_per_read: number | null;
}

export const NOTHING_AVOIDED: Avoided = { cuts: [], registers: [], max_registers_per_read: null };

/** 9600 baud: a register takes 2 ms; 13 bytes of framing, 8 ms of silence and 20…30 ms of turnaround about 20 of them. */
export const SERIAL_COST: ReadCost = { exchange: 20, register: 1 };

/** What exchanges cost on this wire, in milliseconds; `min_gap_ms` is the pause the meter asks for. */
export function costOn(wire: Wire, min_gap_ms: number): ReadCost {
  const exchange = exchangeTime(0, wire, min_gap_ms).busy_ms;
  return { exchange, register: exchangeTime(1, wire, min_gap_ms).busy_ms - exchange };
}

/** The reads of every period of a definition, shortest period first. */
export function planFor(
  definition: Pick<DeviceDefinition, "registers">,
  limits: ModelLimits,
  cost: ReadCost = SERIAL_COST,
  avoided: Avoided = NOTHING_AVOIDED,
): readonly PollGroup[] {
  const periods = [...new Set(definition.registers.map(({ every_ms }) => every_ms))].sort((a, b) => a - b);
  return periods.map((every_ms) => {
    const own = definition.registers.filter((polled) => polled.every_ms === every_ms);
    return { every_ms, blocks: planReads(own, limits, cost, besideOthers(own, definition, limits, avoided)) };
  });
}

/** A gap holds no register of another period: it would be read, and taken for a reading, when nobody asked for it. */
function besideOthers(
  own: readonly PolledRegister[],
  { registers }: Pick<DeviceDefinition, "registers">,
  { max_gap }: ModelLimits,
  avoided: Avoided,
): Avoided {
  if (max_gap === 0) return avoided;
  const others = registers.flatMap(({ register }) =>
    own.some((polled) => isSame(polled.register, register)) ? [] : [register],
  );
  return { ...avoided, registers: [...avoided.registers, ...others] };
}

/**
 * The cheapest set of reads that covers every register once, whole, within the limits. Registers that are to be avoided are
 * not covered.
 * @throws {KhuXanhError} MODEL_INVALID for a register longer than the model's longest read.
 */
export function planReads(
  registers: readonly Pick<PolledRegister, "register">[],
  limits: ModelLimits,
  cost: ReadCost = SERIAL_COST,
  avoided: Avoided = NOTHING_AVOIDED,
): readonly BlockRead[] {
  const byCode = (fc: FunctionCode): Register[] =>
    registers
      .map(({ register }) => register)
      .filter((register) => register.fc === fc && !avoided.registers.some((one) => isSame(one, register)))
      .sort((a, b) => a.address - b.address || a.words - b.words);
  const within = { limits, avoided };
  return [...partition(byCode(3), within, cost), ...partition(byCode(4), within, cost)];
}

/** One half of a block each, cut between two of its registers; a block for a single register cannot be halved. */
export function halves(block: BlockRead, limits: ModelLimits): readonly [BlockRead, BlockRead] | null {
  const { registers } = block;
  if (registers.length < 2) return null;
  const middle = Math.ceil(registers.length / 2);
  return [spanOf(registers.slice(0, middle), limits), spanOf(registers.slice(middle), limits)];
}

/** What a block has to keep to. */
interface Within {
  readonly limits: ModelLimits;
  readonly avoided: Avoided;
}

function isSame(
  one: Pick<Register, "fc" | "address" | "words">,
  other: Pick<Register, "fc" | "address" | "words">,
): boolean {
  return one.fc === other.fc && one.address === other.address && one.words === other.words;
}

/** Dynamic programme over the sorted registers: best[i] = cheapest cover of the first i. */
function partition(sorted: readonly Register[], within: Within, cost: ReadCost): BlockRead[] {
  const best: { cost: number; from: number }[] = [{ cost: 0, from: 0 }];
  for (let end = 1; end <= sorted.length; end++) {
    let choice = { cost: Number.POSITIVE_INFINITY, from: end - 1 };
    for (let from = end - 1; from >= 0; from--) {
      const block = blockOf(sorted.slice(from, end), within);
      if (block === null) break;
      const total = best[from]!.cost + cost.exchange + cost.register * block.count;
      if (total < choice.cost) choice = { cost: total, from };
    }
    if (choice.cost === Number.POSITIVE_INFINITY) throw tooLong(sorted[end - 1]!, within.limits);
    best.push(choice);
  }

  const blocks: BlockRead[] = [];
  for (let end = sorted.length; end > 0; end = best[end]!.from) {
    blocks.unshift(blockOf(sorted.slice(best[end]!.from, end), within)!);
  }
  return blocks;
}

/** The block that reads these registers, or null if a limit forbids it. */
function blockOf(registers: readonly Register[], { limits, avoided }: Within): BlockRead | null {
  let end = registers[0]!.address;
  for (const register of registers) {
    if (register.address - end > limits.max_gap) return null;
    end = Math.max(end, register.address + register.words);
  }
  const block = spanOf(registers, limits);
  // A single value is asked for whatever was learned: there is no shorter way to read it.
  if (block.count > limits.max_registers_per_read) return null;
  return registers.length > 1 && isAvoided(block, avoided) ? null : block;
}

/** The read from the first to the last of these registers. */
function spanOf(registers: readonly Register[], limits: ModelLimits): BlockRead {
  const { fc, address } = registers[0]!;
  const exact = Math.max(...registers.map((register) => register.address + register.words)) - address;
  // A device that refuses odd counts is asked for one register more than needed: there is no other way to read the value.
  const count = limits.count_must_be_even ? exact + (exact % 2) : exact;
  // Behind the last address there is none: the one more is the one before.
  return { fc, address: Math.min(address, ADDRESSES - count), count, registers };
}

function isAvoided({ fc, address, count }: BlockRead, { cuts, registers, max_registers_per_read }: Avoided): boolean {
  const end = address + count;
  return (
    (max_registers_per_read !== null && count > max_registers_per_read) ||
    cuts.some((cut) => cut.fc === fc && address < cut.address && cut.address < end) ||
    registers.some((one) => one.fc === fc && address < one.address + one.words && one.address < end)
  );
}

function tooLong(register: Register, limits: ModelLimits): KhuXanhError {
  return new KhuXanhError(
    "MODEL_INVALID",
    `${register.name} spans ${register.words} registers, a read at most ${limits.max_registers_per_read}`,
    { hint: "Correct limits.max_registers_per_read or the register's length in the model file." },
  );
}
