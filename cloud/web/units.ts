import { notationOfUcum, UNITS } from "../../core/units/units.ts";

/** Units of the API (UCUM) as a person reads them. Annotations in braces name the substance, not another unit. */
export type Lang = "vi" | "en";

const ENERGY_WH: Readonly<Record<string, number>> = { "W.h": 1, "kW.h": 1e3, "MW.h": 1e6, "GW.h": 1e9 };
const MASS_KG: Readonly<Record<string, number>> = { mg: 1e-6, g: 1e-3, kg: 1, t: 1e3 };

const bare = (ucum: string): string => ucum.replace(/\{[^}]*\}/g, "");

/** The value in Wh; null if there is no value or the unit is no energy. */
export function energy_Wh(value: number | null, ucum: string): number | null {
  const scale = ENERGY_WH[bare(ucum)];
  return value === null || scale === undefined || ucum.includes("{reactive}") ? null : value * scale;
}

/** The value in kg; null if there is no value or the unit is no mass. */
export function mass_kg(value: number | null, ucum: string): number | null {
  const scale = MASS_KG[bare(ucum)];
  return value === null || scale === undefined ? null : value * scale;
}

export const isEnergy = (ucum: string): boolean => energy_Wh(0, ucum) !== null;
export const isMass = (ucum: string): boolean => mass_kg(0, ucum) !== null;

/** Display text of a UCUM code; a code outside our table is shown as it came. */
export function unitText(ucum: string, lang: Lang): string {
  const notation = notationOfUcum(ucum) ?? notationOfUcum(bare(ucum));
  return notation === undefined ? ucum : UNITS[notation].display[lang];
}
