import type { CarrierId, MeterRole } from "../emission/carriers.ts";
import type { QuantityId } from "../units/quantities.ts";
import type { UnitNotation } from "../units/units.ts";
import type { Register, Sentinel } from "./meterModel.ts";

/**
 * Everything needed to turn the register words of one configured meter into readings, for good: the model's registers as
 * they were then, the site's ratios, what a counter tick is worth. The journal keeps it beside the words (by `hash`), so a
 * batch decodes the same way after a library update.
 */
export interface DeviceDefinition {
  /** Meter id, unique under its gateway: the Sparkplug device id. */
  readonly device: string;
  /** What people call it; null = its id. */
  readonly name: { readonly vi: string; readonly en: string } | null;
  readonly model: string;
  readonly modelVersion: string;
  readonly carrier: CarrierId;
  readonly role: MeterRole;
  /** The meter this one is fed through; null for a meter at the site's boundary. */
  readonly parent: string | null;
  /** Registers that are polled, absolute addresses (SunSpec offsets already resolved), scale registers included. */
  readonly registers: readonly PolledRegister[];
  readonly sentinels: readonly Sentinel[];
  readonly settings: DeviceSettings;
  readonly counters: readonly CounterDefinition[];
  /** Accounting interval length and the zone its boundaries are cut in. */
  readonly interval_ms: number;
  readonly time_zone: string;
}

export interface PolledRegister {
  readonly register: Register;
  /** Poll period, milliseconds. */
  readonly every_ms: number;
}

/** What the site says about the meter and no register tells. */
export interface DeviceSettings {
  /** Multiplies current, power and energy of registers whose `site_factor` is `ct_ratio`; or as the model says. */
  readonly ct_ratio?: number;
  readonly vt_ratio?: number;
  /** Volume worth of one count of a pulse-like register, m³ (normal m³ for base volume). */
  readonly m3_per_count?: number;
  /** Plausibility limit and the counter's greatest credible rate, W. */
  readonly rated_power_W?: number;
  /** Nominal voltage phase to neutral on the primary side, V: plausibility limit of voltages. */
  readonly nominal_V?: number;
  /** The same for gas and water: greatest flow, m³/h (normal m³/h where the counter counts those). */
  readonly rated_flow_m3_per_h?: number;
  /** Net calorific value of the gas, MJ per normal m³, with its source. */
  readonly ncv_MJ_per_Nm3?: { readonly value: string; readonly source: string };
  /** Accuracy classes: limit of error of the meter and of its transformers, per cent of the value. */
  readonly meter_class?: number;
  readonly ct_class?: number;
  readonly vt_class?: number;
  /** Site of the same zone that sells what flows through; absent = it comes from outside the zone. */
  readonly supplier?: string;
}

/** One counter of a meter: what a tick is and how the register behaves. Travels as birth properties. */
export interface CounterDefinition {
  readonly quantity: QuantityId;
  /** Worth of one tick: exact decimal in `unit`, e.g. {amount: "1", unit: "Wh"}, {amount: "0.001", unit: "m3"}. */
  readonly tick: { readonly amount: string; readonly unit: UnitNotation };
  /** Count at which the register wraps to 0; null = it does not wrap (a fall is a reset). */
  readonly modulus: bigint | null;
  /** Greatest credible rate, from the meter's rated power or the carrier's default. */
  readonly rateMax_ticks_per_s: number;
  /** Ticks of one raw unit of a float32 register, null for others; see `CounterRegister`. */
  readonly float32_ticks_per_unit: number | null;
  /** Differenced into intervals (and emissions, if the carrier emits); false = carried as readings only. */
  readonly accounted: boolean;
  /** Poll period of this counter, ms: how many polls an interval should hold, and from which gap on shape is estimated. */
  readonly poll_ms: number;
}
