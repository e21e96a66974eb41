import { expect, test } from "vitest";
import { contentMetrics, encodeContent } from "../../../agent/account/contentRecord.ts";
import { emissionsOf } from "../../../core/emission/emission.ts";
import { emissionMetric, intervalMetric, type Naming } from "../../../core/wire/content.ts";
import { decodePayload } from "../../../core/wire/payload.ts";
import { factor, GRID_METER, interval } from "../../core/emission/fixture.ts";

const INTERVALS = [0, 1, 2].map((i) => {
  const from_ms = interval(1n).from_ms + i * 900_000;
  return interval(BigInt(i * 1000), { from_ms, to_ms: from_ms + 900_000 });
});
const EMISSIONS = INTERVALS.flatMap((of) => {
  const result = emissionsOf(of, GRID_METER, [factor()], Number.MAX_SAFE_INTEGER);
  return result.kind === "emissions" ? result.entries : [];
});

function naming(isHistorical: boolean, first: number): Naming {
  const names: string[] = [];
  return {
    isHistorical,
    aliasOf(name) {
      if (!names.includes(name)) names.push(name);
      return first + names.indexOf(name);
    },
  };
}

test.each([false, true])(
  "what was recorded goes out as if it were made now, under any session's aliases (late: %s)",
  (isLate) => {
    const body = encodeContent(INTERVALS, EMISSIONS);
    const session = naming(isLate, 40);
    const direct = naming(isLate, 40);
    expect(EMISSIONS).toHaveLength(3);
    expect(contentMetrics(decodePayload(body).metrics, session)).toEqual([
      ...INTERVALS.map((of) => intervalMetric(of, direct)),
      ...EMISSIONS.map((of) => emissionMetric(of, direct)),
    ]);
  },
);

test("a record speaks names and no alias of the session it was made in", () => {
  const { metrics } = decodePayload(encodeContent(INTERVALS, EMISSIONS));
  expect(metrics.map(({ alias }) => alias)).toEqual(Array(6).fill(undefined));
  expect(new Set(metrics.map(({ name }) => name))).toEqual(
    new Set(["Interval/Energy/Active/Import/Total", "Emissions/CO2"]),
  );
});

test("the same content is the same bytes", () => {
  expect(encodeContent(INTERVALS, EMISSIONS)).toEqual(encodeContent(INTERVALS, EMISSIONS));
});
