/**
 * From the published steel plant file to our profile: three columns, one row per 15 minutes, in time order.
 *
 * Source   `date` is the END of the interval; the row of 24:00 is labelled `00:00` with the date of the day it ends and
 *          stands last of its day. The rows are in time order in the file, so sorting by label would tear them apart.
 * Limits   exactly 273 days (39 weeks) of 96 rows; anything else is refused with the row that is wrong.
 */
export function steelProfile(source: string): string {
  const [header, ...rows] = source
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .filter((line) => line !== "");
  const names = (header ?? "").split(",");
  const columns = SOURCE_COLUMNS.map((name) => {
    const at = names.indexOf(name);
    if (at < 0) throw new RangeError(`column ${name} is missing`);
    return at;
  });
  if (rows.length !== ROWS) throw new RangeError(`${rows.length} rows instead of ${ROWS}`);
  const lines = rows.map((row, index) => {
    const cells = row.split(",");
    const label = cells[0];
    if (label !== intervalEndLabel(index)) {
      throw new RangeError(`row ${index + 2} is labelled ${label}, expected ${intervalEndLabel(index)}`);
    }
    return columns.map((at) => cells[at]).join(",");
  });
  return `${PROFILE_HEADER}\n${lines.join("\n")}\n`;
}

const SOURCE_COLUMNS = ["Usage_kWh", "Lagging_Current_Reactive.Power_kVarh", "Leading_Current_Reactive_Power_kVarh"];
const ROWS = 273 * 96;

const PROFILE_HEADER = [
  "# Steel plant, 15-minute energy, 2018-01-01 to 2018-09-30. Row n is the interval from 2018-01-01T00:00 local + (n - 1) x 15 min.",
  "# Sathishkumar V E, Shin C., Cho Y. (2021), Steel Industry Energy Consumption, UCI dataset 851, DOI 10.24432/C52G8C. CC BY 4.0.",
  "# Changed: months January to September, three columns kept and renamed, interval-end labels dropped. See README.md here.",
  "energy_kwh,reactive_lagging_kvarh,reactive_leading_kvarh",
].join("\n");

function intervalEndLabel(index: number): string {
  const day = new Date(Date.UTC(2018, 0, 1 + Math.floor(index / 96))).toISOString();
  const minutes = ((index % 96) + 1) * 15;
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(Math.floor(minutes / 60) % 24)}:${two(minutes % 60)}`;
  return `${day.slice(8, 10)}/${day.slice(5, 7)}/${day.slice(0, 4)} ${clock}`;
}
