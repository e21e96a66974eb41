/**
 * Wiring mistakes that live values give away. Pure.
 *
 * Input      several readings of one meter a moment apart, by quantity, in V, A, W, var, Hz; a finding must hold in all of them
 * Signs      plus is drawn from the grid. A current transformer put on backwards turns P and Q of its phase round; generation
 *            turns only P. So a negative phase is `certain` only where Q turned as well, `possible` where Q is not told or has no
 *            sign, and no finding where Q shows that the phase feeds in.
 * Source     power factors of exchanged transformers: cos(φ ± 120°) on two phases beside cos φ on the third
 * Limits     a plant with single-phase generation near full output can look like a reversed transformer: `possible`. Three
 *            transformers all moved on by one phase look like feed-in: `possible`, and only where the reactive power is leading or
 *            the import counter stands still, which feed-in by a plant with lagging load does not give.
 */
export interface WiringFinding {
  readonly fault:
    | "reversed-ct"
    | "swapped-cts"
    | "rotated-cts"
    | "phase-sequence"
    | "ct-decade"
    | "zero-filled"
    | "phase-missing"
    | "ct-open"
    | "neutral-swapped";
  readonly certainty: "certain" | "possible";
  /** `l1`…`l3`; empty when it concerns the whole meter. */
  readonly phases: readonly string[];
  readonly why: { readonly vi: string; readonly en: string };
}

/** Values of one reading, by quantity id, and `phase_sequence` where the meter has it. Absent = not told. */
export type WiringReading = ReadonlyMap<string, number>;

export interface Nameplate {
  /** Rated power of what hangs on the meter, W. */
  readonly rated_power_W?: number;
  /** Rated current a phase, A. */
  readonly rated_current_A?: number;
}

/** @returns findings, the gravest first; empty for a healthy plant and for readings that tell too little. */
export function wiring(readings: readonly WiringReading[], plate: Nameplate = {}): readonly WiringFinding[] {
  if (readings.length === 0) return [];
  const zero = zeroFilled(readings);
  if (zero.length > 0) return zero;
  const neutral = neutralSwapped(readings);
  const voltage = neutral.length > 0 ? neutral : phaseMissing(readings);
  const swapped = swappedCts(readings);
  const current = swapped.length > 0 ? swapped : reversedCt(readings);
  const rotated = current.length > 0 ? current : rotatedCts(readings);
  return [...voltage, ...phaseSequence(readings), ...rotated, ...ctOpen(readings), ...ctDecade(readings, plate)];
}

const PHASES = ["l1", "l2", "l3"] as const;
type Three = readonly [number, number, number];

/** All three phases of a quantity; null if one is not told. */
function three(reading: WiringReading, quantity: string): Three | null {
  const values = PHASES.map((phase) => reading.get(`${quantity}_${phase}`));
  return values.every((value) => value !== undefined) ? (values as unknown as Three) : null;
}

/** The phases (by index) for which a rule holds in every reading. */
function always(
  readings: readonly WiringReading[],
  rule: (reading: WiringReading) => readonly number[],
): readonly number[] {
  const [first = [], ...others] = readings.map(rule);
  return first.filter((phase) => others.every((phases) => phases.includes(phase)));
}

function zeroFilled(readings: readonly WiringReading[]): WiringFinding[] {
  const isLive = (name: string) => /^(voltage_|current_|frequency$|active_power_(l\d|total)$)/.test(name);
  const live = readings.map((reading) => [...reading].filter(([name]) => isLive(name)));
  const told = live.every(
    (values) => values.length >= 3 && values.some(([name]) => /^(voltage_|frequency$)/.test(name)),
  );
  if (!told || live.some((values) => values.some(([, value]) => value !== 0))) return [];
  return [
    {
      fault: "zero-filled",
      certainty: "certain",
      phases: [],
      why: {
        vi: "Mọi giá trị đều bằng đúng 0, kể cả điện áp và tần số: gateway trả lời thay cho một công tơ không có mặt, hoặc công tơ không có điện áp đo.",
        en: "Every value is exactly 0, voltage and frequency included: a gateway answers for a meter that is not there, or the meter has no measuring voltage.",
      },
    },
  ];
}

const ROOT_3 = Math.sqrt(3);

