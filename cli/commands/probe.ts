import { existsSync, writeFileSync } from "node:fs";
import { openOwnedBus } from "../../agent/local/agentBus.ts";
import { resolveModel } from "../../config/models.ts";
import { parseBusUrl } from "../../config/notation/busUrl.ts";
import { parseDuration } from "../../config/notation/duration.ts";
import { type ErrorCode, KhuXanhError } from "../../core/errors.ts";
import type { MeterModel, Register } from "../../core/model/meterModel.ts";
import type { Bus } from "../../core/ports.ts";
import { type Diagnosis, diagnose } from "../../drivers/diagnose.ts";
import {
  type ModelReadings,
  type ProbeOptions,
  type ProbeResult,
  probeResult,
  readModel,
  withRegisters,
} from "../../drivers/probe.ts";
import { isMain, snapshotOf } from "../../drivers/scan/snapshot.ts";
import {
  feedsInEverywhere,
  type Nameplate,
  tellsWiring,
  type WiringFinding,
  type WiringReading,
  wiring,
} from "../../drivers/wiring.ts";
import { captureText } from "../../hw-sim/replay/capture.ts";
import { captureRows, type RecordedExchange, recordingBus } from "../../hw-sim/replay/record.ts";
import { type Arguments, type Command, optional, required, usage } from "../command.ts";
import { systemClock, systemTimers } from "../io/system.ts";
import { table } from "./models.ts";

const command: Command = {
  summary: "read one meter once, and say what looks wrong",
  help: `
khuxanh probe URL --model ID_OR_FILE [--timeout 1s] [--record FILE] [--json]
khuxanh probe URL --model ID_OR_FILE --wiring [--rated-power 400kW] [--rated-current 600A] [--json]

  URL              tcp://host[:502]?unit=1
                   rtu:///dev/ttyUSB0?baud=9600&parity=none&stop=1&unit=1
                   rtu+tcp://host:port?unit=1
  --model          id of the library (khuxanh models) or a model file
  --timeout        how long to wait for each answer
  --wiring         read the meter several times and look for wiring mistakes: reversed or exchanged current transformers, phase
                   order, CT ratio, a missing phase, neutral exchanged with a phase, a gateway that answers zeros
  --record         write the words the meter gave to a new CSV file; \`khuxanh sim --replay FILE\` serves them elsewhere
  --rated-power    what the connected plant can draw, for the CT ratio; --rated-current likewise

Reads every register of the model, and nothing else; it never writes. Where values look wrong, the usual mistakes are tried:
addresses one off, word order, function code, a decade. A bus that a running agent polls is read through that agent, between
its polls. Exit code 1 if no register could be read, and stderr says why.`,
  options: {
    model: { type: "string" },
    timeout: { type: "string" },
    record: { type: "string" },
    wiring: { type: "boolean" },
    "rated-power": { type: "string" },
    "rated-current": { type: "string" },
    json: { type: "boolean" },
  },
  async run(args) {
    const written = args.positionals[0];
    if (written === undefined) throw usage("the URL of the meter is missing", "e.g. tcp://192.168.1.5:502?unit=1");
    const url = parseBusUrl(written);
    if (!url.ok) throw usage(url.problem);
    const model = resolveModel(required(args, "model"));
    const timeout = parseDuration(optional(args, "timeout") ?? "1s");
    if (!timeout.ok) throw usage(`--timeout: ${timeout.problem}`);
    const plate = nameplate(args);
    const record = optional(args, "record");
    if (record !== undefined && existsSync(record))
      throw usage(`--record: ${record} is there already`, "Choose a new name.");
    const at = new Date(systemClock.now_ms()).toISOString();
    const unit = url.value.unit ?? model.defaults.unit_id ?? 1;
    const options = { timeout_ms: timeout.value, wait };
    const bus = await openOwnedBus(url.value);
    try {
      const exchanged: RecordedExchange[] = [];
      const heard = record === undefined ? bus : recordingBus(bus, systemClock.now_ms, exchanged);
      const own = await readModel(heard, unit, model, options);
      if (record !== undefined) keepCapture(record, exchanged, own, model.id);
      const { exchanges, readings, unread } = probeResult(own);
      const diagnosis = await diagnose(bus, unit, model, own, options);
      const isAsked = args.values.wiring === true && readings.length > 0;
      // Values of a wrong map say nothing of wires.
      const isMapWrong = diagnosis.some(({ mistake }) => mistake !== "decade" && mistake !== "ct-ratio");
      const often = isAsked && !isMapWrong ? await readOften(bus, unit, model, own, options) : null;
      const found = often === null ? [] : wiring(often, plate);
      // No finding in what was not told, or not every time, is no clean bill.
      const isJudged = often !== null && (found.length > 0 || (often.length === READINGS && tellsWiring(often)));
      const findings = isJudged ? found : null;
      const document = {
        ...{ model: model.id, url: written, at, exchanges, readings, unread, diagnosis },
        ...(isAsked ? { wiring: findings } : {}),
      };
      const notJudged = isMapWrong ? NOT_JUDGED : TOLD_TOO_LITTLE;
      const wired = () => (isAsked && findings === null ? notJudged : wiringText(findings, often));
      const text = () => `${readingsText({ exchanges, readings, unread })}${diagnosisText(diagnosis)}${wired()}`;
      process.stdout.write(args.values.json === true ? `${JSON.stringify(document, null, 2)}\n` : text());
      if (readings.length === 0) throw nothingRead(written, unit, unread.at(-1)?.why ?? "the model has no registers");
      return 0;
    } finally {
      await bus.close();
    }
  },
};

