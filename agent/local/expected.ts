/**
 * What a live value should look like at a meter that is wired and configured right, and what it means when it does not.
 *
 * This is advice to the installer, narrower than the decoder's plausibility (`drivers/modbus/decode.ts`), which decides what
 * enters totals. What the decoder did not believe is always red here, with its reason.
 *
 * Units    those of the quantity (V, Hz, W, power factor without unit)
 * Source   low voltage: 198 V = 220 V − 10 % (networks of 220/380 V) to 253 V = 230 V + 10 % (IEC 60038); frequency 50 Hz
 *          ± 1 % (EN 50160 §4.2.1); power factor from 0.5: a CT on another phase turns the angle by 120°, which shows as less
 */
import type { MeterRole } from "../../core/emission/carriers.ts";
import type { DeviceSettings } from "../../core/model/deviceDefinition.ts";
import type { Register } from "../../core/model/meterModel.ts";
import type { QualityReason, Reading } from "../../core/reading/reading.ts";
import type { QuantityId } from "../../core/units/quantities.ts";
import { both, numberText, type Text } from "./text.ts";

export interface Expected {
  readonly low: number;
  readonly high: number;
}

/** ok: as it should be · watch: unusual, may be right · bad: wrong until somebody looked */
export type Level = "ok" | "watch" | "bad";

export interface Verdict {
  readonly expected: Expected | null;
  readonly level: Level;
  /** Why it is not ok, and what to look at. */
  readonly why: Text | null;
}

/** What of a meter the expectations depend on. */
export interface Installed {
  readonly role: MeterRole;
  readonly settings: DeviceSettings;
  /** What the sign of a power factor says, where the model has a way of its own. */
  readonly coding?: Register["coding"];
}

const PHASE_V: Expected = { low: 198, high: 253 };
const LINE_V: Expected = { low: 342, high: 440 };
const FREQUENCY_HZ: Expected = { low: 49.5, high: 50.5 };
const POWER_FACTOR_MIN = 0.5;

/** null where nothing can be said: current, or voltage behind a transformer whose nominal voltage nobody stated. */
export function expectedRange(quantity: QuantityId, { role, settings, coding }: Installed): Expected | null {
  if (quantity === "frequency") return FREQUENCY_HZ;
  // Where minus says inductive, that is what an ordinary load shows.
  if (isPowerFactor(quantity) && coding === "capacitive_positive") return { low: -1, high: -POWER_FACTOR_MIN };
  if (isPowerFactor(quantity)) return { low: POWER_FACTOR_MIN, high: 1 };
  const isLowVoltage = (settings.vt_ratio ?? 1) === 1;
  if (isPhaseVoltage(quantity)) return isLowVoltage ? PHASE_V : null;
  if (isLineVoltage(quantity)) return isLowVoltage ? LINE_V : null;
  if (quantity === "active_power_total" && settings.rated_power_W !== undefined) {
    // Which sign generation carries is the model's; a site's own meter may feed back what its roof makes.
    const isOneWay = role === "use";
    return { low: isOneWay ? 0 : -settings.rated_power_W, high: settings.rated_power_W };
  }
  return null;
}

/** Judges one reading as an installer would. */
export function judge(reading: Reading, installed: Installed): Verdict {
  const { quantity, value, quality, why } = reading;
  const expected = expectedRange(quantity, installed);
  const verdict = (level: Level, text: Text | null): Verdict => ({ expected, level, why: text });
  // An inverter asleep has no power factor: that is an answer, not a fault.
  if (value === null) return verdict(why === "sentinel" ? "ok" : "bad", reasonText(why));
  if (typeof value === "bigint")
    return verdict(quality === "good" ? "ok" : "watch", why === null ? null : reasonText(why));
  if (why === "implausible") return verdict("bad", implausibleText(quantity, value));
  if (isVoltage(quantity) && value === 0) return verdict("bad", NO_VOLTAGE);
  if (isPhasePower(quantity) && value < 0 && installed.role === "use") return verdict("bad", REVERSED_CT);
  if (expected === null || (value >= expected.low && value <= expected.high)) {
    return why === null ? verdict("ok", null) : verdict("watch", reasonText(why));
  }
  const isSignOfKind = isPowerFactor(quantity) && installed.coding === "capacitive_positive";
  if (isSignOfKind && value >= POWER_FACTOR_MIN && value <= 1) return verdict("ok", null);
  return { expected, ...outside(quantity, isSignOfKind ? Math.abs(value) : value, expected) };
}

const NO_VOLTAGE = both(
  "Pha không có điện áp: kiểm tra cầu chì và dây áp.",
  "No voltage on this phase: check its fuse and voltage wire.",
);
const REVERSED_CT = both(
  "Công suất âm ở phụ tải: CT lắp ngược chiều, hoặc đảo hai dây S1 và S2.",
  "Negative power at a load: the CT is reversed, or its S1 and S2 are swapped.",
);

