import { type Course, SLOT_MINUTES, SLOTS_PER_DAY, stepCourse } from "../course/course.ts";

/** Three courses of one feeding point. */
export interface MeasuredLoad {
  readonly active: Course;
  readonly lagging: Course;
  readonly leading: Course;
}

/** 39 weeks: replayed one after another, every weekday stays a weekday. */
const DAYS = 273;
const ROWS = DAYS * SLOTS_PER_DAY;

/**
 * The steel profile as courses: row n is slot n − 1, replayed modulo 39 weeks.
 *
 * Units    cells are kWh per 15 minutes with at most two decimals, so a cell of 0.01 kWh is a rate of exactly 40 W.
 * @throws {RangeError} for a file that is not ours: wrong columns, wrong number of rows, a cell that is no such number.
 */
export function steelLoad(profile: string): MeasuredLoad {
  const [header, ...rows] = profile.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  if (header !== COLUMNS.join(",")) throw new RangeError(`columns are "${header}", expected "${COLUMNS.join(",")}"`);
  if (rows.length !== ROWS) throw new RangeError(`${rows.length} rows, expected ${ROWS}`);
  const hundredths = COLUMNS.map(() => new Int32Array(ROWS));
  rows.forEach((row, slot) => {
    const cells = row.split(",");
    hundredths.forEach((column, at) => {
      column[slot] = hundredthsOf(cells[at] ?? "");
    });
  });
  const [active, lagging, leading] = hundredths.map(replay);
  return { active: active!, lagging: lagging!, leading: leading! };
}

const COLUMNS = ["energy_kwh", "reactive_lagging_kvarh", "reactive_leading_kvarh"];

function hundredthsOf(cell: string): number {
  const match = /^(\d{1,5})(?:\.(\d{1,2}))?$/.exec(cell);
  if (match === null) throw new RangeError(`"${cell}" is not a number with at most two decimals`);
  return Number(match[1]) * 100 + Number((match[2] ?? "").padEnd(2, "0"));
}

/** 10 Wh in 15 minutes is 40 W. */
const W_PER_HUNDREDTH = (10 * 60) / SLOT_MINUTES;

function replay(hundredths: Int32Array): Course {
  return stepCourse((slot) => hundredths[((slot % ROWS) + ROWS) % ROWS]! * W_PER_HUNDREDTH);
}
