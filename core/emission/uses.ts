/**
 * What a carrier is used for: it decides which factor fits. CH4 and N2O of an engine on the road differ from those of a
 * boiler; emergency gensets take the stationary factors (methods §2). One closed list; each carrier allows some of them.
 */
export interface UseRow {
  readonly display: { readonly vi: string; readonly en: string };
  /** Whose factors this use takes; absent = its own. */
  readonly factorsOf?: string;
}

const row = (vi: string, en: string): UseRow => ({ display: { vi, en } });

export const USES = {
  stationary: row("Đốt cố định, công nghiệp", "Stationary combustion, manufacturing and construction"),
  genset: { ...row("Máy phát điện tại chỗ", "Own power generation"), factorsOf: "stationary" },
  energy_industry: row("Công nghiệp năng lượng", "Energy industries"),
  commercial: row("Thương mại, dịch vụ", "Trade and services"),
  mobile: row("Xe cộ đường bộ", "Vehicles on the road"),
  mobile_rail: row("Đường sắt", "Rail"),
  mobile_water: row("Đường thủy", "Waterborne"),
  import: row("Mua vào", "Drawn from the grid"),
  direct: row("Mua trực tiếp từ nhà máy phát", "Bought directly from a generator, over a private line"),
  export: row("Phát lên lưới", "Fed into the grid"),
  generation: row("Phát tại chỗ", "Made on site"),
  purchased: row("Mua của nhà cung cấp", "Bought from a supplier"),
  supply: row("Sử dụng", "Used"),
  top_up: row("Nạp bổ sung", "Topped up in the period"),
  life_cycle: row("Vòng đời thiết bị", "Life cycle of the equipment"),
  clinker: row("Clanhke xi măng", "Cement clinker"),
  lime_high_calcium: row("Vôi canxi cao", "High-calcium lime"),
  lime_dolomitic: row("Vôi đolomit", "Dolomitic lime"),
  glass_float: row("Kính nổi", "Float glass"),
  steel_bof: row("Thép lò thổi oxy", "Steel, basic oxygen furnace"),
  steel_eaf: row("Thép lò hồ quang điện", "Steel, electric arc furnace"),
  nitric_acid: row("Axit nitric", "Nitric acid"),
  other: row("Khác (tự nêu hệ số)", "Other, with a factor of its own"),
  centralised_aerobic: row("Hiếu khí tập trung", "Centralised aerobic treatment"),
  semi_aerobic_shallow_anaerobic: row("Bán hiếu khí, yếm khí nông", "Semi-aerobic or shallow anaerobic"),
  deep_anaerobic: row("Yếm khí sâu", "Deep anaerobic"),
  septic: row("Bể tự hoại", "Septic tank"),
  untreated_to_water: row("Xả thẳng không xử lý", "Untreated, into water"),
  composting: row("Ủ phân", "Composting"),
  anaerobic_digestion: row("Phân hủy yếm khí", "Anaerobic digestion"),
  incineration_continuous_stoker: row("Đốt rác ghi liên tục", "Incineration, continuous stoker"),
  incineration_continuous_fluidised: row("Đốt rác tầng sôi liên tục", "Incineration, continuous fluidised bed"),
  incineration_semi_continuous_stoker: row("Đốt rác ghi bán liên tục", "Incineration, semi-continuous stoker"),
  incineration_semi_continuous_fluidised: row(
    "Đốt rác tầng sôi bán liên tục",
    "Incineration, semi-continuous fluidised bed",
  ),
  incineration_batch_stoker: row("Đốt rác ghi theo mẻ", "Incineration, batch stoker"),
  incineration_batch_fluidised: row("Đốt rác tầng sôi theo mẻ", "Incineration, batch fluidised bed"),
} as const satisfies Record<string, UseRow>;

export type UseId = keyof typeof USES;
export const USE_IDS = Object.keys(USES) as readonly UseId[];

/** The use whose factors are taken: an emergency genset burns like a boiler. */
export function factorUse(use: UseId): UseId {
  const of = (USES[use] as UseRow).factorsOf;
  return of === undefined ? use : (of as UseId);
}
