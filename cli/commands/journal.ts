import { existsSync } from "node:fs";
import { join } from "node:path";
import { type InspectedRecord, type Inspection, inspectJournal } from "../../agent/journal/inspect.ts";
import { EXPORT_COLUMNS, type ExportKind, type Row, rowsOf } from "../../agent/journal/rows.ts";
import { sqliteDisk } from "../../agent/journal/sqliteDisk.ts";
import { parseInstant } from "../../cloud/api/time.ts";
import { loadAgentConfig } from "../../config/load.ts";
import { nearest } from "../../config/nearest.ts";
import { KhuXanhError } from "../../core/errors.ts";
import { type Arguments, type Command, noMoreThan, optional, required, usage, wholeNumber } from "../command.ts";

const KINDS = Object.keys(EXPORT_COLUMNS) as ExportKind[];
const LABELS = {
  readings: "reading",
  intervals: "interval",
  emissions: "emission",
  losses: "loss",
  raw: "raw",
} as const satisfies Record<ExportKind, string>;
const FORMATS = ["csv", "ndjson"] as const;
const OPTIONS: Readonly<Record<"status" | "tail" | "export", readonly string[]>> = {
  status: ["config", "json"],
  tail: ["config", "lines", "kind", "device", "json"],
  export: ["config", "kind", "format", "from", "to", "device"],
};

const command: Command = {
  summary: "what a gateway holds: status, the newest records, export as CSV or NDJSON",
  help: `
khuxanh journal status --config FILE [--json]
khuxanh journal tail   --config FILE [--lines 20] [--kind KIND] [--device ID] [--json]
khuxanh journal export --config FILE [--kind KIND] [--format csv|ndjson] [--from TIME] [--to TIME] [--device ID]

  --config FILE   agent.yaml; its agent may be running meanwhile, nothing is written or locked
  --kind KIND     ${KINDS.join(" | ")}; export shows readings if none is given, tail shows all
  --from, --to    a local day such as 2026-11-01 (the gateway's midnight), or ISO 8601 with offset; to is not included.
                  Readings by their instant, intervals and emissions by their start, losses by the time they were noted
  --format        csv (RFC 4180, UTF-8, a line of names first) or ndjson (an object a line)

Columns, in this order; later versions add at the end:
${KINDS.map((kind) => `  ${kind.padEnd(10)} ${EXPORT_COLUMNS[kind].join(", ")}`).join("\n")}
Times are UTC. Counters and intervals are in the unit beside them, emissions in whole milligrams; what is unknown is empty (null).
"batch" is the number the collector confirms; below 1 it had another number in an epoch before.`,
  options: {
    config: { type: "string" },
    json: { type: "boolean" },
    lines: { type: "string" },
    kind: { type: "string" },
    format: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    device: { type: "string" },
  },
  async run(args) {
    const [what] = args.positionals;
    if (what !== "status" && what !== "tail" && what !== "export") {
      throw usage(
        what === undefined
          ? "journal needs status, tail or export"
          : `journal ${what}: there is only status, tail and export`,
      );
    }
    noMoreThan(args, 1);
    for (const name of Object.keys(args.values)) {
      if (!OPTIONS[what].includes(name)) throw usage(`journal ${what} takes no --${name}`);
    }
    const config = loadAgentConfig(required(args, "config"));
    const dir = join(config.data_dir, "journal");
    if (!existsSync(dir)) {
      throw new KhuXanhError("NOT_FOUND", `there is no journal in ${config.data_dir}`, {
        hint: "The agent of this file has not run here yet, or its disk has taken nothing so far: it begins the journal when it may.",
      });
    }
    const journal = inspectJournal(sqliteDisk(dir));
    if (what === "status") status(journal, args.values.json === true);
    else if (what === "tail") tail(journal, args);
    else await exportAll(journal, args, config.time_zone);
    return 0;
  },
};

