import { expect, test } from "vitest";
import { FAULT_KINDS, type FaultWhat } from "../../hw-sim/faults/catalogue.ts";
import { faultyMeter } from "../../hw-sim/faults/meterFaults.ts";
import type { Fault } from "../../hw-sim/faults/schedule.ts";
import type { SimMeter } from "../../hw-sim/meters/simMeter.ts";
import type { LoadSpec } from "../../hw-sim/simConfig.ts";
import { truthLines } from "../../hw-sim/truthFile.ts";
import { local, MODELS, meterOf } from "../hw-sim/fixture.ts";
import { booksOf, INTERVAL_ms, type Reader } from "./books.fixture.ts";
import type { BookInterval } from "./books.ts";
import { type CompareOptions, compareBooks, type Finding } from "./compareBooks.ts";
import { FAULT_EXCUSES, loss, outage } from "./excuses.ts";
import type { TruthEntry } from "./truthLog.ts";

const FROM = local("2026-03-02T06:00");
const TO = FROM + 12 * INTERVAL_ms;
const POLL_ms = 10_000;
const LINE: LoadSpec = { shape: "two-shift", peak_W: 400_000 };

const pm5000 = () =>
  meterOf({ model: "schneider-pm5000", name: "line", load: LINE, since: "2025-06-01", start: 4711.5 });

function truthOf(meter: SimMeter): readonly TruthEntry[] {
  const boundaries = Array.from({ length: 13 }, (_, at) => FROM + at * INTERVAL_ms);
  return boundaries.flatMap((at) => truthLines([{ meters: [meter] }], at));
}

function fault(kind: string, from: number, to: number | null): readonly TruthEntry[] {
  const of = (at: number, state: "begin" | "end") => ({
    at: new Date(at).toISOString(),
    fault: { id: "f1", kind, line: 0, unit: 1, connection: null, state },
  });
  return [of(from, "begin"), ...(to === null ? [] : [of(to, "end")])];
}

const reader = (meter: SimMeter, more: Partial<Reader> = {}): Reader => ({
  ...{ meter, carrier: "electricity", from_ms: FROM, to_ms: TO, poll_ms: POLL_ms },
  ...more,
});

const options: CompareOptions = {
  from_ms: FROM,
  to_ms: TO,
  interval_ms: INTERVAL_ms,
  poll_ms: POLL_ms,
  models: MODELS,
};

const check = (truth: readonly TruthEntry[], books: readonly BookInterval[], more: Partial<CompareOptions> = {}) =>
  compareBooks(truth, books, { ...options, ...more });
const kinds = (findings: readonly Finding[]) => findings.map(({ kind }) => kind);

const isImport = (row: BookInterval) => row.quantity === "active_energy_import_total";
/** Changes the n-th interval of the import. */
function mutated(books: readonly BookInterval[], n: number, change: (row: BookInterval) => readonly BookInterval[]) {
  const target = books.filter(isImport)[n]!;
  return books.flatMap((row) => (row === target ? change(row) : [row]));
}

const sound = booksOf(reader(pm5000()));
const truth = truthOf(pm5000());

test("the books of a gateway that polls on the boundaries agree with the truth to the tick", () => {
  const meter = pm5000();
  expect(sound.filter(isImport)).toHaveLength(12);
  const registerAt: CompareOptions["registerAt"] = (_meter, fc, address, count, at_ms) => {
    const words = meter.read(fc, address, count, at_ms);
    return words instanceof Uint16Array ? words : null;
  };
  expect(check(truth, sound, { registerAt })).toEqual([]);
});

test.each(["eastron-sdm630", "carlo-gavazzi-em340-et340", "schneider-iem3155-iem3255", "janitza-umg96rm"])(
  "so do those of a %s, floats to half a step",
  (model) => {
    const meter = meterOf({ model, name: "line", load: LINE, since: "2025-06-01" });
    expect(check(truthOf(meter), booksOf(reader(meter)))).toEqual([]);
  },
);

test("polls beside the boundaries are within what can flow between two of them", () => {
  const meter = pm5000();
  const books = booksOf(reader(meter, { from_ms: FROM - 4321, to_ms: TO + POLL_ms })).filter(
    (row) => row.from_ms >= FROM,
  );
  expect(
    check(
      truth,
      books.filter((row) => row.to_ms <= TO),
    ),
  ).toEqual([]);
});

