import { commitHere } from "./commit.ts";
import type { RunOptions, RunResult } from "./run.ts";

/** The one command that runs a world again. */
export function commandOf({ seed, hours, kinds }: RunOptions): string {
  const faults = kinds === undefined ? "" : ` --faults ${kinds.join(",")}`;
  return `npm run sim -- --seed ${seed} --hours ${hours}${faults}`;
}

export function lineOf(result: RunResult, cpu_s: number): string {
  const { seed, hash, findings, episodes, events, virtual_ms, drained_ms, messages } = result;
  const verdict = findings.length === 0 ? "right" : "WRONG";
  const drained = drained_ms === null ? "not drained" : `drained in ${(drained_ms / 1000).toFixed(0)} s`;
  return (
    `seed ${seed} ${verdict} ${hash}: ${(virtual_ms / 3_600_000).toFixed(1)} h, ${episodes.length} faults, ` +
    `${messages} messages, ${events} events, ${drained}, ${cpu_s.toFixed(1)} s CPU`
  );
}

const TAIL_LINES = 30;
const LINE_LENGTH_MAX = 300;

/** What went wrong, what had been done to the world by then, and how to see it again. */
export function failureOf(run: RunOptions, { findings, episodes, tail }: RunResult): string {
  const until_ms = findings[0]?.at_ms ?? Number.POSITIVE_INFINITY;
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  return [
    ...findings.map(({ checker, at_ms, what }) => `  ${checker} at ${seconds(at_ms)}: ${what}`),
    "  faults before it:",
    ...episodes
      .filter(({ at_ms }) => at_ms <= until_ms)
      .map(({ at_ms, lasts_ms, what }) => `    ${seconds(at_ms)} for ${seconds(lasts_ms)} ${what}`),
    "  the end of the trace:",
    ...tail.slice(-TAIL_LINES).map((line) => `    ${line.slice(0, LINE_LENGTH_MAX)}`),
    `  commit ${commit()}; again with: ${commandOf(run)}`,
    "",
  ].join("\n");
}

function commit(): string {
  const here = commitHere();
  return here === null ? "unknown" : `${here.hash.slice(0, 7)}${here.isChanged ? " with changes" : ""}`;
}
