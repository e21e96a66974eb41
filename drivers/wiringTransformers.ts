import {
  always,
  apparent,
  clamp,
  isComparable,
  mean,
  PHASES,
  seen,
  sum,
  type Three,
  three,
  type WiringFinding,
  type WiringReading,
} from "./wiringReading.ts";

/** What current transformers give away that are exchanged, turned round or moved on by a phase. Signs and limits: `wiring.ts`. */

const SWAP_TOLERANCE = 0.12;
const THIRD_TURN = (2 * Math.PI) / 3;

/** Two current transformers exchanged: their phases run 120° ahead and behind, and the total nearly cancels. */
export function swappedCts(readings: readonly WiringReading[]): WiringFinding[] {
  const third = always(readings, (reading) => {
    const powers = three(reading, "active_power");
    const sizes = apparent(reading);
    if (powers === null || sizes === null || !isComparable(sizes)) return [];
    const total = sum(powers);
    if (Math.abs(total) > 0.25 * sum(sizes)) return [];
    return [0, 1, 2].filter((right) => {
      const angle = Math.acos(clamp(powers[right]! / sizes[right]!));
      if (Math.cos(angle) < 0.5) return false;
      const expected = [Math.cos(angle + THIRD_TURN), Math.cos(angle - THIRD_TURN)].sort((a, b) => a - b);
      const shown = [0, 1, 2]
        .filter((i) => i !== right)
        .map((i) => powers[i]! / sizes[i]!)
        .sort((a, b) => a - b);
      return shown.every((factor, i) => Math.abs(factor - expected[i]!) <= SWAP_TOLERANCE);
    });
  });
  const right = third[0];
  if (right === undefined) return [];
  const phases = PHASES.filter((_, i) => i !== right);
  const names = phases.map((phase) => phase.toUpperCase());
  return [
    {
      fault: "swapped-cts",
      certainty: "certain",
      phases,
      why: {
        vi: `Biến dòng (CT) của ${names.join(" và ")} bị đổi chỗ cho nhau: hệ số công suất hai pha này lệch ±120° so với pha kia và công suất tổng gần như triệt tiêu. ${seen(readings, "active_power", "W")}`,
        en: `The current transformers of ${names.join(" and ")} are exchanged: their power factors stand ±120° off the other phase's and the total nearly cancels. ${seen(readings, "active_power", "W")}`,
      },
    },
  ];
}

const degrees = (angle: number): number => (angle * Math.PI) / 180;

const SAME_ANGLE = degrees(15);
/** Load at a power factor of 0.97 or better shows this when it is moved on by 120°, whichever way. */
const UNITY_MOVED_ON = { low: degrees(105), high: degrees(135), spread: degrees(10) } as const;

/** All three current transformers moved on by one phase: every phase runs 120° off, so the plant seems to feed in. */
export function rotatedCts(readings: readonly WiringReading[]): WiringFinding[] {
  const isTold = readings.every(isRotated);
  if (!isTold && !readings.every(isUnityRotated)) return [];
  const assumed = {
    vi: " Giả định tải có hệ số công suất gần 1. Nếu có điện mặt trời gần cân bằng với tải thì cũng giống như vậy: kiểm tra lại khi không phát.",
    en: " This takes the load's power factor to be near 1. Solar power that nearly balances the load looks the same: look again when nothing generates.",
  };
  return [
    {
      fault: "rotated-cts",
      certainty: "possible",
      phases: PHASES,
      why: {
        vi: `Cả ba pha đều âm với hệ số công suất thấp như nhau: dây dòng và dây áp có thể lệch nhau một pha (CT của L1 nằm ở L2, v.v.).${isTold ? "" : assumed.vi} ${seen(readings, "active_power", "W")}`,
        en: `All three phases are negative at the same low power factor: current and voltage may be one phase apart (the transformer of L1 sits on L2, and so on).${isTold ? "" : assumed.en} ${seen(readings, "active_power", "W")}`,
      },
    },
  ];
}

