import { readFileSync } from "node:fs";
import { loadModelLibrary } from "../../config/models.ts";
import type { Register } from "../../core/model/meterModel.ts";
import type { Clock } from "../../core/ports.ts";
import { decodeRegister } from "../../drivers/modbus/decode.ts";
import type { SimMeter } from "../../hw-sim/meters/simMeter.ts";
import { buildSim } from "../../hw-sim/sim.ts";
import type { LoadSpec, SimConfig, SimMeterSpec } from "../../hw-sim/simConfig.ts";

export const MODELS = loadModelLibrary();
export const STEEL_CSV = readFileSync(new URL("../../hw-sim/profiles/steel.csv", import.meta.url), "utf8");
export const PROFILES = new Map([["steel", STEEL_CSV]]);
export const STEEL: LoadSpec = { csv: "steel", column: "energy_kwh", repeat: "weekly" };

/** 2018-01-01T00:00 in Asia/Ho_Chi_Minh. */
export const ORIGIN_ms = Date.UTC(2018, 0, 1) - 7 * 3_600_000;

/** Local time of Asia/Ho_Chi_Minh, e.g. `2018-03-01` or `2018-03-01T06:30`. */
export function local(text: string): number {
  return Date.parse(`${text.length === 10 ? `${text}T00:00` : text}:00+07:00`);
}

export function simOf(
  meters: readonly SimMeterSpec[],
  loads: Readonly<Record<string, LoadSpec>> = {},
  seed = 1,
  more: Partial<SimConfig> = {},
) {
  const config: SimConfig = {
    ...more,
    seed,
    time_zone: "Asia/Ho_Chi_Minh",
    loads,
    lines: [{ listen: { kind: "tcp", host: "127.0.0.1", port: 0 }, meters }],
  };
  return buildSim(config, MODELS, PROFILES)[0]!.meters;
}

export function meterOf(spec: Omit<SimMeterSpec, "unit">, seed = 1): SimMeter {
  return simOf([{ unit: 1, ...spec }], {}, seed)[0]!;
}

export function registerOf(meter: SimMeter, name: string): Register {
  const register = meter.model.registers.find((candidate) => candidate.name === name);
  if (register === undefined) throw new Error(`${meter.model.id} has no register ${name}`);
  return register;
}

/** Raw value of a register, read alone as a gateway would. */
export function rawOf(meter: SimMeter, name: string, at_ms: number): number | bigint {
  const register = registerOf(meter, name);
  const words = meter.read(register.fc, meter.base + register.address, register.words, at_ms);
  if (!(words instanceof Uint16Array)) throw new Error(`${name}: exception ${words.exception}`);
  const raw = decodeRegister(register, words, 0);
  if (typeof raw === "string") throw new Error(`${name} is text`);
  return raw;
}

/** Value in the register's unit. */
export function shown(meter: SimMeter, name: string, at_ms: number): number {
  const register = registerOf(meter, name);
  const exponent =
    register.scale_exp_address === undefined
      ? 0
      : Number(rawOf(meter, scaleNameAt(meter, register.scale_exp_address), at_ms));
  return Number(rawOf(meter, name, at_ms)) * register.scale * 10 ** exponent;
}

function scaleNameAt(meter: SimMeter, address: number): string {
  const register = meter.model.registers.find((candidate) => candidate.address === address);
  if (register === undefined) throw new Error(`no scale register at ${address}`);
  return register.name;
}

export function clockAt(start_ms: number): Clock & { set(at_ms: number): void } {
  let now = start_ms;
  return { now_ms: () => now, mono_ms: () => now, set: (at_ms) => void (now = at_ms) };
}