test.each<[string, (row: BookInterval) => readonly BookInterval[], Finding["kind"], RegExp]>([
  [
    "an interval is missing",
    () => [],
    "missing",
    /line active_energy_import_total 2026-03-01T23:15Z to .*no row and no reason; truly counted \d+/,
  ],
  ["an interval is doubled", (row) => [row, row], "twice", /booked twice: \d+ Wh and \d+ Wh/],
  [
    "an interval is one tick too high",
    (row) => [{ ...row, ticks: row.ticks! + 1n }],
    "energy",
    /booked (\d+) Wh since .*truly \d+ \(to the tick\)/,
  ],
  ["an interval is one tick too low", (row) => [{ ...row, ticks: row.ticks! - 1n }], "energy", /to the tick/],
  [
    "a hole without cause",
    (row) => [{ ...row, ticks: null, flag: "X", cause: null }],
    "no-reason",
    /marked X \(nothing\) without a cause/,
  ],
  [
    "a hole with an invented cause",
    (row) => [{ ...row, ticks: null, flag: "X", cause: "meter-silent" }],
    "unexplained",
    /marked X for "meter-silent", but nothing happened then/,
  ],
  ["an estimate nobody needed", (row) => [{ ...row, flag: "S", cause: "meter-silent" }], "unexplained", /marked S/],
  [
    "a lower bound above the truth",
    (row) => [{ ...row, flag: "X", cause: "meter-silent", ticks: row.ticks! * 2n }],
    "lower-bound",
    /lower bound of \d+ Wh is above/,
  ],
  ["half an interval", (row) => [{ ...row, to_ms: row.to_ms - 60_000 }], "misaligned", /not an interval of 15 min/],
  [
    "a count that does not join",
    (row) => [{ ...row, opening: { ...row.opening!, count: row.opening!.count + 5n } }],
    "chain",
    /opens at count|between the counts/,
  ],
])("caught: %s", (_name, change, kind, text) => {
  const findings = check(truth, mutated(sound, 1, change));
  expect(kinds(findings)).toContain(kind);
  expect(findings.find((one) => one.kind === kind)?.text).toMatch(text);
  expect(new Set(findings.map(({ quantity }) => quantity))).toEqual(new Set(["active_energy_import_total"]));
});

test("caught: two intervals that share an error which cancels", () => {
  const shifted = mutated(
    mutated(sound, 4, (row) => [{ ...row, ticks: row.ticks! + 3n }]),
    5,
    (row) => [{ ...row, ticks: row.ticks! - 3n }],
  );
  expect(kinds(check(truth, shifted))).toContain("energy");
});

test("caught: evidence that the meter never showed", () => {
  const meter = pm5000();
  const registerAt: CompareOptions["registerAt"] = (_meter, fc, address, count, at_ms) =>
    meter.read(fc, address, count, at_ms) as Uint16Array;
  const forged = mutated(sound, 3, (row) => [
    { ...row, closing: { ...row.closing!, words: { ...row.closing!.words!, hex: "0000000000000001" } } },
  ]);
  expect(check(truth, forged, { registerAt }).map(({ text }) => text)).toEqual([
    expect.stringMatching(/keeps the words 0000000000000001 of .*, when the meter showed [0-9a-f]{16}/),
  ]);
});

test("caught: a meter the truth does not know, and one the books forgot", () => {
  const stranger = sound.map((row) => ({ ...row, meter: "nobody" }));
  expect(kinds(check(truth, stranger))).toEqual(["unknown-meter", "missing"]);
});

const DOWN_FROM = FROM + 3 * INTERVAL_ms + 200_000;
const DOWN_TO = FROM + 6 * INTERVAL_ms + 100_000;
const isDown = (at: number) => at >= DOWN_FROM && at < DOWN_TO;

test("a silent meter: shares are estimated, the sum is exact at its end; without the fault nothing excuses it", () => {
  const meter = pm5000();
  const books = booksOf(reader(meter, { isSilent: isDown }));
  expect(books.filter(isImport).some(({ flag }) => flag === "S")).toBe(true);
  expect(check([...truth, ...fault("silent", DOWN_FROM, DOWN_TO)], books)).toEqual([]);
  expect(check(truth, books, { happenings: [outage(DOWN_FROM, DOWN_TO)] })).toEqual([]);
  expect(new Set(kinds(check(truth, books)))).toEqual(new Set(["unexplained"]));
});

test("caught: energy lost in a silence that is excused", () => {
  const books = booksOf(reader(pm5000(), { isSilent: isDown }));
  const stolen = mutated(books, 4, (row) => [{ ...row, ticks: row.ticks! - 1n, opening: null, closing: null }]);
  expect(kinds(check([...truth, ...fault("silent", DOWN_FROM, DOWN_TO)], stolen))).toEqual(["energy"]);
});

