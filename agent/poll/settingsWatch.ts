/**
 * What hardly ever changes on a meter: transformer ratios, modes, serial number. Read at the start, once a day (the serial
 * number once an interval: decision 006) and whenever the meter comes back; a change means that somebody reset it or put another
 * one in its place. Pure.
 *
 * The words are in the journaled sample like all others. Here they are compared as words and decoded only when they differ.
 * Limits   registers that hold no value (sentinel, not a number) say nothing; of each the change before the last is forgotten
 */
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { Register } from "../../core/model/meterModel.ts";
import { ADDRESSES } from "../../core/model/modbus.ts";
import type { EpochMs, Sample } from "../../core/reading/reading.ts";
import { isSeldomChanged } from "../../drivers/define.ts";
import { readRegisters } from "../../drivers/modbus/decode.ts";

export interface Setting {
  /** Name in the model file. */
  readonly name: string;
  /** As text, in `unit`. */
  readonly value: string;
  readonly unit: string;
  /** When it was first seen with this value. */
  readonly since_ms: EpochMs;
  /** What it was before; null = it never changed while it was watched. */
  readonly before: string | null;
}

/** Polls in a row without a word after which a meter is silent: a single lost reply is no news. */
export const SILENT_AFTER_POLLS = 3;
/** Nobody exchanges a meter within less. */
const SWAP_MIN_MS = 60_000;

/** Whether what comes back after so many polls without a word, this long after the last one, may be another meter. */
export function mayBeAnother(silentPolls: number, silent_ms: number): boolean {
  return silentPolls >= SILENT_AFTER_POLLS || (silentPolls > 0 && silent_ms >= SWAP_MIN_MS);
}

export class SettingsWatch {
  readonly #definition: DeviceDefinition;
  readonly #registers: readonly Register[];
  /** From the first to behind the last word of them, as {@link keyOf} orders. */
  readonly #from: number;
  readonly #to: number;
  /** Words last seen, by the place of the register in the list. */
  readonly #words: (Uint16Array | undefined)[] = [];
  readonly #settings: Map<string, Setting>;

  /** `saved`: what {@link save} gave before a restart; of another model it is not used. */
  constructor(definition: DeviceDefinition, saved: string | null) {
    this.#definition = definition;
    this.#registers = definition.registers.map(({ register }) => register).filter(isSeldomChanged);
    this.#from = Math.min(...this.#registers.map(({ fc, address }) => keyOf(fc, address)));
    this.#to = Math.max(...this.#registers.map(({ fc, address, words }) => keyOf(fc, address + words)));
    const known = saved === null ? null : (JSON.parse(saved) as Saved);
    const settings = known === null || known.model !== definition.model ? [] : known.settings;
    this.#settings = new Map(settings.map((setting) => [setting.name, setting]));
  }

  get settings(): readonly Setting[] {
    return [...this.#settings.values()];
  }

  save(): string {
    return JSON.stringify({ model: this.#definition.model, settings: this.settings } satisfies Saved);
  }

  /** @returns settings that are new or not what they were; null where nothing was, which is nearly always. */
  take(sample: Sample): readonly Setting[] | null {
    if (!this.#mayBeIn(sample)) return null;
    let news: Setting[] | null = null;
    for (let i = 0; i < this.#registers.length; i++) {
      const register = this.#registers[i]!;
      for (const { fc, address, words } of sample.blocks) {
        const at = register.address - address;
        if (fc !== register.fc || at < 0 || at + register.words > words.length) continue;
        if (isSame(this.#words[i], words, at, register.words)) continue;
        this.#words[i] = words.slice(at, at + register.words);
        const setting = this.#noted(register, sample);
        if (setting !== null) (news ??= []).push(setting);
      }
    }
    return news;
  }

  /** Most polls read none of them. */
  #mayBeIn({ blocks }: Sample): boolean {
    for (const { fc, address, words } of blocks) {
      if (keyOf(fc, address) < this.#to && keyOf(fc, address + words.length) > this.#from) return true;
    }
    return false;
  }

  #noted(register: Register, { at_ms, blocks }: Sample): Setting | null {
    const { device, sentinels, settings } = this.#definition;
    const [reading] = readRegisters({ device, registers: [register], sentinels, settings }, blocks);
    if (reading?.value == null) return null;
    const value = String(reading.value);
    const known = this.#settings.get(register.name);
    if (known?.value === value) return null;
    const setting = { name: register.name, value, unit: register.unit, since_ms: at_ms, before: known?.value ?? null };
    this.#settings.set(register.name, setting);
    return setting;
  }
}

interface Saved {
  readonly model: string;
  readonly settings: readonly Setting[];
}

/** Registers in the order of function codes and addresses. */
function keyOf(fc: 3 | 4, address: number): number {
  return fc * ADDRESSES + address;
}

function isSame(known: Uint16Array | undefined, words: Uint16Array, at: number, count: number): boolean {
  if (known === undefined) return false;
  for (let i = 0; i < count; i++) if (known[i] !== words[at + i]) return false;
  return true;
}
