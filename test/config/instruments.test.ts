import { expect, test } from "vitest";
import { instrumentsSpec, unknownSites } from "../../config/files/instruments.ts";
import { loadInstruments } from "../../config/load.ts";
import { parseConfig } from "../../config/parse.ts";
import { fractionNumber } from "../../core/emission/fraction.ts";
import { problemsOf } from "./problems.ts";

const GOOD = `
instruments:
  - id: irec
    kind: certificate
    site: steel
    quantity: "1200"
    factor: {value: 0, unit: t/MWh}
    period: {from: 2026-01-01, to: 2027-01-01}
    document: statement 0417
    criteria: {conveys_rate: true, sole_claim: true, retired: true, vintage: 2026, market: VN}
  - id: rate
    kind: supplier_rate
    site: steel
    quantity: 5
    unit: GWh
    factor: {value: 250, unit: kg/MWh}
    period: {from: 2026-01-01, to: 2027-01-01}
    document: letter of the supplier
    known_from: 2027-02-01
    criteria: {conveys_rate: true, sole_claim: true, retired: true, vintage: 2026, market: VN}
certificates_sold:
  - {site: steel, quantity: 40, period: {from: 2026-07-01, to: 2026-10-01}, document: issue 2291}
residual_mix: {factor: {value: 0.7, unit: t/MWh, source: registry}, period: {from: 2026-01-01, to: 2027-01-01}}
`;
const parse = (text: string) => parseConfig(text, instrumentsSpec, "instruments.yaml");

test("reads instruments in MWh and t per MWh, with document, period and the day they became known", () => {
  const { instruments, certificatesSold, residualMix } = parse(GOOD);
  expect(
    instruments.map(({ id, MWh, t_per_MWh, source, knownFrom_ms }) => [
      id,
      fractionNumber(MWh),
      fractionNumber(t_per_MWh),
      source,
      knownFrom_ms,
    ]),
  ).toEqual([
    ["irec", 1200, 0, "statement 0417", null],
    ["rate", 5000, 0.25, "letter of the supplier", Date.parse("2027-02-01T00:00:00+07:00")],
  ]);
  expect(instruments[0]!.span.from_ms).toBe(Date.parse("2026-01-01T00:00:00+07:00"));
  expect(certificatesSold.map(({ MWh }) => fractionNumber(MWh))).toEqual([40]);
  expect(fractionNumber(residualMix!.t_per_MWh)).toBe(0.7);
  expect(parse("certificates_sold: []")).toEqual({ instruments: [], certificatesSold: [], residualMix: null });
});

test.each<[string, string, string, string]>([
  [
    "the same certificate twice",
    "id: rate",
    "id: irec",
    'instruments[1].id: instrument "irec" is already used at instruments[0].id',
  ],
  ["no document", "    document: statement 0417\n", "", "instruments[0].document: is missing (text)"],
  ["no amount", '    quantity: "1200"\n', "", "instruments[0]: needs either quantity or grid_dppa"],
  [
    "a rate per litre",
    "unit: kg/MWh",
    "unit: kg/L",
    'instruments[1].factor.unit: "kg/L" is not per energy (allowed: t/MWh, kg/kWh, kg/MWh)',
  ],
])("refuses %s", (_name, written, wrong, expected) => {
  expect(problemsOf(() => parse(GOOD.replace(written, wrong)))).toEqual([expected]);
});

test("a site that the zone does not have is a problem at its key", () => {
  expect(unknownSites(parse(GOOD), ["steel"])).toEqual([]);
  expect(unknownSites(parse(GOOD), ["food", "paper"]).map(({ path }) => path)).toEqual([
    "instruments[0].site",
    "instruments[1].site",
    "certificates_sold[0].site",
  ]);
  const example = new URL("../../config/examples/instruments.yaml", import.meta.url).pathname;
  expect(problemsOf(() => loadInstruments(example, ["food"]))).toContain(
    'instruments[0].site: "thep-gia-minh" is no site of this zone (allowed: food)',
  );
});
