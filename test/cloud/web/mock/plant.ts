import type { Meter, Site } from "../../../../cloud/api/schemas.ts";

/**
 * The three factories of the mock server: their meters and a power for every instant, from a formula, so that every run of
 * the browser tests sees the same figures. Only for looking at the page; nothing here claims to be measured.
 */
export const TIME_ZONE = "Asia/Ho_Chi_Minh";
export const QUARTER_MS = 900_000;
const DAY_MS = 86_400_000;
const OFFSET_MS = 7 * 3_600_000;

export interface MockMeter extends Omit<Meter, "state" | "state_why" | "last_reading_at" | "values"> {
  readonly site: string;
  /** W for electricity; units per hour for gas and water. */
  readonly rate: (at_ms: number) => number;
}

export const SITES: readonly Omit<Site, "state" | "last_reading_at">[] = [
  site("thep-gia-minh", "Thép Gia Minh", "Gia Minh Steel", "steel", "gw-01", 3, { x: 0.14, y: 0.22 }),
  site("dien-tu-bac-son", "Điện tử Bắc Sơn", "Bac Son Electronics", "electronics", "gw-02", 4, { x: 0.52, y: 0.2 }),
  site("thuc-pham-an-lao", "Thực phẩm An Lão", "An Lao Foods", "food", "gw-03", 4, { x: 0.3, y: 0.86 }),
];

function site(id: string, vi: string, en: string, sector: string, gateway: string, meters: number, plan: Site["plan"]) {
  return { id, zone: "kcn-demo", name: { vi, en }, sector, gateways: [gateway], meters, plan };
}

/** 0…1, the same for the same instant and seed. */
function noise(at_ms: number, seed: number): number {
  let h = (Math.floor(at_ms / QUARTER_MS) * 2654435761 + seed * 40503) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 2246822519) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 3266489917) >>> 0;
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

const hourOf = (at_ms: number): number => ((at_ms + OFFSET_MS) % DAY_MS) / 3_600_000;
const weekdayOf = (at_ms: number): number => Math.floor((at_ms + OFFSET_MS) / DAY_MS + 4) % 7;
const isSunday = (at_ms: number): boolean => weekdayOf(at_ms) === 0;

const shifts = (at_ms: number, from: number, to: number): number => {
  const hour = hourOf(at_ms);
  const lunch = hour >= 11.5 && hour < 12.5 ? 0.75 : 1;
  return hour >= from && hour < to ? lunch : 0.18;
};

const furnace = (at_ms: number): number =>
  (isSunday(at_ms) ? 0.25 : 1) * (1_450_000 * (0.55 + 0.45 * Math.sin(at_ms / 2.6e6)) + 300_000 * noise(at_ms, 1));
const rolling = (at_ms: number): number =>
  (isSunday(at_ms) ? 0.1 : 1) * shifts(at_ms, 6, 22) * (620_000 + 160_000 * noise(at_ms, 2));
const smt = (at_ms: number): number =>
  (isSunday(at_ms) ? 0.3 : 1) * shifts(at_ms, 6, 22) * (540_000 + 60_000 * noise(at_ms, 3));
const hvac = (at_ms: number): number =>
  160_000 + 140_000 * Math.max(0, Math.sin(((hourOf(at_ms) - 7) / 14) * Math.PI)) + 30_000 * noise(at_ms, 4);
const sun = (at_ms: number): number => {
  const height = Math.sin(((hourOf(at_ms) - 6) / 12) * Math.PI);
  return height <= 0
    ? 0
    : 900_000 *
        height *
        (0.55 + 0.45 * noise(Math.floor(at_ms / DAY_MS) * DAY_MS, 5)) *
        (0.85 + 0.15 * noise(at_ms, 6));
};
const cold = (at_ms: number): number =>
  210_000 + 60_000 * noise(at_ms, 7) + 50_000 * Math.max(0, Math.sin(((hourOf(at_ms) - 8) / 12) * Math.PI));
