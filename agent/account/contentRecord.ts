import type { Emission } from "../../core/emission/emission.ts";
import type { Interval } from "../../core/interval/interval.ts";
import { emissionMetric, intervalMetric, type Naming } from "../../core/wire/content.ts";
import { decodePayload, encodePayload, type Metric } from "../../core/wire/payload.ts";

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

/** The metrics of such a body under this session's names. */
export function contentMetrics(body: Uint8Array, naming: Naming): Metric[] {
  return decodePayload(body).metrics.map(({ name, ...rest }) => ({
    ...rest,
    alias: naming.aliasOf(name ?? ""),
    ...(naming.isHistorical ? { isHistorical: true } : {}),
  }));
}
