import { expect, test } from "vitest";
import { plannedMeter } from "../../agent/plannedMeter.ts";
import { agentSpec } from "../../config/files/agent.ts";
import { loadModelLibrary, resolveModel } from "../../config/models.ts";
import { parseConfig } from "../../config/parse.ts";
import { assumedDiscovery } from "../../drivers/sunspec/discover.ts";
import { example } from "../config/problems.ts";

const library = loadModelLibrary();
const config = parseConfig(
  example("agent"),
  agentSpec({ ids: [...library.keys()], find: (id) => library.get(id) }),
  "agent.yaml",
);

test("what the configuration certifies of a gas meter is what its emissions are worked out with", () => {
  const gas = config.buses.flatMap(({ meters }) => meters).find(({ id }) => id === "gas")!;
  const { settings } = plannedMeter(config, gas, resolveModel(gas.model)).definition;
  expect(settings).toMatchObject({ m3_per_count: 0.1, ncv_MJ_per_Nm3: { value: "37.68" } });
});

test.each([...library.values()].filter(({ discovery }) => discovery !== undefined))(
  "$id is planned before its device was asked",
  (model) => {
    const carrier = model.id.includes("inverter") ? "solar" : "electricity";
    const meter = { ...config.buses[0]!.meters[0]!, carrier } as const;
    expect(plannedMeter(config, meter, assumedDiscovery(model)).blocks.length).toBeGreaterThan(0);
  },
);