test("rows may be absent where a loss was reported, or while the meter has not been read since", () => {
  const lost = mutated(sound, 5, () => []);
  const at = sound.filter(isImport)[5]!;
  expect(check(truth, lost, { happenings: [loss(at.from_ms + 1, at.to_ms - 1)] })).toEqual([]);
  const stopped = booksOf(reader(pm5000(), { isSilent: (at_ms) => at_ms >= DOWN_FROM }));
  expect(check([...truth, ...fault("silent", DOWN_FROM, null)], stopped)).toEqual([]);
  expect(new Set(kinds(check([...truth, ...fault("silent", DOWN_FROM, DOWN_TO)], stopped)))).toEqual(
    new Set(["missing"]),
  );
});

const RESET_AT = FROM + 4 * INTERVAL_ms + 333_000;
const marks = (meter: SimMeter, kind: "register-reset" | "rollover") => {
  const what: FaultWhat = kind === "rollover" ? { kind, quantity: null } : { kind };
  const one: Fault = {
    id: "f1",
    on: { line: 0, unit: 1, connection: null },
    what,
    given_ms: -Infinity,
    from_ms: RESET_AT,
    for_ms: Number.POSITIVE_INFINITY,
    every_ms: null,
    probability: 1,
    removed_ms: Number.POSITIVE_INFINITY,
  };
  const list = [one];
  const faulty = faultyMeter(meter, () => list);
  const entries = Array.from({ length: 13 }, (_, at) => FROM + at * INTERVAL_ms).flatMap((at) =>
    truthLines([{ meters: [meter] }], at, (_line, _unit, when) => faulty.shown(when)),
  );
  return { faulty, entries: [...entries, ...fault(kind, RESET_AT, null)] };
};

test("a register that was reset is a gap; counted as consumption it is caught", () => {
  const meter = pm5000();
  const { faulty, entries } = marks(meter, "register-reset");
  const books = booksOf(reader(meter, { through: faulty }));
  expect(books.filter(isImport).map(({ flag }) => flag)).toContain("X");
  expect(check(entries, books)).toEqual([]);
  const wrapped = mutated(books, 4, (row) => [
    { ...row, flag: "M", cause: null, ticks: 2n ** 32n, opening: null, closing: null },
  ]);
  expect(kinds(check(entries, wrapped))).toContain("lower-bound");
  const asMeasured = mutated(books, 4, (row) => [
    { ...row, flag: "M", cause: null, ticks: 0n, opening: null, closing: null },
  ]);
  expect(kinds(check(entries, asMeasured))).toContain("energy");
});

test("a counter that rolls over explains nothing and costs nothing", () => {
  const meter = meterOf({ model: "carlo-gavazzi-em340-et340", name: "line", load: LINE, since: "2025-06-01" });
  const { faulty, entries } = marks(meter, "rollover");
  const books = booksOf(reader(meter, { through: faulty }));
  expect(books.filter(isImport).every(({ flag }) => flag === "M")).toBe(true);
  expect(check(entries, books)).toEqual([]);
  const lost = mutated(books, 4, (row) => [{ ...row, flag: "X", cause: "counter-reset", ticks: null }]);
  expect(kinds(check(entries, lost))).toContain("unexplained");
});

test("a serial number that was read with its words swapped explains another meter until it is read next, and nothing else", () => {
  const END = FROM + 3 * INTERVAL_ms + 120_000;
  const swapped = fault("word-order", END - 88_000, END);
  const booksWith = (model: string, n: number, cause: BookInterval["cause"]) => {
    const meter = meterOf({ model, name: "line", load: LINE, since: "2025-06-01" });
    const books = mutated(booksOf(reader(meter)), n, (row) => [{ ...row, flag: "X", cause }]);
    return kinds(check([...truthOf(meter), ...swapped], books));
  };
  expect(booksWith("eastron-sdm630", 4, "meter-replaced")).toEqual([]);
  expect(booksWith("eastron-sdm630", 4, "counter-reset")).toEqual(["unexplained"]);
  expect(booksWith("eastron-sdm630", 6, "meter-replaced")).toEqual(["unexplained"]);
  // Its serial number is a text, or is not read.
  expect(booksWith("carlo-gavazzi-em340-et340", 4, "meter-replaced")).toEqual(["unexplained"]);
});

test("every kind of fault has its excuse", () => {
  expect(Object.keys(FAULT_EXCUSES).sort()).toEqual([...FAULT_KINDS].sort());
});
