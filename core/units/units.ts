/**
 * Units: the notation people write in files, the UCUM code the wire and the API carry, and the text a person reads.
 * Source: The Unified Code for Units of Measure 2.2. (`kWh`, `VA`, `var` are not UCUM.)
 */
export interface Unit {
  /** Notation in files that people write, e.g. `kWh`. */
  readonly notation: string;
  /** UCUM code, e.g. `kW.h`. */
  readonly ucum: string;
  /** Text shown beside a number; the same in Vietnamese and English unless the table says otherwise. */
  readonly display: { readonly vi: string; readonly en: string };
}

const unit = (notation: string, ucum: string, vi: string, en: string = vi): Unit => ({
  notation,
  ucum,
  display: { vi, en },
});

export const UNITS = {
  W: unit("W", "W", "W"),
  kW: unit("kW", "kW", "kW"),
  MW: unit("MW", "MW", "MW"),
  var: unit("var", "V.A{reactive}", "var"),
  VA: unit("VA", "V.A", "VA"),
  Wh: unit("Wh", "W.h", "Wh"),
  kWh: unit("kWh", "kW.h", "kWh"),
  MWh: unit("MWh", "MW.h", "MWh"),
  GWh: unit("GWh", "GW.h", "GWh"),
  varh: unit("varh", "V.A{reactive}.h", "varh"),
  kvarh: unit("kvarh", "kV.A{reactive}.h", "kvarh"),
  VAh: unit("VAh", "V.A.h", "VAh"),
  kVAh: unit("kVAh", "kV.A.h", "kVAh"),
  V: unit("V", "V", "V"),
  A: unit("A", "A", "A"),
  Hz: unit("Hz", "Hz", "Hz"),
  deg: unit("deg", "deg", "°"),
  "%": unit("%", "%", "%"),
  "": unit("", "1", ""),
  m3: unit("m3", "m3", "m³"),
  Nm3: unit("Nm3", "m3{normal}", "Nm³"),
  Sm3: unit("Sm3", "m3{standard}", "Sm³"),
  L: unit("L", "L", "L"),
  "m3/h": unit("m3/h", "m3/h", "m³/h"),
  "l/s": unit("l/s", "L/s", "L/s"),
  count: unit("count", "{count}", "xung", "counts"),
  bar: unit("bar", "bar", "bar"),
  kPa: unit("kPa", "kPa", "kPa"),
  degC: unit("degC", "Cel", "°C"),
  s: unit("s", "s", "s"),
  rpm: unit("rpm", "{rev}/min", "vòng/phút", "rpm"),
  mg: unit("mg", "mg", "mg"),
  g: unit("g", "g", "g"),
  kg: unit("kg", "kg", "kg"),
  t: unit("t", "t", "t"),
  MJ: unit("MJ", "MJ", "MJ"),
  GJ: unit("GJ", "GJ", "GJ"),
  TJ: unit("TJ", "TJ", "TJ"),
} as const satisfies Record<string, Unit>;

export type UnitNotation = keyof typeof UNITS;

export function isUnitNotation(text: string): text is UnitNotation {
  return Object.hasOwn(UNITS, text);
}

const byUcum = new Map<string, UnitNotation>(
  (Object.keys(UNITS) as UnitNotation[]).map((notation) => [UNITS[notation].ucum, notation]),
);

/** The notation of a UCUM code as carried by births and the API; undefined for a code we do not speak. */
export function notationOfUcum(ucum: string): UnitNotation | undefined {
  return byUcum.get(ucum);
}
