import type { Register } from "../../core/model/meterModel.ts";
import type { Answer } from "../meters/addressSpace.ts";
import { noValueCell } from "../meters/registerCells.ts";
import type { SimMeter, Truth } from "../meters/simMeter.ts";
import { type Era, eraAt, erasOf } from "./eras.ts";
import { episodeAt, type Fault } from "./schedule.ts";

/** A meter with what befalls it: its registers go wrong, its truth does not. */
export interface FaultyMeter {
  /** The meter as it would be without faults. */
  readonly meter: SimMeter;
  /** @param connection who asks; some faults only one connection sees */
  read(fc: 3 | 4, address: number, count: number, at_ms: number, connection?: number | null): Answer;
  /**
   * What each counter stands at, start value included: it differs from the truth after a reset, a replacement, a rollover
   * or under a reversed transformer. Null while nothing of the kind has happened.
   */
  shown(at_ms: number): Truth | null;
  /**
   * Across a fault that leaves a mark: what the counters stood at before and after, and the serial after.
   * @param from_ms when it happened, if it is told later
   */
  crossing(at_ms: number, from_ms?: number): { readonly before: Truth; readonly after: Truth; readonly serial: number };
}

/** @param faults those that hit this unit's registers, as they are now; a new array when they have changed */
export function faultyMeter(meter: SimMeter, faults: () => readonly Fault[]): FaultyMeter {
  let known: readonly Fault[] = [];
  let eras: readonly Era[] = [{ from_ms: -Infinity, meter, reversed: "none" }];
  const now = (): readonly Fault[] => {
    const current = faults();
    if (current !== known) {
      known = current;
      eras = erasOf(meter, current);
    }
    return current;
  };
  return {
    meter,
    read(fc, address, count, at_ms, connection = null) {
      const current = now();
      if (current.length === 0) return meter.read(fc, address, count, at_ms);
      const active = current.flatMap((fault) => {
        if (fault.on.connection !== null && fault.on.connection !== connection) return [];
        const episode = episodeAt(fault, at_ms);
        return episode === null ? [] : [{ what: fault.what, from_ms: episode.from_ms }];
      });
      const frozen = active.find(({ what }) => what.kind === "frozen");
      // One that has always been frozen shows what it showed when it began to count.
      const shown_ms = frozen === undefined ? at_ms : Math.max(frozen.from_ms, 0);
      const era = eraAt(eras, shown_ms).meter;
      const answer = era.read(fc, address, count, shown_ms);
      if (!(answer instanceof Uint16Array)) return answer;
      const block = { fc, address, words: answer };
      for (const { what } of active) {
        if (what.kind === "reboot") answer.fill(0);
        else if (what.kind === "no-value") emptyValues(era, block, what.quantity);
        else if (what.kind === "word-order") swapWords(era, block);
      }
      return answer;
    },
    shown(at_ms) {
      now();
      const era = eraAt(eras, at_ms).meter;
      return era === meter ? null : era.truth(at_ms);
    },
    crossing(at_ms, from_ms = at_ms) {
      now();
      const [before, after] = [eraAt(eras, from_ms - 1).meter, eraAt(eras, at_ms).meter];
      return { before: before.truth(at_ms), after: after.truth(at_ms), serial: after.serial };
    },
  };
}

interface Block {
  readonly fc: 3 | 4;
  readonly address: number;
  /** Changed in place: a meter's answer is made anew for every read. */
  readonly words: Uint16Array;
}

const MEASURED = ["gauge", "counter", "daily_counter"];

function emptyValues(meter: SimMeter, block: Block, quantity: string | null): void {
  for (const { register, at } of wholeRegisters(meter, block)) {
    const isMeant = quantity === null ? MEASURED.includes(register.kind) : register.quantity === quantity;
    if (isMeant && canBeEmpty(meter, register)) noValueCell(meter.model, register, 0).write(0, block.words, at);
  }
}

/** Integers of a model that names no sentinel for their type have no way to say it. */
export function canBeEmpty({ model }: SimMeter, { type }: Register): boolean {
  return type === "f32" || type === "f64" || model.sentinels.some((sentinel) => sentinel.type === type);
}

function swapWords(meter: SimMeter, block: Block): void {
  for (const { register, at } of wholeRegisters(meter, block)) {
    if (register.type !== "str") block.words.subarray(at, at + register.words).reverse();
  }
}

/** The registers of the model that the block holds whole, each place once: alternative maps reuse addresses. */
function wholeRegisters(
  meter: SimMeter,
  { fc, address, words }: Block,
): readonly { readonly register: Register; readonly at: number }[] {
  const taken = new Set<number>();
  return meter.model.registers.flatMap((register) => {
    const at = meter.base + register.address - address;
    if (register.fc !== fc || at < 0 || at + register.words > words.length || taken.has(at)) return [];
    taken.add(at);
    return [{ register, at }];
  });
}