/** Between current and voltage, by phase, where all three feed in with about the same load; else null. */
function anglesOfFeedIn(reading: WiringReading): { readonly low: number; readonly high: number } | null {
  const powers = three(reading, "active_power");
  const sizes = apparent(reading);
  if (powers === null || sizes === null || !isComparable(sizes) || powers.some((power) => power >= 0)) return null;
  const angles = powers.map((power, i) => Math.acos(clamp(power / sizes[i]!)));
  return { low: Math.min(...angles), high: Math.max(...angles) };
}

/** Reactive power or counters tell it from feed-in. */
function isRotated(reading: WiringReading): boolean {
  const angles = anglesOfFeedIn(reading);
  if (angles === null || angles.high - angles.low > SAME_ANGLE) return false;
  const { low, high } = angles;
  const sizes = apparent(reading)!;
  const reactive = three(reading, "reactive_power");
  const isLeading = reactive?.every((q, i) => q < -Q_TELLS * sizes[i]!) === true;
  const imported = reading.get("active_energy_import_total");
  const exported = reading.get("active_energy_export_total") ?? 0;
  const neverDraws = imported !== undefined && exported > 0 && imported < 0.01 * exported;
  // φ − 120° and φ + 120° for loads of 0…40° behind.
  return (isLeading && high <= degrees(130)) || (neverDraws && low >= degrees(110) && high <= degrees(160));
}

/** An inverter feeds in at a far better power factor; who has drawn energy before was connected right. */
function isUnityRotated(reading: WiringReading): boolean {
  const angles = anglesOfFeedIn(reading);
  if (angles === null || hasDrawn(reading)) return false;
  const { low, high, spread } = UNITY_MOVED_ON;
  return angles.low >= low && angles.high <= high && angles.high - angles.low <= spread;
}

function hasDrawn(reading: WiringReading): boolean {
  const imported = reading.get("active_energy_import_total") ?? 0;
  return imported > 0.01 * (reading.get("active_energy_export_total") ?? 0);
}

/** A negative phase among positive ones. */
export function reversedCt(readings: readonly WiringReading[]): WiringFinding[] {
  const negative = always(readings, (reading) => {
    const powers = three(reading, "active_power");
    if (powers === null) return [];
    const size = sum(powers.map(Math.abs));
    const minus = [0, 1, 2].filter((i) => powers[i]! < -0.02 * size);
    const plus = [0, 1, 2].filter((i) => powers[i]! > 0.02 * size);
    return plus.length > 0 && minus.length + plus.length === 3 ? minus : [];
  });
  if (negative.length === 0) return [];
  const judged = readings.map((reading) => reversal(reading, negative));
  if (judged.includes("no")) return [];
  const certain = judged.every((one) => one === "certain");
  const phases = negative.map((index) => PHASES[index]!);
  const names = phases.map((phase) => phase.toUpperCase());
  const doubt = {
    vi: ` Nếu có nguồn phát một pha (ví dụ điện mặt trời) trên ${names.join(", ")} thì đây có thể là bình thường: kiểm tra lại vào ban đêm.`,
    en: ` If a single-phase generator (solar, for example) feeds in on ${names.join(", ")} this may be right: check again at night.`,
  };
  return [
    {
      fault: "reversed-ct",
      certainty: certain ? "certain" : "possible",
      phases,
      why: {
        vi: `Công suất tác dụng pha ${names.join(", ")} âm trong khi pha khác dương, nên tổng nhỏ hơn tổng các trị tuyệt đối: biến dòng (CT) lắp ngược chiều P1→P2 hoặc đảo dây S1/S2.${certain ? "" : doubt.vi} ${seen(readings, "active_power", "W")}`,
        en: `Active power of ${names.join(", ")} is negative while others are positive, so the total falls short of the sum of magnitudes: the current transformer faces the wrong way or its S1 and S2 are exchanged.${certain ? "" : doubt.en} ${seen(readings, "active_power", "W")}`,
      },
    },
  ];
}