const process = (at_ms: number): number =>
  (isSunday(at_ms) ? 0.2 : 1) * shifts(at_ms, 5, 19) * (180_000 + 50_000 * noise(at_ms, 8));

const balance = (at_ms: number): number => 1.06 * (smt(at_ms) + hvac(at_ms)) - sun(at_ms);

export const METERS: readonly MockMeter[] = [
  meter(
    "gw-01/incomer",
    "thep-gia-minh",
    "Trạm tổng 22 kV",
    "22 kV incomer",
    "schneider-pm5000",
    "electricity",
    "import",
    null,
    (t) => 1.07 * (furnace(t) + rolling(t)),
  ),
  meter(
    "gw-01/furnace",
    "thep-gia-minh",
    "Lò hồ quang",
    "Arc furnace",
    "eastron-sdm630",
    "electricity",
    "use",
    "gw-01/incomer",
    furnace,
  ),
  meter(
    "gw-01/rolling",
    "thep-gia-minh",
    "Xưởng cán",
    "Rolling mill",
    "schneider-iem3155",
    "electricity",
    "use",
    "gw-01/incomer",
    rolling,
  ),
  meter(
    "gw-02/incomer",
    "dien-tu-bac-son",
    "Trạm tổng",
    "Incomer",
    "schneider-pm5000",
    "electricity",
    "import",
    null,
    (t) => Math.max(0, balance(t)),
  ),
  meter(
    "gw-02/solar",
    "dien-tu-bac-son",
    "Mặt trời mái nhà",
    "Rooftop solar",
    "sunspec-inverter",
    "solar",
    "generation",
    null,
    sun,
  ),
  meter(
    "gw-02/smt",
    "dien-tu-bac-son",
    "Dây chuyền SMT",
    "SMT lines",
    "carlo-gavazzi-em340",
    "electricity",
    "use",
    "gw-02/incomer",
    smt,
  ),
  meter(
    "gw-02/hvac",
    "dien-tu-bac-son",
    "Điều hòa, phòng sạch",
    "HVAC, clean room",
    "eastron-sdm630",
    "electricity",
    "use",
    "gw-02/incomer",
    hvac,
  ),
  meter(
    "gw-03/incomer",
    "thuc-pham-an-lao",
    "Trạm tổng",
    "Incomer",
    "schneider-pm5000",
    "electricity",
    "import",
    null,
    (t) => 1.08 * (cold(t) + process(t)),
  ),
  meter(
    "gw-03/cold",
    "thuc-pham-an-lao",
    "Kho lạnh",
    "Cold store",
    "schneider-iem3155",
    "electricity",
    "use",
    "gw-03/incomer",
    cold,
  ),
  meter(
    "gw-03/gas",
    "thuc-pham-an-lao",
    "Khí lò hơi",
    "Boiler gas",
    "sick-flowsic500",
    "natural_gas",
    "import",
    null,
    (t) => (isSunday(t) ? 0.15 : 1) * shifts(t, 5, 19) * (210 + 40 * noise(t, 9)),
  ),
  meter(
    "gw-03/water",
    "thuc-pham-an-lao",
    "Nước sản xuất",
    "Process water",
    "siemens-mag6000",
    "water",
    "use",
    null,
    (t) => shifts(t, 5, 19) * (26 + 6 * noise(t, 10)),
  ),
];

function meter(
  id: string,
  siteId: string,
  vi: string,
  en: string,
  model: string,
  carrier: string,
  role: Meter["role"],
  parent: string | null,
  rate: (at_ms: number) => number,
): MockMeter {
  const [gateway = "", device = ""] = id.split("/");
  return { id, device, name: { vi, en }, site: siteId, gateway, model, carrier, role, parent, rate };
}

/** Fed into the grid by the electronics plant when its roof gives more than it uses. */
export const exportRate = (at_ms: number): number => Math.max(0, -balance(at_ms));
