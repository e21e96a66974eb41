import type { Emission } from "../../core/emission/emission.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { EpochMs } from "../../core/reading/reading.ts";
import { emissionMetric, intervalMetric, type Naming } from "../../core/wire/content.ts";
import { encodePayload, type Metric } from "../../core/wire/payload.ts";
import type { JournalEntry } from "../journal/chunk.ts";
import type { Accounted } from "./accountant.ts";

/** Interval starts in one batch; with three quantities and three gases about 100 KiB. */
const CONTENT_INTERVALS_MAX = 96;

/**
 * Body of a journal record of kind `content`: intervals and emissions as the Sparkplug metrics they will be sent as, with
 * names in place of this session's aliases. Written once; a resend is the same metrics again.
 */
export function encodeContent(intervals: readonly Interval[], emissions: readonly Emission[]): Uint8Array {
  const names: string[] = [];
  const naming: Naming = {
    isHistorical: false,
    aliasOf(name) {
      const at = names.indexOf(name);
      return at === -1 ? names.push(name) - 1 : at;
    },
  };
  const numbered = [
    ...intervals.map((interval) => intervalMetric(interval, naming)),
    ...emissions.map((emission) => emissionMetric(emission, naming)),
  ];
  const metrics = numbered.map(({ alias, ...rest }): Metric => ({ ...rest, name: names[alias ?? 0] ?? "" }));
  return encodePayload({ metrics });
}

/** Intervals with their emissions, oldest first, in batches that fit one message: a long outage closes thousands at once. */
export function contentEntries(device: string, { intervals, emissions }: Accounted): JournalEntry[] {
  const starts = [...new Set(intervals.map(({ from_ms }) => from_ms))].sort((a, b) => a - b);
  const entries: JournalEntry[] = [];
  for (let i = 0; i < starts.length; i += CONTENT_INTERVALS_MAX) {
    const from_ms = starts[i]!;
    const last_ms = starts[Math.min(i + CONTENT_INTERVALS_MAX, starts.length) - 1]!;
    const isInside = (part: { readonly from_ms: EpochMs }) => from_ms <= part.from_ms && part.from_ms <= last_ms;
    const parts = intervals.filter(isInside).sort((a, b) => a.to_ms - b.to_ms);
    const body = encodeContent(parts, emissions.filter(isInside));
    entries.push({ device, from_ms, to_ms: parts.at(-1)!.to_ms, kind: "content", body });
  }
  return entries;
}

/** The metrics of such a body, as they stand in it, under this session's names. */
export function contentMetrics(metrics: readonly Metric[], naming: Naming): Metric[] {
  return metrics.map(({ name, ...rest }) => ({
    ...rest,
    alias: naming.aliasOf(name ?? ""),
    ...(naming.isHistorical ? { isHistorical: true } : {}),
  }));
}