/** All three current transformers turned round: a load's P and Q on every phase, with the other sign. */
export function reversedCts(readings: readonly WiringReading[]): WiringFinding[] {
  if (!readings.every(isTurnedRound)) return [];
  return [
    {
      fault: "reversed-cts",
      certainty: "possible",
      phases: PHASES,
      why: {
        vi: `Cả công suất tác dụng lẫn phản kháng đều âm ở cả ba pha: ba biến dòng (CT) đều lắp ngược chiều P1→P2 hoặc đảo dây S1/S2. Điện mặt trời phát lên lưới chỉ làm đổi dấu công suất tác dụng. Nếu đây là công tơ của máy phát, biến tần hoặc lộ phát thì có thể là bình thường. ${seen(readings, "active_power", "W")}`,
        en: `Active and reactive power are negative on all three phases: all three current transformers face the wrong way or have S1 and S2 exchanged. Solar power feeding in turns active power only. On the meter of a generator or an inverter this may be right. ${seen(readings, "active_power", "W")}`,
      },
    },
  ];
}

function isTurnedRound(reading: WiringReading): boolean {
  const powers = three(reading, "active_power");
  const reactive = three(reading, "reactive_power");
  const sizes = apparent(reading);
  if (powers === null || reactive === null || sizes === null || !isComparable(sizes)) return false;
  return sizes.every((size, i) => powers[i]! <= -FACTOR_OF_LOAD * size && reactive[i]! <= -Q_TELLS * size);
}

/** Below this share of U·I, the sign of Q is noise. */
const Q_TELLS = 0.1;

/** Plants are compensated to 0.9 or so (in Viet Nam below 0.9 costs money); unbalanced load near generation stays below 0.7. */
const FACTOR_OF_LOAD = 0.75;

/** What one reading says of negative phases: turned round with their Q, feeding in, or undecided. */
function reversal(reading: WiringReading, negative: readonly number[]): "certain" | "possible" | "no" {
  const powers = three(reading, "active_power")!;
  const reactive = three(reading, "reactive_power");
  const sizes = apparent(reading);
  const size = (i: number) => sizes?.[i] || Math.hypot(powers[i]!, reactive?.[i] ?? 0);
  const positive = [0, 1, 2].filter((i) => !negative.includes(i));
  if (reactive?.every((q, i) => Math.abs(q) >= Q_TELLS * size(i))) {
    const turned = negative.every((i) => positive.every((j) => Math.sign(reactive[i]!) === -Math.sign(reactive[j]!)));
    if (turned && isLike(powers, negative, positive, size)) return "certain";
    // Meters that reckon Q from S and P show it without a sign: then plus everywhere proves nothing.
    if (reactive.some((q) => q < 0)) return "no";
  }
  // Near balance between load and generation power factors are small; a reversed transformer leaves them as they are.
  const factors = [0, 1, 2].map((i) => Math.abs(powers[i]!) / size(i));
  if (sizes === null && reactive === null) return isLike(powers, negative, positive, size) ? "possible" : "no";
  return factors.every((factor) => factor >= FACTOR_OF_LOAD) && isLike(powers, negative, positive, size)
    ? "possible"
    : "no";
}

/** The negative phases carry about as much as the positive ones and at about their power factor. */
function isLike(
  powers: Three,
  negative: readonly number[],
  positive: readonly number[],
  size: (phase: number) => number,
): boolean {
  const normal = mean(positive.map((i) => Math.abs(powers[i]!)));
  const factor = mean(positive.map((i) => Math.abs(powers[i]!) / size(i)));
  return negative.every((i) => {
    const share = Math.abs(powers[i]!) / normal;
    return share > 1 / 3 && share < 3 && Math.abs(Math.abs(powers[i]!) / size(i) - factor) <= 0.2;
  });
}
