import { KhuXanhError } from "../../core/errors.ts";
import { type Course, minuteCourse, SLOT_MINUTES } from "../course/course.ts";
import type { CsvLoad, SeriesUnit } from "../simConfig.ts";
import { dateOf, MINUTES_PER_DAY } from "./calendar.ts";

/**
 * A load from a person's CSV file: one row an interval, constant within it.
 *
 * Format   a line of column names, then one line a row; comma, semicolon or tab; `#` begins a comment line; decimal comma where
 *          the separator is a semicolon or tab; quotes around cells; byte order mark and CRLF are taken as they come. Times:
 *          `2025-03-01T00:15[:00][Z|+07:00]`, `2025-03-01 00:15`, `01/03/2025 00:15` (day first), seconds or ms since 1970.
 * Exact    the amount of an interval is kept in whole W·min (60 J) or L·min/h; a finer cell is rounded once, to it.
 * Limits   500,000 rows; intervals of whole minutes that fill a day evenly, all of one length, without holes.
 */
const ROWS_MAX = 500_000;
const MINUTE_ms = 60_000;
const RATE_MAX = 1e9;

/** Rate x minutes of one unit: W·min (or L/h·min); an amount is spread over its interval. */
const UNITS: Readonly<
  Record<SeriesUnit, { readonly kind: "electric" | "flow"; readonly rate: number; readonly amount: boolean }>
> = {
  W: { kind: "electric", rate: 1, amount: false },
  kW: { kind: "electric", rate: 1e3, amount: false },
  MW: { kind: "electric", rate: 1e6, amount: false },
  Wh: { kind: "electric", rate: 60, amount: true },
  kWh: { kind: "electric", rate: 60e3, amount: true },
  MWh: { kind: "electric", rate: 60e6, amount: true },
  "L/h": { kind: "flow", rate: 1, amount: false },
  "m3/h": { kind: "flow", rate: 1e3, amount: false },
  L: { kind: "flow", rate: 60, amount: true },
  m3: { kind: "flow", rate: 60e3, amount: true },
};

export interface SeriesPlace {
  /** Local midnight of 2018-01-01, ms. */
  readonly origin_ms: number;
  /** Local less UTC, ms. */
  readonly offset_ms: number;
  /** Where the load stands in the simulation file. */
  readonly place: string;
}

export interface Series {
  readonly kind: "electric" | "flow";
  readonly course: Course;
  readonly hasNegative: boolean;
}

/** @throws {KhuXanhError} CONFIG_INVALID with the file's line number and what to do. */
export function seriesOf(text: string, spec: CsvLoad, { origin_ms, offset_ms, place }: SeriesPlace): Series {
  const file = `${place}: ${spec.csv}`;
  const { rows, timeAt, valueAt, separator } = table(text, spec, file);
  const ends: number[] = [];
  const values: number[] = [];
  for (const { line, cells } of rows) {
    const at = `${file} line ${line}`;
    const utc_ms = instantOf(cells[timeAt] ?? "", spec.clock === "utc" ? 0 : offset_ms, at, spec.time);
    ends.push((utc_ms - origin_ms) / MINUTE_ms);
    values.push(numberOf(cells[valueAt] ?? "", separator, at, spec.column));
  }
  const step_min = stepOf(ends, rows, file);
  const { kind, rate, amount } = UNITS[spec.unit];
  const sums = values.map((value) => Math.round(value * rate * (amount ? 1 : step_min)) + 0);
  const negative = sums.findIndex((sum) => sum < 0);
  if (kind === "flow" && negative >= 0)
    throw wrong(`${file} line ${rows[negative]!.line}`, "a flow below 0", "Gas and water flow one way.");
  const tooBig = sums.findIndex((sum) => Math.abs(sum) > RATE_MAX * step_min);
  if (tooBig >= 0) {
    throw wrong(
      `${file} line ${rows[tooBig]!.line}`,
      `${values[tooBig]} ${spec.unit} is more than 1 GW or 10^6 m3/h`,
      "Check the unit.",
    );
  }
  const first = ends[0]! - (spec.label === "end" ? step_min : 0);
  const placeOf = PLACES[spec.repeat]({ first, minutes: sums.length * step_min }, file);
  return { kind, hasNegative: negative >= 0, course: seriesCourse(sums, step_min, placeOf) };
}

