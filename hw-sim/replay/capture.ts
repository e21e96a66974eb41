import { KhuXanhError } from "../../core/errors.ts";
import { crc16 } from "../../drivers/modbus/framing.ts";

/**
 * Captures: words that a real meter gave, as CSV. What `khuxanh probe --record` writes and what people post in issues; columns
 * go by name, in any order, others are passed over:
 *
 *   function            3 or 4
 *   register            protocol address: 0x0156 or 342; a remark in brackets may follow
 *   words               "17258 44790", or word_hi and word_lo, or response_rtu_hex (its CRC is checked)
 *   logged_at           time of day or ISO 8601; without it the n-th value of a register is of second n
 *   device              several devices may share a file: each becomes a unit
 *   unit_id             Modbus unit; else that of response_rtu_hex
 *   count, exception    a read of that many registers was refused with that code
 *   quantity, unit      for people
 *
 * Limits   16 MiB and 200,000 rows
 */
export interface CaptureRow {
  readonly device: string;
  readonly unit: number | null;
  readonly fc: 3 | 4;
  readonly address: number;
  /** From the first row of the file; null = not told. */
  readonly after_ms: number | null;
  readonly said:
    | { readonly kind: "words"; readonly words: readonly number[] }
    | { readonly kind: "exception"; readonly count: number; readonly code: number };
}

const BYTES_MAX = 16 * 1024 * 1024;
const ROWS_MAX = 200_000;
const PROBLEMS_MAX = 10;

/** @throws {KhuXanhError} CONFIG_INVALID with line and reason of the first mistakes. */
export function parseCapture(text: string, file: string): readonly CaptureRow[] {
  if (text.length > BYTES_MAX) throw invalid(file, [`longer than ${BYTES_MAX / 1024 / 1024} MiB`]);
  const [header, ...records] = csvRecords(text.replace(/^﻿/, ""));
  const columns = new Map((header?.fields ?? []).map((name, i) => [name.trim(), i]));
  const problems = columnProblems(columns);
  if (problems.length > 0) throw invalid(file, problems);
  if (records.length > ROWS_MAX) throw invalid(file, [`more than ${ROWS_MAX} rows`]);
  const rows: CaptureRow[] = [];
  let start_ms: number | null = null;
  for (const { line, fields } of records) {
    const cell = (name: string): string => fields[columns.get(name) ?? -1]?.trim() ?? "";
    const row = rowOf(cell);
    if (typeof row === "string") problems.push(`line ${line}: ${row}`);
    else {
      const at_ms = timeOf(cell("logged_at"));
      start_ms ??= at_ms;
      rows.push({ ...row, after_ms: at_ms === null || start_ms === null ? null : Math.max(0, at_ms - start_ms) });
    }
    if (problems.length >= PROBLEMS_MAX) break;
  }
  if (problems.length > 0) throw invalid(file, problems);
  if (rows.length === 0) throw invalid(file, ["no rows"]);
  return rows;
}

function columnProblems(columns: ReadonlyMap<string, number>): string[] {
  const missing = ["function", "register"].filter((name) => !columns.has(name));
  const hasWords = columns.has("words") || columns.has("response_rtu_hex") || columns.has("word_hi");
  return [
    ...missing.map((name) => `there is no column ${name}`),
    ...(hasWords ? [] : ["there is no column words, word_hi and word_lo, or response_rtu_hex"]),
  ];
}

type Cell = (name: string) => string;

