import { openOwnedBus } from "../../agent/local/agentBus.ts";
import { loadModelLibrary } from "../../config/models.ts";
import { type BusUrl, parseBusUrl } from "../../config/notation/busUrl.ts";
import { parseDuration } from "../../config/notation/duration.ts";
import { type FoundUnit, type ScanResult, scan } from "../../drivers/scan/scan.ts";
import { serialCombinations } from "../../drivers/scan/serial.ts";
import { parseUnits, unitRanges } from "../../drivers/scan/units.ts";
import { type Command, optional, usage } from "../command.ts";
import { systemTimers } from "../io/system.ts";
import { table } from "./models.ts";

const command: Command = {
  summary: "find the meters of a bus and what they are",
  help: `
khuxanh scan URL [--units 1-247] [--timeout 500ms] [--json]

  URL         tcp://host[:502]
              rtu:///dev/ttyUSB0[?baud=9600&parity=none]   without baud and parity, those of the library are tried in turn
              rtu+tcp://host:port
  --units     e.g. 1-32 or 1,5,10-12 (default 1-247, or the unit of the URL)
  --timeout   how long to wait for the first answer of a unit: what a silent one costs

Reads only (function codes 3 and 4). A meter is known by its identity registers, else by how plausible its values are when read
through each model of the library; models that fit equally well are listed as candidates. A bus that a running agent polls is
read through that agent, between its polls, with the agent's settings of the line. Exit code 1 if nothing was found.`,
  options: { units: { type: "string" }, timeout: { type: "string" }, json: { type: "boolean" } },
  async run(args) {
    const written = args.positionals[0];
    if (written === undefined) throw usage("the URL of the bus is missing", "e.g. tcp://192.168.1.5:502");
    const url = parseBusUrl(written);
    if (!url.ok) throw usage(url.problem);
    const list = optional(args, "units") ?? (url.value.unit === null ? "1-247" : String(url.value.unit));
    const units = parseUnits(list);
    if (units === null) throw usage(`--units is ${list} (allowed: numbers from 0 to 255, e.g. 1-247 or 1,5,10-12)`);
    const timeout = parseDuration(optional(args, "timeout") ?? "500ms");
    if (!timeout.ok) throw usage(`--timeout: ${timeout.problem}`);

    const result = await scanLines(linesOf(url.value, written), units, timeout.value);
    const document = { url: written, ...result };
    process.stdout.write(args.values.json === true ? `${JSON.stringify(document, null, 2)}\n` : textOf(result));
    return result.found.length > 0 ? 0 : 1;
  },
};

type Line = { readonly address: BusUrl; readonly told: string | null };

/** The line as written, or one for each serial setting of the library that the URL leaves open. */
function linesOf(url: BusUrl, written: string): readonly Line[] {
  if (url.kind !== "rtu") return [{ address: url, told: null }];
  const says = (name: string) => new RegExp(`[?&]${name}=`).test(written);
  if (says("baud") && says("parity")) return [{ address: url, told: null }];
  const open = serialCombinations(loadModelLibrary().values()).filter(
    ({ baud, parity }) => (!says("baud") || baud === url.baud) && (!says("parity") || parity === url.parity),
  );
  if (open.length === 0) return [{ address: url, told: null }];
  return open.map((settings) => ({
    address: { ...url, ...settings, stop_bits: says("stop") ? url.stop_bits : settings.stop_bits },
    told: `baud=${settings.baud}&parity=${settings.parity}`,
  }));
}

/** Pause between reads: RS-485 meters want one (reference meters/README.md), a TCP port hardly. */
const SERIAL_GAP_MS = 50;
const TCP_GAP_MS = 2;
/** A meter that has answered once may take its time later. */
const PATIENCE_MS = 2000;

type Scanned = ScanResult & { readonly serial?: string };

/** One line has one speed: the first setting at which anything answers is the one. */
async function scanLines(lines: readonly Line[], units: readonly number[], timeout_ms: number): Promise<Scanned> {
  const models = [...loadModelLibrary().values()];
  let last: Scanned = { found: [], silent: [], errors: [] };
  for (const { address, told } of lines) {
    const bus = await openOwnedBus(address);
    const bar = progressBar(told);
    try {
      const result = await scan(bus, models, {
        units,
        timeout_ms,
        patience_ms: Math.max(timeout_ms, PATIENCE_MS),
        gap_ms: address.kind === "tcp" ? TCP_GAP_MS : SERIAL_GAP_MS,
        wait: (delay_ms) => new Promise((resolve) => systemTimers.after(delay_ms, () => resolve())),
        onProgress: bar.show,
      });
      // The agent's line has the agent's settings: there is nothing else to try.
      if (bus.through !== null) return result;
      last = told === null ? result : { ...result, serial: told };
      if (result.found.length > 0) return last;
    } finally {
      bar.clear();
      await bus.close();
    }
  }
  return last;
}

const BAR_WIDTH = 24;

/** On a terminal only: a pipe gets results and nothing else. */
function progressBar(told: string | null) {
  const { isTTY } = process.stderr;
  return {
    show({ done, of, found }: { readonly done: number; readonly of: number; readonly found: number }): void {
      if (isTTY !== true) return;
      const filled = Math.round((done / of) * BAR_WIDTH);
      const bar = `${"█".repeat(filled)}${"░".repeat(BAR_WIDTH - filled)}`;
      process.stderr.write(`\r\x1b[K${bar} ${done}/${of} units, ${found} found${told === null ? "" : `  ${told}`}`);
    },
    clear(): void {
      if (isTTY === true) process.stderr.write("\r\x1b[K");
    },
  };
}

const REASONS_SHOWN = 3;

function textOf({ found, silent, errors, serial }: Scanned): string {
  const lines = [
    ...(found.length === 0 ? [] : [table([["unit", "model", "confidence", "because"], ...found.map(rowOf)]).trimEnd()]),
    ...found.flatMap(({ unit, candidates }) =>
      candidates.length === 0
        ? []
        : [
            `unit ${unit} may also be ${candidates.map(({ model, confidence }) => `${model} (${confidence})`).join(", ")}: look at the nameplate`,
          ],
    ),
    ...errors.map(({ unit, why }) => `unit ${unit}: ${why}`),
    `${found.length} found${serial === undefined ? "" : ` at ${serial}`}${silent.length === 0 ? "" : `; silent: ${unitRanges(silent)}`}`,
  ];
  return `${lines.join("\n")}\n`;
}

function rowOf({ unit, model, confidence, matched_by }: FoundUnit): readonly string[] {
  const reasons = matched_by.slice(0, REASONS_SHOWN).join("; ");
  return [
    String(unit),
    model ?? "unknown",
    String(confidence),
    model === null ? "answers, but no model fits" : reasons,
  ];
}

export default command;
