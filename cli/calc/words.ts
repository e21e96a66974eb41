import { divideHalfEven } from "../../core/emission/decimal.ts";
import type { Fraction } from "../../core/emission/fraction.ts";

/** Words and numbers of the terminal output, Vietnamese and English. */
export type Lang = "vi" | "en";

export const WORDS = {
  activity: { vi: "Hoạt động", en: "activity" },
  carrier: { vi: "Nguồn", en: "carrier" },
  amount: { vi: "Lượng dùng", en: "amount" },
  scope: { vi: "Phạm vi", en: "scope" },
  factor: { vi: "Hệ số", en: "factor" },
  uncertainty: { vi: "Độ không đảm bảo", en: "uncertainty" },
  unknown: { vi: "chưa biết", en: "unknown" },
  scope1: { vi: "Phạm vi 1", en: "Scope 1" },
  scope2Location: { vi: "Phạm vi 2, theo vị trí", en: "Scope 2, location-based" },
  scope2Market: { vi: "Phạm vi 2, theo thị trường", en: "Scope 2, market-based" },
  scope3: { vi: "Phạm vi 3 loại 3 (tổn thất lưới)", en: "Scope 3 category 3 (network losses)" },
  biogenic: { vi: "CO2 sinh học (ngoài các phạm vi)", en: "Biogenic CO2 (outside the scopes)" },
  toe: { vi: "Năng lượng quy đổi", en: "Oil equivalent" },
  provisional: { vi: "tạm tính", en: "provisional" },
  fallback: { vi: "thay thế", en: "fall-back" },
  own: { vi: "tự nêu", en: "own" },
  gwp: { vi: "Hệ số nóng lên toàn cầu", en: "Warming potentials" },
  blended: {
    vi: "Hệ số điện của nhà máy (chỉ để phân bổ nội bộ)",
    en: "Blended factor of the site (for allocation inside it)",
  },
  zoneTotal: { vi: "Toàn khu", en: "Zone" },
  naive: { vi: "cộng thẳng", en: "naive sum" },
  eliminated: { vi: "trừ một lần phần mua bán trong khu", en: "eliminated once: sold inside" },
  uncovered: { vi: "chưa có số liệu", en: "no data" },
  ineligible: { vi: "không đủ điều kiện", en: "not eligible" },
  noEmission: { vi: "không tự phát thải", en: "no emission of its own" },
  surplus: { vi: "dư, không có giá trị", en: "surplus, without value" },
  of: { vi: "từ", en: "of" },
  notes: { vi: "Ghi chú", en: "Notes" },
} as const satisfies Record<string, Readonly<Record<Lang, string>>>;

/** To so many places, rounded half-even; `1,234.500` in English, `1.234,500` in Vietnamese. */
export function fixed({ n, d }: Fraction, places: number, lang: Lang): string {
  const scaled = divideHalfEven(n * 10n ** BigInt(places), d);
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places).replace(/\B(?=(\d{3})+$)/g, lang === "vi" ? "." : ",");
  const tail = places === 0 ? "" : `${lang === "vi" ? "," : "."}${digits.slice(digits.length - places)}`;
  return `${scaled < 0n ? "-" : ""}${whole}${tail}`;
}

/** Up to so many places, without idle zeros behind the point. */
export function short(value: Fraction, places: number, lang: Lang): string {
  const text = fixed(value, places, lang);
  if (places === 0) return text;
  const point = text.length - places - 1;
  const tail = text.slice(point + 1).replace(/0+$/, "");
  return tail === "" ? text.slice(0, point) : `${text.slice(0, point + 1)}${tail}`;
}