/** What is wrong with it, if anything is. */
function rowOf(cell: Cell): Omit<CaptureRow, "after_ms"> | string {
  const fc = cell("function");
  if (fc !== "3" && fc !== "4") return `function ${fc || "(empty)"} (allowed: 3, 4)`;
  const address = Number(/^(0x[0-9a-f]+|\d+)(?=$|\s|\()/i.exec(cell("register"))?.[0] ?? Number.NaN);
  if (!(address >= 0 && address <= 0xffff))
    return `register "${cell("register")}" (allowed: 0 to 65535, 0x0000 to 0xFFFF)`;
  const frame = frameOf(cell("response_rtu_hex"));
  if (typeof frame === "string") return frame;
  const unitText = cell("unit_id");
  const unit = unitText === "" ? (frame?.unit ?? null) : Number(unitText);
  if (unit !== null && !(Number.isInteger(unit) && unit >= 0 && unit <= 255)) return `unit_id "${unitText}"`;
  const said = saidBy(cell, frame?.said ?? null);
  if (typeof said === "string") return said;
  return { device: cell("device"), unit, fc: fc === "3" ? 3 : 4, address, said };
}

function saidBy(cell: Cell, framed: CaptureRow["said"] | null): CaptureRow["said"] | string {
  const code = cell("exception");
  if (code !== "") {
    const count = Number(cell("count") || "1");
    return /^\d{1,3}$/.test(code) && count >= 1
      ? { kind: "exception", count, code: Number(code) }
      : `exception "${code}"`;
  }
  const pair = `${cell("word_hi")} ${cell("word_lo")}`.trim();
  const written = cell("words") || pair;
  if (written === "") return framed ?? "no words";
  const words = written.split(/\s+/).map(Number);
  const wrong = words.find((word) => !(Number.isInteger(word) && word >= 0 && word <= 0xffff));
  return wrong === undefined ? { kind: "words", words } : `words "${written}" (allowed: numbers from 0 to 65535)`;
}

function frameOf(hex: string): { readonly unit: number; readonly said: CaptureRow["said"] } | string | null {
  if (hex === "") return null;
  const bytes = Uint8Array.from(hex.split(/[\s:]+/), (byte) => Number.parseInt(byte, 16));
  const size = bytes.length;
  if (size < 5 || crc16(bytes, 0, size - 2) !== bytes[size - 2]! + 256 * bytes[size - 1]!) {
    return `response_rtu_hex "${hex}" has a wrong CRC`;
  }
  const unit = bytes[0]!;
  if (bytes[1]! > 0x80) return { unit, said: { kind: "exception", count: 1, code: bytes[2]! } };
  const words = Array.from({ length: bytes[2]! >> 1 }, (_, i) => bytes[3 + 2 * i]! * 256 + bytes[4 + 2 * i]!);
  return { unit, said: { kind: "words", words } };
}

/** Times of day count from midnight: a capture is shorter than a day. */
function timeOf(text: string): number | null {
  const [, h, m, s] = /^(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)$/.exec(text) ?? [];
  if (h !== undefined) return Math.round((Number(h) * 3600 + Number(m) * 60 + Number(s)) * 1000);
  const at_ms = text === "" ? Number.NaN : Date.parse(text);
  return Number.isNaN(at_ms) ? null : at_ms;
}

interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

/** RFC 4180 without line breaks inside fields; empty lines and lines that begin with # are passed over. */
function csvRecords(text: string): readonly CsvRecord[] {
  return text
    .split(/\r?\n/)
    .flatMap((line, i) => (/^\s*(#|$)/.test(line) ? [] : [{ line: i + 1, fields: fieldsOf(line) }]));
}

function fieldsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}

function invalid(file: string, problems: readonly string[]): KhuXanhError {
  return new KhuXanhError("CONFIG_INVALID", `${file} is no capture: ${problems.join("; ")}`, {
    hint: "hw-sim/README.md has the columns; `khuxanh probe --record` writes such a file.",
    context: { file },
  });
}

/** One line of a capture that we write. */
export interface RecordedRow {
  readonly at_ms: number;
  readonly device: string;
  readonly unit: number;
  readonly fc: number;
  readonly address: number;
  readonly quantity: string;
  /** Of the value, as the model says it. */
  readonly unitText: string;
  readonly said: CaptureRow["said"];
  readonly value: string;
}

const COLUMNS = "logged_at,device,unit_id,function,register,quantity,unit,words,count,exception,value_decoded";

/** A capture as text, in the order given. */
export function captureText(rows: readonly RecordedRow[]): string {
  const lines = rows.map(({ at_ms, device, unit, fc, address, quantity, unitText, said, value }) =>
    [
      new Date(at_ms).toISOString(),
      device,
      unit,
      fc,
      `0x${address.toString(16).toUpperCase().padStart(4, "0")}`,
      quantity,
      unitText,
      said.kind === "words" ? said.words.join(" ") : "",
      said.kind === "words" ? said.words.length : said.count,
      said.kind === "words" ? "" : said.code,
      value,
    ]
      .map((field) => quoted(String(field)))
      .join(","),
  );
  return [COLUMNS, ...lines, ""].join("\n");
}

function quoted(field: string): string {
  const flat = field.replace(/[\r\n\0]+/g, " ");
  return /[",]/.test(flat) ? `"${flat.replaceAll('"', '""')}"` : flat;
}
