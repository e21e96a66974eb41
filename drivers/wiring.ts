import {
  always,
  mean,
  near,
  PHASES,
  seen,
  sum,
  three,
  type WiringFinding,
  type WiringReading,
} from "./wiringReading.ts";
import { reversedCt, reversedCts, rotatedCts, swappedCts } from "./wiringTransformers.ts";

/**
 * Wiring mistakes that live values give away. Pure.
 *
 * Input      several readings of one meter a moment apart, by quantity, in V, A, W, var, Hz; a finding must hold in all of them
 * Signs      plus is drawn from the grid. A current transformer put on backwards turns P and Q of its phase round; generation
 *            turns only P. So a negative phase is `certain` only where Q turned as well, `possible` where Q is not told or has no
 *            sign, and no finding where Q shows that the phase feeds in.
 * Source     power factors of exchanged transformers: cos(φ ± 120°) on two phases beside cos φ on the third
 *            Where P and Q are negative on all three phases it is `possible`: a generator that supplies reactive power shows the same.
 * Limits     a plant with single-phase generation near full output can look like a reversed transformer: `possible`. Three
 *            transformers all moved on by one phase look like feed-in: `possible`, and only where the reactive power is leading or
 *            the import counter stands still, which feed-in by a plant with lagging load does not give; or where all phases stand
 *            near 120° (load near unity power factor, said in words) and nothing was drawn before. Else, the other way round (L1
 *            on L3), every phase shows what feed-in shows. {@link feedsInEverywhere} lets the reader decide.
 */
export type { WiringFinding, WiringReading } from "./wiringReading.ts";

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
  const all = current.length > 0 ? current : [...rotatedCts(readings), ...reversedCts(readings)];
  return [...voltage, ...phaseSequence(readings), ...all, ...ctOpen(readings), ...ctDecade(readings, plate)];
}

/** Whether there is anything to judge: power or current, in every reading. */
export function tellsWiring(readings: readonly WiringReading[]): boolean {
  const tells = (name: string) => /^(active_power_|current_l)/.test(name);
  return readings.length > 0 && readings.every((reading) => [...reading.keys()].some(tells));
}

/** Every phase feeds in, in every reading: right where something generates, else a fault of the transformers. */
export function feedsInEverywhere(readings: readonly WiringReading[]): boolean {
  return (
    readings.length > 0 && readings.every((reading) => three(reading, "active_power")?.every((p) => p < 0) === true)
  );
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
