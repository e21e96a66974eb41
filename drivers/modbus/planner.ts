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

/** What an exchange costs, in the time one register takes on the line. */
export interface ReadCost {
  /** One exchange more: both frames' overhead, silent intervals and the meter's turnaround. */
  readonly exchange: number;
  /** One register more in a block. */
  readonly register: number;
}

/** 9600 baud: a register takes 2 ms; 13 bytes of framing, 8 ms of silence and 20…30 ms of turnaround about 20 of them. */
export const SERIAL_COST: ReadCost = { exchange: 20, register: 1 };

/** The reads of every period of a definition, shortest period first. */
export function planFor(
  definition: Pick<DeviceDefinition, "registers">,
  limits: ModelLimits,
  cost: ReadCost = SERIAL_COST,
): readonly PollGroup[] {
  const periods = [...new Set(definition.registers.map(({ every_ms }) => every_ms))].sort((a, b) => a - b);
  return periods.map((every_ms) => ({
    every_ms,
    blocks: planReads(
      definition.registers.filter((polled) => polled.every_ms === every_ms),
      limits,
      cost,
    ),
  }));
}

/**
 * The cheapest set of reads that covers every register once, whole, within the limits.
 * @throws {KhuXanhError} MODEL_INVALID for a register longer than the model's longest read.
 */
export function planReads(
  registers: readonly Pick<PolledRegister, "register">[],
  limits: ModelLimits,
  cost: ReadCost = SERIAL_COST,
): readonly BlockRead[] {
  const byCode = (fc: FunctionCode): Register[] =>
    registers
      .map(({ register }) => register)
      .filter((register) => register.fc === fc)
      .sort((a, b) => a.address - b.address || a.words - b.words);
  return [...partition(byCode(3), limits, cost), ...partition(byCode(4), limits, cost)];
}

/** Dynamic programme over the sorted registers: best[i] = cheapest cover of the first i. */
function partition(sorted: readonly Register[], limits: ModelLimits, cost: ReadCost): BlockRead[] {
  const best: { cost: number; from: number }[] = [{ cost: 0, from: 0 }];
  for (let end = 1; end <= sorted.length; end++) {
    let choice = { cost: Number.POSITIVE_INFINITY, from: end - 1 };
    for (let from = end - 1; from >= 0; from--) {
      const block = blockOf(sorted.slice(from, end), limits);
      if (block === null) break;
      const total = best[from]!.cost + cost.exchange + cost.register * block.count;
      if (total < choice.cost) choice = { cost: total, from };
    }
    if (choice.cost === Number.POSITIVE_INFINITY) throw tooLong(sorted[end - 1]!, limits);
    best.push(choice);
  }

  const blocks: BlockRead[] = [];
  for (let end = sorted.length; end > 0; end = best[end]!.from) {
    blocks.unshift(blockOf(sorted.slice(best[end]!.from, end), limits)!);
  }
  return blocks;
}

/** The block that reads these registers, or null if a limit forbids it. */
function blockOf(registers: readonly Register[], limits: ModelLimits): BlockRead | null {
  const first = registers[0]!;
  let end = first.address;
  for (const register of registers) {
    if (register.address - end > limits.max_gap) return null;
    end = Math.max(end, register.address + register.words);
  }
  const exact = end - first.address;
  // A device that refuses odd counts is asked for one register more than needed: there is no other way to read the value.
  const count = limits.count_must_be_even ? exact + (exact % 2) : exact;
  return count > limits.max_registers_per_read ? null : { fc: first.fc, address: first.address, count, registers };
}

function tooLong(register: Register, limits: ModelLimits): KhuXanhError {
  return new KhuXanhError(
    "MODEL_INVALID",
    `${register.name} spans ${register.words} registers, a read at most ${limits.max_registers_per_read}`,
    { hint: "Correct limits.max_registers_per_read or the register's length in the model file." },
  );
}
