import { loadFactors } from "../../config/factors.ts";
import { divideHalfEven } from "../../core/emission/decimal.ts";
import { type Emitter, openEmissions } from "../../core/emission/emission.ts";
import { openAccount, takeReading } from "../../core/interval/counterAccount.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { CounterDefinition } from "../../core/model/deviceDefinition.ts";
import { type Bench, type BenchResult, runBench } from "./contest.ts";

const QUARTER_MS = 900_000;
const QUARTERS_PER_YEAR = 35_040;
const FROM_MS = Date.parse("2023-01-01T00:00:00+07:00");
const KNOWN_AT_MS = Date.parse("2026-11-22T00:00:00+07:00");
/** What the issue asks: a year of quarter hours of a thousand meters. */
const METERS = 1000;
const INTERVALS_PER_TURN = 2000;

interface BenchMeter {
  readonly emitter: Emitter;
  readonly counter: CounterDefinition;
}

/** Eight electricity meters to a gas and a diesel meter: 1.4 gases an interval. */
const METER_MIX: readonly BenchMeter[] = [
  ...Array.from({ length: 8 }, () => meterOf("electricity", "active_energy_import_total", "1", "Wh")),
  meterOf("natural_gas", "volume_base_total", "0.001", "Nm3"),
  meterOf("diesel", "fuel_used_total", "0.001", "L"),
];

function meterOf(
  carrier: Emitter["carrier"],
  quantity: CounterDefinition["quantity"],
  amount: string,
  unit: CounterDefinition["tick"]["unit"],
): BenchMeter {
  return {
    emitter: { device: "meter", carrier, role: "import", parent: null, ncv_MJ_per_Nm3: null },
    counter: {
      quantity,
      tick: { amount, unit },
      modulus: null,
      rateMax_ticks_per_s: 1e6,
      float32_ticks_per_unit: null,
      accounted: true,
      poll_ms: 900_000,
    },
  };
}

/** Figures of a counter that runs unevenly, without chance. */
const ticksAt = (at: number): bigint => BigInt(20_000 + ((at * 7919) % 61_001));

export const account: Bench = {
  summary:
    "accounting: a year of 15-minute intervals of 1,000 meters, from intervals and from readings, to milligrams per gas",
  limit: "the bare product and half-even division of the same integers, summed: no lookup, no entry, no boundary",
  async open() {
    const { factors } = loadFactors();
    const runs = METER_MIX.map(({ emitter, counter }) => ({
      counter,
      run: openEmissions(emitter, factors, KNOWN_AT_MS),
    }));
    const intervals = METER_MIX.map(({ counter }) =>
      Array.from({ length: INTERVALS_PER_TURN }, (_, at): Interval => intervalOf(counter, at)),
    );
    let sink = 0n;

    const fromIntervals = (): number => {
      for (const [at, { run }] of runs.entries()) {
        for (const interval of intervals[at]!) {
          const result = run(interval);
          if (result.kind === "emissions") for (const { mg } of result.entries) sink += mg;
        }
      }
      return runs.length * INTERVALS_PER_TURN;
    };

    const fromReadings = (): number => {
      for (const [at, { counter, run }] of runs.entries()) {
        const book = openAccount("meter", counter, QUARTER_MS, "Asia/Ho_Chi_Minh");
        let count = 0n;
        for (let step = 0; step <= INTERVALS_PER_TURN; step++) {
          const reading = { at_ms: FROM_MS + step * QUARTER_MS, count, meterSerial: null };
          for (const interval of takeReading(book, reading)) {
            const result = run(interval);
            if (result.kind === "emissions") for (const { mg } of result.entries) sink += mg;
          }
          count += ticksAt(at + step);
        }
      }
      return runs.length * INTERVALS_PER_TURN;
    };

    const bare = (): number => {
      for (const series of intervals) {
        for (const { ticks } of series) sink += divideHalfEven((ticks ?? 0n) * 6592n, 10n);
      }
      return runs.length * INTERVALS_PER_TURN;
    };

    return {
      contests: [
        { name: "intervals_per_s", ours: fromIntervals, limit: bare },
        { name: "readings_per_s", ours: fromReadings, limit: bare },
      ],
      async close() {
        if (sink === 0n) throw new Error("nothing was accounted");
      },
    };
  },
};

function intervalOf(counter: CounterDefinition, at: number): Interval {
  const from_ms = FROM_MS + at * QUARTER_MS;
  return {
    device: "meter",
    quantity: counter.quantity,
    from_ms,
    to_ms: from_ms + QUARTER_MS,
    tick: counter.tick,
    ticks: ticksAt(at),
    flag: "M",
    coverage: 1,
    pollsExpected: 1,
    pollsAnswered: 1,
    cause: null,
    opening: null,
    closing: null,
  };
}

/** The rates, and what they make of the year: seconds on one core. */
export async function runAccount(): Promise<BenchResult> {
  const result = await runBench("account", account);
  const year = (rates: Readonly<Record<string, number>>, name: string): number =>
    Number(((METERS * QUARTERS_PER_YEAR) / rates[name]!).toPrecision(3));
  return {
    ...result,
    ours: {
      ...result.ours,
      year_of_1000_meters_from_intervals_s: year(result.ours, "intervals_per_s"),
      year_of_1000_meters_from_readings_s: year(result.ours, "readings_per_s"),
    },
    limit: { ...result.limit, year_of_1000_meters_from_intervals_s: 60, year_of_1000_meters_from_readings_s: 60 },
  };
}