function status(journal: Inspection, isJson: boolean): void {
  const { epoch, nextNumber, unconfirmed, bytes, segments, setAside, lost, gaveWay } = journal;
  const oldest_ms = journal.oldestUnconfirmed_ms();
  const oldest = oldest_ms === null ? null : new Date(oldest_ms).toISOString();
  const losses: Row[] = [];
  for (const record of journal.records())
    if (record.kind === "node") losses.push(...rowsFor(journal, "losses", record));
  if (isJson) {
    const of = { epoch, batches: nextNumber - 1, unconfirmed, oldest_unconfirmed: oldest, bytes, segments, lost };
    const named = losses.map((row) => objectOf("losses", row));
    const { damaged, unreadable } = journal;
    const damage = { set_aside: setAside, damaged, unreadable };
    process.stdout.write(`${JSON.stringify({ ...of, gave_way: gaveWay, losses: named, ...damage }, null, 2)}\n`);
    return;
  }
  const lines = [
    ["epoch", epoch ?? "unknown: the newest file cannot be read; the agent saves what is sound at its next start"],
    ["batches", `${nextNumber - 1} numbered, ${unconfirmed} not confirmed`],
    ["oldest", oldest ?? (unconfirmed === 0 ? "every batch is confirmed" : "what is not confirmed cannot be read")],
    ["size", `${(bytes / 1024 ** 2).toFixed(1)} MiB in ${segments} ${segments === 1 ? "file" : "files"}`],
    ["gave way", gaveWay ?? "nothing"],
    ["lost", lost === 0 ? "nothing" : `${lost}, in ${losses.length} ${losses.length === 1 ? "record" : "records"}`],
    ...losses.slice(-5).map((row) => ["", lossText(row)]),
    ["set aside", setAside.length === 0 ? "nothing" : setAside.join(", ")],
    ...(journal.damaged.length === 0 ? [] : [["damaged", `${journal.damaged.join(", ")}: ${SAVED_WHEN}`]]),
    ...(journal.unreadable.files + journal.unreadable.chunks === 0
      ? []
      : [["unreadable", `${unreadableText(journal)}; ${NAMED_WHEN}`]]),
  ];
  process.stdout.write(`${lines.map(([name, text]) => `${name!.padEnd(11)}${text}`).join("\n")}\n`);
}

function lossText([noted, from, to, device, count, what, why]: Row): string {
  const of = device ?? "the gateway";
  const lost =
    what === "history"
      ? `${count} confirmed batches of ${of}'s own history (delivered before)`
      : `${count} ${what} of ${of}`;
  return `${noted}: ${lost}, ${from} to ${to}: ${why}`;
}

const SAVED_WHEN = "what is sound in it is shown; the agent saves that and sets the file aside when it comes across it";
/** The agent looks through the newest file at every start, through another when it reads from it. */
const NAMED_WHEN =
  "what is missing is a loss record after the agent's next start, of an older file than the newest when the agent reads it";

function unreadableText({ unreadable: { files, chunks } }: Inspection): string {
  return `${files} ${files === 1 ? "file" : "files"} and ${chunks} ${chunks === 1 ? "chunk" : "chunks"}`;
}

function tail(journal: Inspection, args: Arguments): void {
  const lines = wholeNumber(args, "lines", 20, 1, 100_000);
  const kind = choice(args, "kind", KINDS);
  const device = optional(args, "device");
  const kindsIn = (record: InspectedRecord): readonly ExportKind[] =>
    kindsOf(record).filter((one) => (kind === undefined ? one !== "raw" : one === kind));
  // Records of the node that are no losses have no row.
  const wanted = (record: InspectedRecord): boolean =>
    (device === undefined || record.device === device) &&
    kindsIn(record).some((one) => one !== "losses" || rowsFor(journal, one, record).length > 0);
  const rows = journal
    .newest(lines, wanted)
    .flatMap((record) => kindsIn(record).flatMap((one) => rowsFor(journal, one, record).map((row) => ({ one, row }))))
    .slice(-lines);
  if (args.values.json === true) {
    const objects = rows.map(({ one, row }) => ({ record: LABELS[one], ...objectOf(one, row) }));
    process.stdout.write(`${JSON.stringify(objects, null, 2)}\n`);
    return;
  }
  const text = rows.map(({ one, row }) => `${LABELS[one].padEnd(9)} ${row.map((cell) => cell ?? "-").join("  ")}`);
  process.stdout.write(text.length === 0 ? "nothing of this kind is held\n" : `${text.join("\n")}\n`);
}