/** Each interval's sum, spread evenly in whole rates; sums of slots come from the running sum of the file. */
function seriesCourse(sums: readonly number[], step_min: number, placeOf: PlaceOf): Course {
  const before = new Float64Array(sums.length + 1);
  sums.forEach((sum, row) => {
    before[row + 1] = before[row]! + sum;
  });
  const running = (at: number) => {
    const row = Math.floor(at / step_min);
    const into = at - row * step_min;
    return before[row]! + (into === 0 ? 0 : Math.floor((sums[row]! * into) / step_min));
  };
  return minuteCourse(
    (minute) => {
      const at = placeOf(minute);
      return at === null ? 0 : running(at + 1) - running(at);
    },
    (slot) => {
      const at = placeOf(slot * SLOT_MINUTES);
      const end = placeOf(slot * SLOT_MINUTES + SLOT_MINUTES - 1);
      if (at === null || end === null || end - at !== SLOT_MINUTES - 1) return null;
      return running(end + 1) - running(at);
    },
  );
}

interface Span {
  /** Minutes since the origin at which the first interval begins. */
  readonly first: number;
  readonly minutes: number;
}

/** Which minute of the file stands for a minute since the origin; null = none. */
type PlaceOf = (minute: number) => number | null;

const MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY;

const PLACES: Readonly<Record<CsvLoad["repeat"], (span: Span, file: string) => PlaceOf>> = {
  none:
    ({ first, minutes }) =>
    (minute) => {
      const at = minute - first;
      return at >= 0 && at < minutes ? at : null;
    },
  weekly({ first, minutes }, file) {
    const period = Math.floor(minutes / MINUTES_PER_WEEK) * MINUTES_PER_WEEK;
    if (period === 0)
      throw wrong(file, "holds less than a week", "Use repeat: none, or a file of at least seven whole days.");
    return (minute) => (((minute - first) % period) + period) % period;
  },
  yearly({ first, minutes }, file) {
    const starts = new Map<number, number>();
    for (let day = Math.ceil(first / MINUTES_PER_DAY); (day + 1) * MINUTES_PER_DAY <= first + minutes; day++) {
      const { month, date } = dateOf(day);
      const key = month * 32 + date;
      if (!starts.has(key)) starts.set(key, day * MINUTES_PER_DAY - first);
    }
    const LEAP_DAY = 2 * 32 + 29;
    const days = starts.size - (starts.has(LEAP_DAY) ? 1 : 0);
    if (days < 365)
      throw wrong(
        file,
        `holds ${days} whole days of the 365 of a year`,
        "Use repeat: weekly or none, or a file of a whole year.",
      );
    let last = { day: Number.NaN, start: 0 };
    return (minute) => {
      const day = Math.floor(minute / MINUTES_PER_DAY);
      if (day !== last.day) {
        const { month, date } = dateOf(day);
        last = { day, start: starts.get(month * 32 + date) ?? starts.get(2 * 32 + 28)! };
      }
      return last.start + minute - day * MINUTES_PER_DAY;
    };
  },
};