function outside(quantity: QuantityId, value: number, { low, high }: Expected): Pick<Verdict, "level" | "why"> {
  const isLow = value < low;
  if (isVoltage(quantity)) {
    const why = isLow
      ? both(
          `Thấp hơn ${numberText(low).vi} V: dây áp lỏng, sụt áp, hoặc sai tỷ số biến áp.`,
          `Below ${numberText(low).en} V: a loose voltage wire, a sagging supply, or a wrong transformer ratio.`,
        )
      : both(
          `Cao hơn ${numberText(high).vi} V: mất trung tính, đấu nhầm áp dây, hoặc sai tỷ số biến áp.`,
          `Above ${numberText(high).en} V: a lost neutral, a line voltage on a phase input, or a wrong transformer ratio.`,
        );
    return { level: "bad", why };
  }
  if (quantity === "frequency") {
    return {
      level: "watch",
      why: both(
        "Lệch khỏi 50 Hz: chạy máy phát, hoặc đọc sai thanh ghi.",
        "Away from 50 Hz: running on a generator, or a wrong register is read.",
      ),
    };
  }
  if (isPowerFactor(quantity)) {
    return value < 0
      ? {
          level: "watch",
          why: both(
            "Âm: điện dung hoặc phát ngược; nếu là phụ tải thường thì xem lại chiều CT.",
            "Negative: capacitive or feeding back; at an ordinary load check the direction of the CTs.",
          ),
        }
      : {
          level: "watch",
          why: both(
            "Thấp bất thường: CT có thể nằm ở pha khác với dây áp. Khi gần như không tải thì bình thường.",
            "Unusually low: a CT may be on another phase than its voltage wire. Normal with almost no load.",
          ),
        };
  }
  if (value < 0 && low === 0) return { level: "bad", why: REVERSED_CT };
  return {
    level: "watch",
    why: both(
      "Vượt công suất định mức: xem lại rated_power_W và tỷ số CT.",
      "Above the rated power: check rated_power_W and the CT ratio.",
    ),
  };
}

function implausibleText(quantity: QuantityId, value: number): Text {
  if (quantity === "frequency") {
    return both(
      "Không thể là tần số lưới: sai model, sai địa chỉ hoặc sai thứ tự từ.",
      "This cannot be a grid frequency: wrong model, address or word order.",
    );
  }
  if (isPowerFactor(quantity)) {
    return both("Ngoài −1…1: sai model hoặc sai thang đo.", "Outside −1…1: a wrong model or scale.");
  }
  if (isVoltage(quantity)) {
    return value < 50
      ? both(
          "Quá thấp để là điện áp: dây áp hở, hoặc sai model hay thang đo.",
          "Too low to be a voltage: an open voltage wire, or a wrong model or scale.",
        )
      : both(
          "Quá cao: sai tỷ số biến áp, sai model hoặc sai thứ tự từ.",
          "Too high: a wrong transformer ratio, model or word order.",
        );
  }
  return both(
    "Quá 1,2 lần công suất định mức: không tính vào tổng. Kiểm tra tỷ số CT và rated_power_W.",
    "More than 1.2 × the rated power: left out of totals. Check the CT ratio and rated_power_W.",
  );
}

const REASONS: Readonly<Record<QualityReason, Text>> = {
  sentinel: both("Đồng hồ báo không có giá trị này.", "The meter says it has no such value."),
  "not-a-number": both("Thanh ghi không chứa số.", "The registers hold no number."),
  "out-of-range": both("Ngoài phạm vi của bộ đếm.", "Outside the counter's range."),
  implausible: both("Giá trị khó tin, không tính vào tổng.", "Not believable, left out of totals."),
  "scale-missing": both("Chưa đọc được thanh ghi tỷ lệ.", "The scale register could not be read."),
  "clock-unsynchronised": both("Đọc khi đồng hồ máy chưa đúng giờ.", "Read before the clock was set."),
  frozen: both("Giá trị đứng yên quá lâu.", "It has not moved for too long."),
};

function reasonText(why: QualityReason | null): Text | null {
  return why === null ? null : REASONS[why];
}

function isPhaseVoltage(quantity: QuantityId): boolean {
  return /^voltage_(l[123]|ln_avg)$/.test(quantity);
}

function isLineVoltage(quantity: QuantityId): boolean {
  return /^voltage_(l[123]_l[123]|ll_avg)$/.test(quantity);
}

function isVoltage(quantity: QuantityId): boolean {
  return isPhaseVoltage(quantity) || isLineVoltage(quantity);
}

function isPowerFactor(quantity: QuantityId): boolean {
  return /^(power_factor|cos_phi)_/.test(quantity);
}

function isPhasePower(quantity: QuantityId): boolean {
  return /^active_power_l[123]$/.test(quantity);
}