/** A phase and the neutral exchanged: two phases read the line voltage, and the third its own or nothing. */
function neutralSwapped(readings: readonly WiringReading[]): WiringFinding[] {
  const phases = always(readings, (reading) => {
    const volts = three(reading, "voltage");
    if (volts === null) return [];
    const index = volts.indexOf(Math.min(...volts));
    const own = volts[index]!;
    const others = volts.filter((_, i) => i !== index);
    const high = mean(others);
    if (high < 150 || others.some((v) => !near(v, high, 0.1))) return [];
    // In a sound system lines lie √3 above phases; measured from another phase, they are the same.
    const line = reading.get(["voltage_l2_l3", "voltage_l3_l1", "voltage_l1_l2"][index]!);
    const sameAsLine = line !== undefined && line > 0 && line < 1.3 * high;
    const isNothing = own < 0.15 * high && (sameAsLine || (line === undefined && high >= 340 && high <= 450));
    return near(high / Math.max(own, 1), ROOT_3, 0.07) || isNothing ? [index] : [];
  });
  return phases.map((index) => {
    const phase = PHASES[index]!;
    const name = phase.toUpperCase();
    return {
      fault: "neutral-swapped",
      certainty: "certain",
      phases: [phase],
      why: {
        vi: `Hai pha kia hiện điện áp dây (gấp √3) so với trung tính: dây trung tính và dây pha ${name} bị đấu lẫn nhau ở cầu đấu điện áp. ${seen(readings, "voltage", "V")}`,
        en: `The other two phases show line voltage (√3 times as much) against neutral: neutral and ${name} are exchanged at the voltage terminals. ${seen(readings, "voltage", "V")}`,
      },
    };
  });
}

function phaseMissing(readings: readonly WiringReading[]): WiringFinding[] {
  const phases = always(readings, (reading) => {
    const volts = three(reading, "voltage");
    if (volts === null) return [];
    const high = Math.max(...volts);
    return high < 30 ? [] : [0, 1, 2].filter((i) => volts[i]! < 0.3 * high);
  });
  return phases.map((index) => {
    const phase = PHASES[index]!;
    return {
      fault: "phase-missing",
      certainty: "certain",
      phases: [phase],
      why: {
        vi: `Pha ${phase.toUpperCase()} không có điện áp: cầu chì áp đứt, dây áp tuột, hoặc lưới mất pha. ${seen(readings, "voltage", "V")}`,
        en: `Phase ${phase.toUpperCase()} has no voltage: a blown voltage fuse, a loose wire, or the grid lost a phase. ${seen(readings, "voltage", "V")}`,
      },
    };
  });
}

function phaseSequence(readings: readonly WiringReading[]): WiringFinding[] {
  const turned = readings.every((reading) => ![undefined, 0].includes(reading.get("phase_sequence")));
  if (!turned) return [];
  return [
    {
      fault: "phase-sequence",
      certainty: "certain",
      phases: [],
      why: {
        vi: "Công tơ báo thứ tự pha ngược (L1-L3-L2): hai dây áp bị đổi chỗ; nếu động cơ quay đúng chiều thì lỗi nằm ở dây áp của công tơ.",
        en: "The meter reports phases in reverse order (L1-L3-L2): two voltage wires are exchanged; if motors turn the right way, it is the meter's wires.",
      },
    },
  ];
}

/** U·I a phase. */
function apparent(reading: WiringReading): Three | null {
  const volts = three(reading, "voltage");
  const amps = three(reading, "current");
  return volts === null || amps === null
    ? null
    : ([volts[0] * amps[0], volts[1] * amps[1], volts[2] * amps[2]].map(Math.abs) as unknown as Three);
}

const SWAP_TOLERANCE = 0.12;
const THIRD_TURN = (2 * Math.PI) / 3;

