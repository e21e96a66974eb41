import { expect, test } from "vitest";
import { type GatewayStatus, prometheusText } from "../../../agent/local/metrics.ts";
import { bus, facts, meter } from "./fixture.ts";

const { uplink, journal, gateway, site, zone, version } = facts([]);
const status: GatewayStatus = {
  ...{ gateway, site, zone, version, uplink, journal },
  meters: [
    { id: "a", model: "m", answering: true, error: null },
    { id: "b", model: "m", answering: false, error: "no answer within 1000 ms" },
  ],
  counts: { polls: 5, failedPolls: 1, readings: 40, intervals: 2, withoutFactor: 0, droppedSamples: 0, busOverruns: 3 },
};

test("every metric has help, type and a number, and each bus has its own", () => {
  const text = prometheusText(status, [bus([meter()], { overruns: 3 }), bus([meter()], { id: "roof", load_pct: 50 })]);
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  for (const sample of samples) {
    expect(sample).toMatch(/^khuxanh_\w+(\{bus="[^"]+"\})? -?\d+(\.\d+)?$/);
    const name = /^\w+/.exec(sample)![0];
    expect(text).toContain(`# HELP ${name} `);
    expect(text).toMatch(new RegExp(`# TYPE ${name} (counter|gauge)\n`));
  }
  expect(samples).toContain("khuxanh_meters_answering 1");
  expect(samples).toContain("khuxanh_uplink_born 1");
  expect(samples).toContain('khuxanh_bus_load_ratio{bus="roof"} 0.5');
  expect(samples).toContain('khuxanh_bus_needed_seconds{bus="main"} 0.234');
  expect(prometheusText(status, [bus([], { id: 'a"b\\c' })])).toContain('{bus="a\\"b\\\\c"}');
  expect(samples).toContain('khuxanh_bus_missed_polls_total{bus="main"} 3');
});