interface Row {
  /** Line of the file, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

interface Table {
  readonly rows: readonly Row[];
  readonly timeAt: number;
  readonly valueAt: number;
  readonly separator: string;
}

function table(text: string, { time, column }: CsvLoad, file: string): Table {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const headerAt = lines.findIndex((line) => line.trim() !== "" && !line.startsWith("#"));
  if (headerAt < 0) throw wrong(file, "is empty", "The first line names the columns, each further line is a row.");
  const header = lines[headerAt]!;
  const separator = [";", "\t", ","].find((sign) => header.includes(sign)) ?? ",";
  const names = cellsOf(header, separator);
  const indexOf = (key: "time" | "column", name: string): number => {
    const index = names.indexOf(name);
    if (index < 0)
      throw wrong(
        `${file} line ${headerAt + 1}`,
        `has no column "${name}" (allowed: ${names.join(", ")})`,
        `Correct ${key}.`,
      );
    return index;
  };
  const [timeAt, valueAt] = [indexOf("time", time), indexOf("column", column)];
  const rows: Row[] = [];
  for (let i = headerAt + 1; i < lines.length; i++) {
    const line = lines[i]!;
    if (line.trim() === "" || line.startsWith("#")) continue;
    const cells = cellsOf(line, separator);
    if (cells.length !== names.length) {
      throw wrong(
        `${file} line ${i + 1}`,
        `has ${cells.length} cells, the columns are ${names.length}`,
        "Every row has a cell for every column.",
      );
    }
    if (rows.length === ROWS_MAX) throw wrong(file, `has more than ${ROWS_MAX} rows`, "Cut the file.");
    rows.push({ line: i + 1, cells });
  }
  return { rows, timeAt, valueAt, separator };
}

function cellsOf(line: string, separator: string): readonly string[] {
  if (!line.includes('"')) return line.split(separator).map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const sign = line[i]!;
    if (sign === '"' && quoted && line[i + 1] === '"') {
      cell += '"';
      i++;
    } else if (sign === '"') quoted = !quoted;
    else if (sign === separator && !quoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += sign;
  }
  return [...cells, cell.trim()];
}

function numberOf(cell: string, separator: string, at: string, column: string): number {
  const text = separator === "," ? cell : cell.replace(",", ".");
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    throw wrong(
      at,
      cell === "" ? `"${column}" is empty` : `"${cell}" in "${column}" is no number`,
      "Fill holes in the data before it is used: the simulator invents nothing.",
    );
  }
  return Number(text);
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.0+)?)?(Z|[+-]\d{2}:?\d{2})?$/;
const DAY_FIRST = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d{2})(?::(\d{2}))?$/;

function instantOf(cell: string, offset_ms: number, at: string, column: string): number {
  const utc_ms = parseInstant(cell, offset_ms);
  if (utc_ms === null)
    throw wrong(at, `"${cell}" in "${column}" is no time`, "Write times as 2025-03-01T00:15 or 01/03/2025 00:15.");
  if (utc_ms % MINUTE_ms !== 0)
    throw wrong(at, `"${cell}" is not on a whole minute`, "Intervals begin on whole minutes.");
  return utc_ms;
}

function parseInstant(cell: string, offset_ms: number): number | null {
  if (/^\d{9,10}$/.test(cell)) return Number(cell) * 1000;
  if (/^\d{12,13}$/.test(cell)) return Number(cell);
  const iso = ISO.exec(cell);
  const [year, month, date, hour, minute, second] = (iso?.slice(1, 7) ?? dayFirst(cell) ?? []).map((part) =>
    Number(part ?? 0),
  );
  if (year === undefined || !(month! >= 1 && month! <= 12 && date! >= 1 && hour! <= 24 && minute! < 60 && second! < 60))
    return null;
  const local = new Date(Date.UTC(year, month! - 1, date));
  if (local.getUTCDate() !== date) return null;
  const written_ms = local.getTime() + ((hour! * 60 + minute!) * 60 + second!) * 1000;
  return written_ms - (iso?.[7] === undefined ? offset_ms : zone_ms(iso[7]));
}

function dayFirst(cell: string): readonly (string | undefined)[] | null {
  const match = DAY_FIRST.exec(cell);
  return match === null ? null : [match[3], match[2], match[1], match[4], match[5], match[6]];
}

function zone_ms(zone: string): number {
  if (zone === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith("-") ? -minutes : minutes) * MINUTE_ms;
}

/** Length of the intervals: that of the first two rows, kept by all others. */
function stepOf(minutes: readonly number[], rows: readonly Row[], file: string): number {
  if (rows.length < 2) throw wrong(file, "has fewer than two rows", "Two rows tell how long an interval is.");
  const step = minutes[1]! - minutes[0]!;
  if (!(step > 0 && MINUTES_PER_DAY % step === 0)) {
    throw wrong(
      `${file} line ${rows[1]!.line}`,
      `is ${step} minutes after the row before`,
      "Rows are in order of time, one for each interval; intervals fill a day evenly, such as 15 minutes.",
    );
  }
  const hole = minutes.findIndex((at, i) => i > 0 && at - minutes[i - 1]! !== step);
  if (hole > 0) {
    const found = minutes[hole]! - minutes[hole - 1]!;
    throw wrong(
      `${file} line ${rows[hole]!.line}`,
      `is ${found} minutes after the row before, not ${step}`,
      "Every interval has its row, once, in order of time; a row of 24:00 belongs to the end of its day.",
    );
  }
  return step;
}

function wrong(where: string, message: string, hint: string): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${where}: ${message}`, { hint, context: { where } });
}