/** Two current transformers exchanged: their phases run 120° ahead and behind, and the total nearly cancels. */
function swappedCts(readings: readonly WiringReading[]): WiringFinding[] {
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

const SAME_ANGLE = Math.PI / 12;

/** All three current transformers moved on by one phase: every phase runs 120° off, so the plant seems to feed in. */
function rotatedCts(readings: readonly WiringReading[]): WiringFinding[] {
  if (!readings.every(isRotated)) return [];
  return [
    {
      fault: "rotated-cts",
      certainty: "possible",
      phases: PHASES,
      why: {
        vi: `Cả ba pha đều âm với hệ số công suất thấp như nhau: dây dòng và dây áp có thể lệch nhau một pha (CT của L1 nằm ở L2, v.v.). ${seen(readings, "active_power", "W")}`,
        en: `All three phases are negative at the same low power factor: current and voltage may be one phase apart (the transformer of L1 sits on L2, and so on). ${seen(readings, "active_power", "W")}`,
      },
    },
  ];
}

function isRotated(reading: WiringReading): boolean {
  const powers = three(reading, "active_power");
  const sizes = apparent(reading);
  if (powers === null || sizes === null || !isComparable(sizes) || powers.some((power) => power >= 0)) return false;
  const angles = powers.map((power, i) => Math.acos(clamp(power / sizes[i]!)));
  const low = Math.min(...angles);
  const high = Math.max(...angles);
  if (high - low > SAME_ANGLE) return false;
  const reactive = three(reading, "reactive_power");
  const isLeading = reactive?.every((q, i) => q < -Q_TELLS * sizes[i]!) === true;
  const imported = reading.get("active_energy_import_total");
  const exported = reading.get("active_energy_export_total") ?? 0;
  const neverDraws = imported !== undefined && exported > 0 && imported < 0.01 * exported;
  // φ − 120° and φ + 120° for loads of 0…40° behind.
  return (
    (isLeading && high <= (130 * Math.PI) / 180) ||
    (neverDraws && low >= (110 * Math.PI) / 180 && high <= (160 * Math.PI) / 180)
  );
}

/** A negative phase among positive ones. */
function reversedCt(readings: readonly WiringReading[]): WiringFinding[] {
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

/** A phase with voltage and without current while the others carry plenty. */
function ctOpen(readings: readonly WiringReading[]): WiringFinding[] {
  const phases = always(readings, (reading) => {
    const amps = three(reading, "current");
    const volts = three(reading, "voltage");
    if (amps === null || (volts !== null && Math.min(...volts) < 0.3 * Math.max(...volts))) return [];
    return [0, 1, 2].filter((i) => {
      const others = amps.filter((_, j) => j !== i).map(Math.abs);
      return Math.min(...others) >= 1 && Math.abs(amps[i]!) < 0.005 * mean(others);
    });
  });
  return phases.map((index) => {
    const phase = PHASES[index]!;
    return {
      fault: "ct-open",
      certainty: "possible",
      phases: [phase],
      why: {
        vi: `Pha ${phase.toUpperCase()} có điện áp nhưng không có dòng trong khi hai pha kia đang mang tải: biến dòng chưa nối hoặc bị nối tắt. ${seen(readings, "current", "A")}`,
        en: `Phase ${phase.toUpperCase()} has voltage but no current while the other two carry load: its current transformer is not connected or shorted. ${seen(readings, "current", "A")}`,
      },
    };
  });
}

/** More than this multiple of the rating is no overload; less than this share is hardly a load. */
const FAR_ABOVE = 2;
const FAR_BELOW = 0.1;

function ctDecade(readings: readonly WiringReading[], plate: Nameplate): WiringFinding[] {
  const shares = readings.map((reading) => shareOfRating(reading, plate));
  if (shares.some((share) => share === null)) return [];
  const told = shares as readonly { readonly share: number; readonly feedsIn: boolean }[];
  const percent = `${Number((told.at(-1)!.share * 100).toPrecision(2))} %`;
  if (told.every(({ share }) => share > FAR_ABOVE)) {
    return [
      {
        fault: "ct-decade",
        certainty: "certain",
        phases: [],
        why: {
          vi: `Giá trị đo bằng ${percent} định mức: tỷ số biến dòng (CT) đặt quá lớn, thường gấp mười lần.`,
          en: `The measured value is ${percent} of the rating: the CT ratio is set too large, ten times as a rule.`,
        },
      },
    ];
  }
  if (told.every(({ share, feedsIn }) => share > 0 && share < FAR_BELOW && !feedsIn)) {
    return [
      {
        fault: "ct-decade",
        certainty: "possible",
        phases: [],
        why: {
          vi: `Giá trị đo chỉ bằng ${percent} định mức: hoặc nhà máy gần như không tải, hoặc tỷ số biến dòng (CT) đặt quá nhỏ (thường mười lần).`,
          en: `The measured value is only ${percent} of the rating: either the plant is nearly idle, or the CT ratio is set too small, ten times as a rule.`,
        },
      },
    ];
  }
  return [];
}

/** The larger of power and current against their ratings; null when no rating is given or nothing is measured. */
function shareOfRating(reading: WiringReading, { rated_power_W, rated_current_A }: Nameplate) {
  const powers = three(reading, "active_power");
  const total_W = reading.get("active_power_total") ?? (powers === null ? undefined : sum(powers));
  const size_W = powers === null ? total_W : sum(powers.map(Math.abs));
  const amps = PHASES.flatMap((phase) => reading.get(`current_${phase}`) ?? []);
  const shares = [
    ...(rated_power_W === undefined || size_W === undefined ? [] : [Math.abs(size_W) / rated_power_W]),
    ...(rated_current_A === undefined || amps.length === 0 ? [] : [Math.max(...amps.map(Math.abs)) / rated_current_A]),
  ];
  if (shares.length === 0) return null;
  const exported = reading.get("active_energy_export_total") ?? 0;
  const feedsIn = (powers ?? [total_W ?? 0]).some((power) => power < 0) || exported > 0;
  return { share: Math.max(...shares), feedsIn };
}

/** All three carry something of the same order. */
function isComparable(sizes: Three): boolean {
  const low = Math.min(...sizes);
  return low > 0 && Math.max(...sizes) <= 3 * low;
}

/** The last reading's phases, for the reader to compare with the display. */
function seen(readings: readonly WiringReading[], quantity: string, unit: string): string {
  const values = three(readings.at(-1)!, quantity);
  return values === null
    ? ""
    : `(${values.map((value, i) => `L${i + 1} ${Number(value.toPrecision(4))} ${unit}`).join(", ")})`;
}

function near(a: number, b: number, relative: number): boolean {
  return Math.abs(a - b) <= relative * Math.abs(b);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function clamp(cosine: number): number {
  return Math.max(-1, Math.min(1, cosine));
}