async function exportAll(journal: Inspection, args: Arguments, timeZone: string): Promise<void> {
  const kind = choice(args, "kind", KINDS) ?? "readings";
  const format = choice(args, "format", FORMATS) ?? "csv";
  const device = optional(args, "device");
  const from_ms = instant(args, "from", timeZone) ?? Number.NEGATIVE_INFINITY;
  const to_ms = instant(args, "to", timeZone) ?? Number.POSITIVE_INFINITY;
  if (from_ms >= to_ms) throw usage("--from is not before --to", "Give a period that ends after it begins.");
  const columns = EXPORT_COLUMNS[kind];
  if (format === "csv") await write(`${columns.join(",")}\r\n`);
  let waiting = "";
  for (const record of journal.records()) {
    if (record.to_ms < from_ms || record.from_ms >= to_ms || (device !== undefined && record.device !== device))
      continue;
    for (const row of rowsFor(journal, kind, record)) {
      const at_ms = Date.parse(String(row[0]));
      if (at_ms < from_ms || at_ms >= to_ms) continue;
      waiting += format === "csv" ? `${row.map(csvCell).join(",")}\r\n` : `${JSON.stringify(objectOf(kind, row))}\n`;
    }
    if (waiting.length < WRITE_CHARS) continue;
    await write(waiting);
    waiting = "";
  }
  await write(waiting);
  if (journal.damaged.length > 0)
    process.stderr.write(`khuxanh: ${journal.damaged.join(", ")}: damaged; ${SAVED_WHEN}\n`);
  const { files, chunks } = journal.unreadable;
  if (files + chunks > 0) {
    process.stderr.write(`khuxanh: ${unreadableText(journal)} could not be read; ${NAMED_WHEN} (--kind losses)\n`);
  }
}

const WRITE_CHARS = 64 * 1024;

/** No faster than whoever reads the pipe; a reader that went away ends the export. */
function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error == null ? resolve() : reject(error)));
  });
}

function rowsFor(journal: Inspection, kind: ExportKind, record: InspectedRecord): Row[] {
  const definitionNow = (device: string) => {
    const hash = journal.getState(`definition:${device}`);
    return hash === null ? null : journal.definition(hash);
  };
  return rowsOf(kind, record, (hash) => journal.definition(hash), definitionNow);
}

function kindsOf({ kind }: InspectedRecord): readonly ExportKind[] {
  if (kind === "sample") return ["readings", "raw"];
  return kind === "content" ? ["intervals", "emissions"] : ["losses"];
}

function objectOf(kind: ExportKind, row: Row): Record<string, unknown> {
  return Object.fromEntries(EXPORT_COLUMNS[kind].map((column, i) => [column, row[i] ?? null]));
}

/** RFC 4180: quotes around what holds a comma, a quote or an end of line. */
function csvCell(value: Row[number]): string {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function choice<T extends string>(args: Arguments, name: string, allowed: readonly T[]): T | undefined {
  const value = optional(args, name);
  const found = allowed.find((one) => one === value);
  if (value === undefined || found !== undefined) return found;
  const near = nearest(value, allowed);
  throw usage(
    `--${name} is ${value} (allowed: ${allowed.join(", ")})`,
    near === undefined ? undefined : `Did you mean ${near}?`,
  );
}

function instant(args: Arguments, name: string, timeZone: string): number | undefined {
  const text = optional(args, name);
  if (text === undefined) return undefined;
  const at_ms = parseInstant(text, timeZone);
  if (at_ms === null)
    throw usage(`--${name} is ${text}`, "Give a local day such as 2026-11-01, or ISO 8601 with offset.");
  return at_ms;
}

export default command;