/** Nothing heard leaves no file: why is said on stderr in a moment. */
function keepCapture(
  file: string,
  exchanged: readonly RecordedExchange[],
  { readings }: ModelReadings,
  device: string,
): void {
  const rows = captureRows(exchanged, readings, device);
  if (rows.length === 0) return;
  try {
    writeFileSync(file, captureText(rows), { flag: "wx" });
  } catch (cause) {
    throw new KhuXanhError("DISK_UNUSABLE", `cannot write ${file}`, {
      hint: "Choose a folder you may write to.",
      context: { file },
      cause,
    });
  }
}

/** What no register could be read for, by how the reason begins (`ProbeResult.unread`). */
const FAILURES: readonly (readonly [why: RegExp, code: ErrorCode, hint: string])[] = [
  [
    /^exception 1[01]\b/,
    "METER_SILENT",
    "The gateway answers, the meter behind it does not: check its unit number, power and wiring; khuxanh scan lists who answers.",
  ],
  [/^timeout/, "METER_SILENT", "Check power, wiring and unit number; khuxanh scan tells which units answer."],
  [/^unreachable/, "BUS_UNREACHABLE", "Check the address and the cable, and that the gateway or serial port is there."],
  [
    /^garbled/,
    "METER_REPLY_GARBLED",
    "Check cable, termination, serial settings, and that no second master is on the line.",
  ],
];

function nothingRead(url: string, unit: number, why: string): KhuXanhError {
  const [, code, hint] = FAILURES.find(([begins]) => begins.test(why)) ?? [
    null,
    "METER_EXCEPTION" as const,
    "Check the model and its firmware; khuxanh scan tells which model fits.",
  ];
  return new KhuXanhError(code, `unit ${unit} at ${url}: no register could be read (${why})`, { hint });
}

function wait(delay_ms: number): Promise<void> {
  return new Promise((resolve) => systemTimers.after(delay_ms, () => resolve()));
}

/** Live values several times, so that a load just switching is no finding. */
const READINGS = 4;
const BETWEEN_MS = 500;

async function readOften(
  bus: Bus,
  unit: number,
  model: MeterModel,
  { unread }: ModelReadings,
  options: ProbeOptions,
): Promise<readonly WiringReading[]> {
  const refused = new Set(unread.map(({ register }) => register.name));
  const live = withRegisters(
    model,
    (register) => isMain(register) && isWiring(register) && !refused.has(register.name),
  );
  const readings: WiringReading[] = [];
  for (let i = 0; i < READINGS; i++) {
    if (i > 0) await wait(BETWEEN_MS);
    const { readings: values } = await readModel(bus, unit, live, options);
    if (values.length > 0) readings.push(snapshotOf(live, values).values);
  }
  return readings;
}

