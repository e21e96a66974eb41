import type { Register } from "../../core/model/meterModel.ts";

/** What a machine does, whatever number its maker has for it. */
export type MachineState = "running" | "resting" | "automatic";

/** The makers' words for it, the best one first. */
const WORDS: Readonly<Record<MachineState, readonly string[]>> = {
  running: ["producing", "loaded", "running", "normal", "ok"],
  resting: ["sleeping", "waiting", "ready", "stopped", "off"],
  automatic: ["auto"],
};

/** The number of a state, from what the model file says of the register ("0:waiting, 1:normal"); null = it does not say. */
export function stateCode({ meaning = "" }: Register, state: string): number | null {
  const told = [...meaning.matchAll(/(\d+):([^,]+)/g)];
  for (const word of WORDS[state as MachineState] ?? []) {
    const [, code] = told.find(([, , written]) => written!.trim() === word) ?? [];
    if (code !== undefined) return Number(code);
  }
  return null;
}
