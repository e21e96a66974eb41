import { both, type Text } from "./text.ts";

/** What a setting of a meter is called; one that has no name here goes by that of its register. */
export function settingName(name: string): Text {
  return NAMES[name] ?? both(name, name);
}

const NAMES: Readonly<Record<string, Text>> = {
  serial_number: both("số máy", "serial number"),
  bus_address: both("địa chỉ trên đường truyền", "bus address"),
  baud_code: both("mã tốc độ truyền", "baud rate code"),
  framing_code: both("mã khung truyền", "framing code"),
  ct_ratio: both("tỷ số CT", "CT ratio"),
  ct_rate: both("tỷ số CT", "CT ratio"),
  ct_primary: both("CT sơ cấp", "CT primary"),
  ct_primary_l1: both("CT sơ cấp pha 1", "CT primary L1"),
  ct_secondary: both("CT thứ cấp", "CT secondary"),
  ct_secondary_l1: both("CT thứ cấp pha 1", "CT secondary L1"),
  vt_ratio: both("tỷ số VT", "VT ratio"),
  vt_primary: both("VT sơ cấp", "VT primary"),
  vt_primary_l1: both("VT sơ cấp pha 1", "VT primary L1"),
  vt_secondary: both("VT thứ cấp", "VT secondary"),
  vt_secondary_l1: both("VT thứ cấp pha 1", "VT secondary L1"),
  register_order: both("thứ tự từ của thanh ghi", "word order of registers"),
  energy_unit_prefix: both("bội số đơn vị điện năng", "prefix of energy units"),
  measurement_mode: both("chế độ đo", "measurement mode"),
  phase_config: both("sơ đồ đấu pha", "phase configuration"),
  application: both("ứng dụng", "application"),
  model_id: both("mã kiểu máy", "model code"),
  output_type: both("kiểu đầu ra", "output type"),
  rated_power: both("công suất định mức", "rated power"),
  software_version: both("phiên bản phần mềm", "software version"),
  unix_time: both("đồng hồ của công tơ", "the meter's clock"),
  unit_system: both("hệ đơn vị", "unit system"),
  totalizer_1_direction: both("chiều của bộ đếm 1", "direction of totalizer 1"),
  totalizer_2_direction: both("chiều của bộ đếm 2", "direction of totalizer 2"),
};