/** What the wiring check looks at. */
function isWiring({ name }: Register): boolean {
  return /^(voltage_l|current_l|active_power_(l\d|total)|reactive_power_l|frequency|phase_sequence|active_energy_(import|export)_total)/.test(
    name,
  );
}

function nameplate(args: Arguments): Nameplate {
  const power_W = rating(args, "rated-power", { W: 1, kW: 1000, MW: 1_000_000 });
  const current_A = rating(args, "rated-current", { A: 1, kA: 1000 });
  return {
    ...(power_W === null ? {} : { rated_power_W: power_W }),
    ...(current_A === null ? {} : { rated_current_A: current_A }),
  };
}

function rating(args: Arguments, name: string, units: Readonly<Record<string, number>>): number | null {
  const text = optional(args, name);
  if (text === undefined) return null;
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text) ?? [];
  const factor = unit === "" ? 1 : units[unit];
  const value = Number(digits) * (factor ?? 0);
  if (!(value > 0)) throw usage(`--${name} is ${text} (allowed: a number with ${Object.keys(units).join(", ")})`);
  return value;
}

function readingsText({ readings, unread, exchanges }: ProbeResult): string {
  const rows = readings.map(({ name, value, unit, quality }) => [
    name,
    value === null ? "–" : String(value),
    unit,
    quality === "good" ? "" : quality,
  ]);
  const values = rows.length === 0 ? "" : table(rows);
  return `${values}${unreadText(unread, rows.length > 0)}${readings.length} read, ${unread.length} not read, ${exchanges} exchanges\n`;
}

/** One line for each reason; names are worth their room only where other registers could be read. */
function unreadText(unread: ProbeResult["unread"], isNamed: boolean): string {
  return [...Map.groupBy(unread, ({ why }) => why)]
    .map(([why, registers]) => {
      const names = isNamed ? ` (${registers.map(({ name }) => name).join(", ")})` : "";
      return `${registers.length} register${registers.length === 1 ? "" : "s"}: ${why}${names}\n`;
    })
    .join("");
}

function diagnosisText(diagnosis: readonly Diagnosis[]): string {
  return diagnosis
    .map(({ why, evidence }) => `\n! ${why.en}\n  ${why.vi}\n${evidence.map((line) => `    ${line}\n`).join("")}`)
    .join("");
}

const NOT_JUDGED = `
wiring: not judged, for the values are not the meter's: mend the model first
đấu dây: chưa xét, vì các giá trị chưa đúng của công tơ: hãy sửa mô hình trước
`;

const TOLD_TOO_LITTLE = `
wiring: not judged, for power and current could not be read, or not every time
đấu dây: chưa xét, vì không đọc được công suất và dòng điện, hoặc không phải lần nào cũng đọc được
`;

const FEEDS_IN = `
wiring: power flows into the grid on all three phases. Right where something generates; else the current transformers are turned
  round, or all moved on by one phase: compare with the display, or look again when nothing generates
đấu dây: công suất chảy lên lưới ở cả ba pha. Đúng nếu có nguồn phát; nếu không thì các biến dòng (CT) lắp ngược hoặc cùng lệch một
  pha: đối chiếu với màn hình công tơ, hoặc đo lại khi không phát
`;

function wiringText(findings: readonly WiringFinding[] | null, often: readonly WiringReading[] | null): string {
  if (findings === null || often === null) return "";
  if (findings.length === 0) {
    return feedsInEverywhere(often) ? FEEDS_IN : "\nwiring: nothing found / đấu dây: không thấy lỗi\n";
  }
  return findings
    .map(
      ({ fault, certainty, why }) =>
        `\n! wiring: ${fault}${certainty === "possible" ? " (possible)" : ""}\n  ${why.en}\n  ${why.vi}\n`,
    )
    .join("");
}

export default command;
