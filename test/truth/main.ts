/**
 * `npm run -s truth -- --truth FILE --collector URL [--poll 10s]`: holds a collector's books against the truth file of the
 * simulated meters it collects from. One finding a line; exit code 1 if there is any, 2 for wrong usage.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { loadModelLibrary } from "../../config/models.ts";
import { parseDuration } from "../../config/notation/duration.ts";
import { booksOfApi, type GetJson } from "./apiBooks.ts";
import { compareBooks } from "./compareBooks.ts";
import { parseTruth, trueMeters } from "./truthLog.ts";

const USAGE = "npm run -s truth -- --truth FILE --collector http://127.0.0.1:8080 [--poll 10s]";
const INTERVAL_ms = 900_000;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { truth: { type: "string" }, collector: { type: "string" }, poll: { type: "string", default: "10s" } },
    strict: false,
  });
  const { truth, collector, poll } = values;
  const period = typeof poll === "string" ? parseDuration(poll) : null;
  if (typeof truth !== "string" || typeof collector !== "string" || period?.ok !== true)
    return wrong(`usage: ${USAGE}`);
  try {
    return await compare(truth, new URL(collector), period.value);
  } catch (error) {
    return wrong((error as Error).message);
  }
}

async function compare(file: string, collector: URL, poll_ms: number): Promise<number> {
  const entries = parseTruth(readFileSync(file, "utf8"));
  const names = [...trueMeters(entries).keys()];
  const times = entries.flatMap((entry) => ("counters" in entry ? [Date.parse(entry.at)] : []));
  const boundaries = times.filter((at_ms) => at_ms % INTERVAL_ms === 0);
  const [from_ms, last_ms] = [
    boundaries.reduce((a, b) => Math.min(a, b), Infinity),
    boundaries.reduce((a, b) => Math.max(a, b), 0),
  ];
  if (!(last_ms > from_ms)) return wrong(`${file} holds no whole quarter of an hour`);
  const get: GetJson = async (path) => {
    const response = await fetch(new URL(path, collector)).catch((cause: unknown) => {
      throw new Error(`${collector} cannot be reached`, { cause });
    });
    if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const books = await booksOfApi(get, names, { from_ms, to_ms: last_ms });
  // What is not over for the collector yet is nobody's mistake.
  const to_ms = Math.min(
    last_ms,
    books.reduce((latest, row) => Math.max(latest, row.to_ms), from_ms),
  );
  const known = books.filter((row) => names.includes(row.meter));
  const findings = compareBooks(entries, known, {
    ...{ from_ms, to_ms, poll_ms, interval_ms: INTERVAL_ms },
    models: loadModelLibrary(),
  });
  for (const { text } of findings) process.stdout.write(`${text}\n`);
  const others = new Set(books.map((row) => row.meter).filter((name) => !names.includes(name)));
  const rest = others.size === 0 ? "" : `; ${others.size} meters of the collector are not in the truth`;
  process.stderr.write(
    `${known.length} intervals of ${names.length} meters, ${new Date(from_ms).toISOString()} to ${new Date(to_ms).toISOString()}: ` +
      `${findings.length === 0 ? "the books agree with the truth" : `${findings.length} findings`}${rest}\n`,
  );
  return findings.length === 0 ? 0 : 1;
}

function wrong(message: string): number {
  process.stderr.write(`${message}\n`);
  return 2;
}
