import type { MeterModel } from "../../core/model/meterModel.ts";

export interface SerialSettings {
  readonly baud: number;
  readonly parity: "none" | "even" | "odd";
  readonly stop_bits: 1 | 2;
}

/**
 * The settings meters leave the factory with, the commonest in the library first. What a model leaves open counts as no parity
 * and one stop bit; a model that states no baud rate has no vote.
 */
export function serialCombinations(models: Iterable<MeterModel>): readonly SerialSettings[] {
  const votes = new Map<string, { settings: SerialSettings; count: number }>();
  for (const { defaults } of models) {
    if (defaults.baud === undefined) continue;
    const settings: SerialSettings = {
      baud: defaults.baud,
      parity: defaults.parity ?? "none",
      stop_bits: defaults.stop_bits ?? 1,
    };
    const key = JSON.stringify(settings);
    const known = votes.get(key);
    votes.set(key, { settings, count: (known?.count ?? 0) + 1 });
  }
  return [...votes.values()]
    .sort((a, b) => b.count - a.count || b.settings.baud - a.settings.baud)
    .map(({ settings }) => settings);
}
