import type { UnitNotation } from "./units.ts";

/**
 * Every quantity the product speaks of: one row a quantity, one word a thing (architecture §4.16).
 *
 * The id is the snake_case name of the model files; `wire` is its Sparkplug metric path; `unit` the unit its values have
 * after decoding. Suffixes like `_f32` belong to registers, not to quantities (see `quantityOfRegister`).
 * Plus means drawn from the grid; import and export are separate counters and never netted.
 */
export interface QuantityRow {
  /** Sparkplug metric path, one-to-one with the id. */
  readonly wire: string;
  readonly unit: UnitNotation;
  /** A counter only grows and is differenced; a gauge is what it is at that instant. */
  readonly kind: "counter" | "gauge";
  /** How values may be combined over time: intervals of a counter add up, gauges never do. */
  readonly over: "sum" | "mean" | "max" | "last";
  readonly display: { readonly vi: string; readonly en: string };
}

function row(
  wire: string,
  unit: UnitNotation,
  kind: QuantityRow["kind"],
  over: QuantityRow["over"],
  vi: string,
  en: string,
): QuantityRow {
  return { wire, unit, kind, over, display: { vi, en } };
}

/** Strings or trackers of an inverter, as it numbers them; those beyond the twelfth are not told. */
type InputNumber = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12;
const INPUTS: readonly InputNumber[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

type InputQuantity = `dc_${"current" | "voltage" | "power" | "energy"}_input_${InputNumber}`;

function inverterInputs(): Record<InputQuantity, QuantityRow> {
  const rows = INPUTS.flatMap((n) => [
    [`dc_current_input_${n}`, inputRow(n, "Current", "A", "Dòng điện", "current")],
    [`dc_voltage_input_${n}`, inputRow(n, "Voltage", "V", "Điện áp", "voltage")],
    [`dc_power_input_${n}`, inputRow(n, "Power", "W", "Công suất", "power")],
    [`dc_energy_input_${n}`, inputRow(n, "Energy", "kWh", "Điện năng", "energy")],
  ]);
  return Object.fromEntries(rows) as Record<InputQuantity, QuantityRow>;
}

function inputRow(n: InputNumber, path: string, unit: UnitNotation, vi: string, en: string): QuantityRow {
  const [kind, over] = unit === "kWh" ? (["counter", "sum"] as const) : (["gauge", "mean"] as const);
  return row(`DC/Input-${n}/${path}`, unit, kind, over, `${vi} một chiều, chuỗi ${n}`, `DC ${en}, string ${n}`);
}

export const QUANTITIES = {
  voltage_l1: row("Voltage/L1", "V", "gauge", "mean", "Điện áp pha 1", "Voltage L1"),
  voltage_l2: row("Voltage/L2", "V", "gauge", "mean", "Điện áp pha 2", "Voltage L2"),
  voltage_l3: row("Voltage/L3", "V", "gauge", "mean", "Điện áp pha 3", "Voltage L3"),
  voltage_l1_l2: row("Voltage/L1-L2", "V", "gauge", "mean", "Điện áp dây L1–L2", "Voltage L1–L2"),
  voltage_l2_l3: row("Voltage/L2-L3", "V", "gauge", "mean", "Điện áp dây L2–L3", "Voltage L2–L3"),
  voltage_l3_l1: row("Voltage/L3-L1", "V", "gauge", "mean", "Điện áp dây L3–L1", "Voltage L3–L1"),
  voltage_ln_avg: row("Voltage/LN/Average", "V", "gauge", "mean", "Điện áp pha trung bình", "Average phase voltage"),
  voltage_ll_avg: row("Voltage/LL/Average", "V", "gauge", "mean", "Điện áp dây trung bình", "Average line voltage"),
  voltage_system: row("Voltage/System", "V", "gauge", "mean", "Điện áp hệ thống", "System voltage"),
  current_l1: row("Current/L1", "A", "gauge", "mean", "Dòng điện pha 1", "Current L1"),
  current_l2: row("Current/L2", "A", "gauge", "mean", "Dòng điện pha 2", "Current L2"),
  current_l3: row("Current/L3", "A", "gauge", "mean", "Dòng điện pha 3", "Current L3"),
  current_neutral: row("Current/Neutral", "A", "gauge", "mean", "Dòng điện trung tính", "Current, neutral"),
  current_avg: row("Current/Average", "A", "gauge", "mean", "Dòng điện trung bình", "Current, average"),
  current_sum: row("Current/Sum", "A", "gauge", "mean", "Dòng điện tổng", "Current, sum"),
  current_total: row("Current/Total", "A", "gauge", "mean", "Dòng điện tổng cộng", "Current, total"),
  current_system: row("Current/System", "A", "gauge", "mean", "Dòng điện hệ thống", "Current, system"),
  active_power_l1: row("Power/Active/L1", "W", "gauge", "mean", "Công suất tác dụng pha 1", "Active power L1"),
  active_power_l2: row("Power/Active/L2", "W", "gauge", "mean", "Công suất tác dụng pha 2", "Active power L2"),
  active_power_l3: row("Power/Active/L3", "W", "gauge", "mean", "Công suất tác dụng pha 3", "Active power L3"),
  active_power_total: row("Power/Active/Total", "W", "gauge", "mean", "Công suất tác dụng tổng", "Active power total"),
  reactive_power_l1: row(
    "Power/Reactive/L1",
    "var",
    "gauge",
    "mean",
    "Công suất phản kháng pha 1",
    "Reactive power L1",
  ),
  reactive_power_l2: row(
    "Power/Reactive/L2",
    "var",
    "gauge",
    "mean",
    "Công suất phản kháng pha 2",
    "Reactive power L2",
  ),
  reactive_power_l3: row(
    "Power/Reactive/L3",
    "var",
    "gauge",
    "mean",
    "Công suất phản kháng pha 3",
    "Reactive power L3",
  ),
  reactive_power_total: row(
    "Power/Reactive/Total",
    "var",
    "gauge",
    "mean",
    "Công suất phản kháng tổng",
    "Reactive power total",
  ),
  apparent_power_l1: row("Power/Apparent/L1", "VA", "gauge", "mean", "Công suất biểu kiến pha 1", "Apparent power L1"),
  apparent_power_l2: row("Power/Apparent/L2", "VA", "gauge", "mean", "Công suất biểu kiến pha 2", "Apparent power L2"),
  apparent_power_l3: row("Power/Apparent/L3", "VA", "gauge", "mean", "Công suất biểu kiến pha 3", "Apparent power L3"),
  apparent_power_total: row(
    "Power/Apparent/Total",
    "VA",
    "gauge",
    "mean",
    "Công suất biểu kiến tổng",
    "Apparent power total",
  ),
  active_power_demand: row("Power/Active/Demand", "W", "gauge", "mean", "Nhu cầu công suất", "Active power demand"),
  active_power_demand_peak: row(
    "Power/Active/Demand/Peak",
    "W",
    "gauge",
    "max",
    "Nhu cầu công suất cao nhất",
    "Peak active power demand",
  ),
  active_power_demand_max: row(
    "Power/Active/Demand/Maximum",
    "W",
    "gauge",
    "max",
    "Nhu cầu công suất cực đại",
    "Maximum active power demand",
  ),
  apparent_power_demand_max: row(
    "Power/Apparent/Demand/Maximum",
    "VA",
    "gauge",
    "max",
    "Nhu cầu biểu kiến cực đại",
    "Maximum apparent power demand",
  ),
  reactive_power_demand_max: row(
    "Power/Reactive/Demand/Maximum",
    "var",
    "gauge",
    "max",
    "Nhu cầu phản kháng cực đại",
    "Maximum reactive power demand",
  ),
  power_factor_l1: row("PowerFactor/L1", "", "gauge", "mean", "Hệ số công suất pha 1", "Power factor L1"),
  power_factor_l2: row("PowerFactor/L2", "", "gauge", "mean", "Hệ số công suất pha 2", "Power factor L2"),
  power_factor_l3: row("PowerFactor/L3", "", "gauge", "mean", "Hệ số công suất pha 3", "Power factor L3"),
  power_factor_total: row("PowerFactor/Total", "", "gauge", "mean", "Hệ số công suất tổng", "Power factor total"),
  power_factor_avg: row(
    "PowerFactor/Average",
    "",
    "gauge",
    "mean",
    "Hệ số công suất trung bình",
    "Power factor average",
  ),
  power_factor_total_plain: row(
    "PowerFactor/Total/Plain",
    "",
    "gauge",
    "mean",
    "Hệ số công suất tổng (không mã hóa)",
    "Power factor total, plain",
  ),
  cos_phi_l1: row("CosPhi/L1", "", "gauge", "mean", "cos φ pha 1", "cos φ L1"),
  cos_phi_l2: row("CosPhi/L2", "", "gauge", "mean", "cos φ pha 2", "cos φ L2"),
  cos_phi_l3: row("CosPhi/L3", "", "gauge", "mean", "cos φ pha 3", "cos φ L3"),
  cos_phi_total: row("CosPhi/Total", "", "gauge", "mean", "cos φ tổng", "cos φ total"),
  phase_angle: row("PhaseAngle", "deg", "gauge", "mean", "Góc pha", "Phase angle"),
  frequency: row("Frequency", "Hz", "gauge", "mean", "Tần số", "Frequency"),
  active_energy_import_total: row(
    "Energy/Active/Import/Total",
    "kWh",
    "counter",
    "sum",
    "Điện năng nhận",
    "Active energy imported",
  ),
  active_energy_import_l1: row(
    "Energy/Active/Import/L1",
    "kWh",
    "counter",
    "sum",
    "Điện năng nhận pha 1",
    "Active energy imported L1",
  ),
  active_energy_import_l2: row(
    "Energy/Active/Import/L2",
    "kWh",
    "counter",
    "sum",
    "Điện năng nhận pha 2",
    "Active energy imported L2",
  ),
  active_energy_import_l3: row(
    "Energy/Active/Import/L3",
    "kWh",
    "counter",
    "sum",
    "Điện năng nhận pha 3",
    "Active energy imported L3",
  ),
  active_energy_import_tariff1: row(
    "Energy/Active/Import/Tariff1",
    "kWh",
    "counter",
    "sum",
    "Điện năng nhận biểu giá 1",
    "Active energy imported, tariff 1",
  ),
  active_energy_import_tariff2: row(
    "Energy/Active/Import/Tariff2",
    "kWh",
    "counter",
    "sum",
    "Điện năng nhận biểu giá 2",
    "Active energy imported, tariff 2",
  ),
  reactive_energy_import_total: row(
    "Energy/Reactive/Import/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng nhận",
    "Reactive energy imported",
  ),
  reactive_energy_import_tariff1: row(
    "Energy/Reactive/Import/Tariff1",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng nhận biểu giá 1",
    "Reactive energy imported, tariff 1",
  ),
  apparent_energy_import_total: row(
    "Energy/Apparent/Import/Total",
    "kVAh",
    "counter",
    "sum",
    "Điện năng biểu kiến nhận",
    "Apparent energy imported",
  ),
  grid_active_energy_import_total: row(
    "Grid/Energy/Active/Import/Total",
    "kWh",
    "counter",
    "sum",
    "Điện lưới nhận",
    "Grid energy imported",
  ),
  active_energy_export_total: row(
    "Energy/Active/Export/Total",
    "kWh",
    "counter",
    "sum",
    "Điện năng phát",
    "Active energy exported",
  ),
  active_energy_export_l1: row(
    "Energy/Active/Export/L1",
    "kWh",
    "counter",
    "sum",
    "Điện năng phát pha 1",
    "Active energy exported L1",
  ),
  active_energy_export_l2: row(
    "Energy/Active/Export/L2",
    "kWh",
    "counter",
    "sum",
    "Điện năng phát pha 2",
    "Active energy exported L2",
  ),
  active_energy_export_l3: row(
    "Energy/Active/Export/L3",
    "kWh",
    "counter",
    "sum",
    "Điện năng phát pha 3",
    "Active energy exported L3",
  ),
  active_energy_export_tariff1: row(
    "Energy/Active/Export/Tariff1",
    "kWh",
    "counter",
    "sum",
    "Điện năng phát biểu giá 1",
    "Active energy exported, tariff 1",
  ),
  active_energy_export_tariff2: row(
    "Energy/Active/Export/Tariff2",
    "kWh",
    "counter",
    "sum",
    "Điện năng phát biểu giá 2",
    "Active energy exported, tariff 2",
  ),
  reactive_energy_export_total: row(
    "Energy/Reactive/Export/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng phát",
    "Reactive energy exported",
  ),
  reactive_energy_export_tariff1: row(
    "Energy/Reactive/Export/Tariff1",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng phát biểu giá 1",
    "Reactive energy exported, tariff 1",
  ),
  apparent_energy_export_total: row(
    "Energy/Apparent/Export/Total",
    "kVAh",
    "counter",
    "sum",
    "Điện năng biểu kiến phát",
    "Apparent energy exported",
  ),
  grid_active_energy_export_total: row(
    "Grid/Energy/Active/Export/Total",
    "kWh",
    "counter",
    "sum",
    "Điện lưới phát",
    "Grid energy exported",
  ),
  active_energy_import_partial: row(
    "Energy/Active/Import/Partial",
    "kWh",
    "counter",
    "sum",
    "Điện năng nhận (xóa được)",
    "Active energy imported, resettable",
  ),
  active_energy_total: row(
    "Energy/Active/Total",
    "kWh",
    "counter",
    "sum",
    "Điện năng hai chiều cộng lại",
    "Active energy, both directions added",
  ),
  active_energy_sum_l1: row(
    "Energy/Active/Sum/L1",
    "kWh",
    "counter",
    "sum",
    "Điện năng cộng pha 1",
    "Active energy sum L1",
  ),
  active_energy_total_l1: row(
    "Energy/Active/Total/L1",
    "kWh",
    "counter",
    "sum",
    "Điện năng hai chiều pha 1",
    "Active energy both directions L1",
  ),
  active_energy_sum_l2: row(
    "Energy/Active/Sum/L2",
    "kWh",
    "counter",
    "sum",
    "Điện năng cộng pha 2",
    "Active energy sum L2",
  ),
  active_energy_total_l2: row(
    "Energy/Active/Total/L2",
    "kWh",
    "counter",
    "sum",
    "Điện năng hai chiều pha 2",
    "Active energy both directions L2",
  ),
  active_energy_sum_l3: row(
    "Energy/Active/Sum/L3",
    "kWh",
    "counter",
    "sum",
    "Điện năng cộng pha 3",
    "Active energy sum L3",
  ),
  active_energy_total_l3: row(
    "Energy/Active/Total/L3",
    "kWh",
    "counter",
    "sum",
    "Điện năng hai chiều pha 3",
    "Active energy both directions L3",
  ),
  reactive_energy_total: row(
    "Energy/Reactive/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng hai chiều",
    "Reactive energy, both directions added",
  ),
  reactive_energy_inductive_total: row(
    "Energy/Reactive/Inductive/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng cảm",
    "Inductive reactive energy",
  ),
  reactive_energy_capacitive_total: row(
    "Energy/Reactive/Capacitive/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng dung",
    "Capacitive reactive energy",
  ),
  reactive_energy_q1_total: row(
    "Energy/Reactive/Q1/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng góc phần tư 1",
    "Reactive energy quadrant 1",
  ),
  reactive_energy_q2_total: row(
    "Energy/Reactive/Q2/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng góc phần tư 2",
    "Reactive energy quadrant 2",
  ),
  reactive_energy_q3_total: row(
    "Energy/Reactive/Q3/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng góc phần tư 3",
    "Reactive energy quadrant 3",
  ),
  reactive_energy_q4_total: row(
    "Energy/Reactive/Q4/Total",
    "kvarh",
    "counter",
    "sum",
    "Điện năng phản kháng góc phần tư 4",
    "Reactive energy quadrant 4",
  ),
  apparent_energy_total: row(
    "Energy/Apparent/Total",
    "kVAh",
    "counter",
    "sum",
    "Điện năng biểu kiến",
    "Apparent energy",
  ),
  active_energy_net_total: row(
    "Energy/Active/Net/Total",
    "kWh",
    "gauge",
    "last",
    "Điện năng ròng",
    "Net active energy",
  ),
  thermal_energy_total_mode1: row(
    "Energy/Thermal/Mode1/Total",
    "kWh",
    "counter",
    "sum",
    "Nhiệt năng chế độ 1",
    "Thermal energy, mode 1",
  ),
  thermal_energy_total_mode2: row(
    "Energy/Thermal/Mode2/Total",
    "kWh",
    "counter",
    "sum",
    "Nhiệt năng chế độ 2",
    "Thermal energy, mode 2",
  ),
  thermal_power: row("Power/Thermal", "W", "gauge", "mean", "Công suất nhiệt", "Thermal power"),
  volume_base_total: row(
    "Volume/Base/Total",
    "Nm3",
    "counter",
    "sum",
    "Thể tích khí quy chuẩn",
    "Gas volume at base conditions",
  ),
  volume_base_all_total: row(
    "Volume/Base/All/Total",
    "Nm3",
    "counter",
    "sum",
    "Thể tích khí quy chuẩn kể cả khi lỗi",
    "Gas volume at base conditions, faults included",
  ),
  volume_base_error_total: row(
    "Volume/Base/Error/Total",
    "Nm3",
    "counter",
    "sum",
    "Thể tích khí quy chuẩn khi lỗi",
    "Gas volume at base conditions during faults",
  ),
  volume_measured_total: row(
    "Volume/Measured/Total",
    "m3",
    "counter",
    "sum",
    "Thể tích khí vận hành",
    "Gas volume at operating conditions",
  ),
  volume_measured_error_total: row(
    "Volume/Measured/Error/Total",
    "m3",
    "counter",
    "sum",
    "Thể tích khí vận hành khi lỗi",
    "Gas volume at operating conditions during faults",
  ),
  volume_total_1: row("Volume/Total1", "m3", "counter", "sum", "Tổng lưu lượng 1", "Totalizer 1"),
  volume_total_2: row("Volume/Total2", "m3", "counter", "sum", "Tổng lưu lượng 2", "Totalizer 2"),
  volume_total_mode1: row("Volume/Mode1/Total", "m3", "counter", "sum", "Thể tích chế độ 1", "Volume, mode 1"),
  volume_total_mode2: row("Volume/Mode2/Total", "m3", "counter", "sum", "Thể tích chế độ 2", "Volume, mode 2"),
  flow_base: row("Flow/Base", "m3/h", "gauge", "mean", "Lưu lượng quy chuẩn", "Flow at base conditions"),
  flow_measured: row("Flow/Measured", "m3/h", "gauge", "mean", "Lưu lượng vận hành", "Flow at operating conditions"),
  volume_flow: row("Flow/Volume", "m3/h", "gauge", "mean", "Lưu lượng", "Volume flow"),
  volume_flow_lps: row("Flow/VolumeLps", "l/s", "gauge", "mean", "Lưu lượng", "Volume flow"),
  conversion_factor: row(
    "Gas/ConversionFactor",
    "",
    "gauge",
    "mean",
    "Hệ số quy đổi thể tích",
    "Volume conversion factor",
  ),
  compressibility_ratio: row("Gas/CompressibilityRatio", "", "gauge", "mean", "Tỷ số nén", "Compressibility ratio"),
  pressure_absolute: row("Pressure/Absolute", "bar", "gauge", "mean", "Áp suất tuyệt đối", "Absolute pressure"),
  temperature_gas: row("Temperature/Gas", "degC", "gauge", "mean", "Nhiệt độ khí", "Temperature, gas"),
  temperature_cabinet: row("Temperature/Cabinet", "degC", "gauge", "mean", "Nhiệt độ tủ", "Temperature, cabinet"),
  temperature_coolant: row(
    "Temperature/Coolant",
    "degC",
    "gauge",
    "mean",
    "Nhiệt độ nước làm mát",
    "Temperature, coolant",
  ),
  temperature_oil: row("Temperature/Oil", "degC", "gauge", "mean", "Nhiệt độ dầu", "Temperature, oil"),
  temperature_supply: row("Temperature/Supply", "degC", "gauge", "mean", "Nhiệt độ đường cấp", "Temperature, supply"),
  temperature_return: row("Temperature/Return", "degC", "gauge", "mean", "Nhiệt độ đường hồi", "Temperature, return"),
  dc_current: row("DC/Current", "A", "gauge", "mean", "Dòng điện một chiều", "DC current"),
  dc_voltage: row("DC/Voltage", "V", "gauge", "mean", "Điện áp một chiều", "DC voltage"),
  dc_power: row("DC/Power", "W", "gauge", "mean", "Công suất một chiều", "DC power"),
  battery_voltage: row("Battery/Voltage", "V", "gauge", "mean", "Điện áp ắc quy", "Battery voltage"),
  engine_run_time: row("Engine/RunTime", "s", "counter", "sum", "Giờ chạy máy", "Engine run time"),
  engine_speed: row("Engine/Speed", "rpm", "gauge", "mean", "Tốc độ động cơ", "Engine speed"),
  fuel_level: row("Fuel/Level", "%", "gauge", "last", "Mức nhiên liệu", "Fuel level"),
  fuel_used_total: row("Fuel/Used/Total", "L", "counter", "sum", "Nhiên liệu đã dùng", "Fuel used"),
  load_percent: row("Load", "%", "gauge", "mean", "Mức tải", "Load"),
  oil_pressure: row("Pressure/Oil", "kPa", "gauge", "mean", "Áp suất dầu", "Oil pressure"),
  ...inverterInputs(),
} as const satisfies Record<string, QuantityRow>;

export type QuantityId = keyof typeof QUANTITIES;

export const QUANTITY_IDS = Object.keys(QUANTITIES) as readonly QuantityId[];

export function isQuantityId(text: string): text is QuantityId {
  return Object.hasOwn(QUANTITIES, text);
}

const byWire = new Map<string, QuantityId>(QUANTITY_IDS.map((id) => [QUANTITIES[id].wire, id]));

export function quantityOfWire(path: string): QuantityId | undefined {
  return byWire.get(path);
}

/** Register names carry suffixes for alternative encodings of one quantity; these are all of them. */
const REGISTER_SUFFIX = /_(f32|float|u32|hires|v1|xh|primary|secondary|pac4200|short)$/;

/** The quantity a register of a model file measures; undefined for settings, identity and scale registers. */
export function quantityOfRegister(name: string): QuantityId | undefined {
  if (isQuantityId(name)) return name;
  const base = name.replace(REGISTER_SUFFIX, "");
  if (isQuantityId(base)) return base;
  return isQuantityId(`${base}_total`) ? (`${base}_total` as QuantityId) : undefined;
}
