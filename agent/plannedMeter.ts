import type { AgentConfig, MeterConfig } from "../config/files/agent.ts";
import { KhuXanhError, type Problem } from "../core/errors.ts";
import type { DeviceDefinition } from "../core/model/deviceDefinition.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import { defineDevice } from "../drivers/define.ts";
import { decoderOf } from "../drivers/modbus/decode.ts";
import { type BlockRead, planFor } from "../drivers/modbus/planner.ts";
import { assumedDiscovery } from "../drivers/sunspec/discover.ts";

/** A configured meter with its registers chosen. */
export interface PlannedMeter {
  readonly definition: DeviceDefinition;
  readonly blocks: readonly BlockRead[];
}

/**
 * What a meter of the configuration is to be asked for; a SunSpec model resolved, or assumed, before.
 * @throws {KhuXanhError} for whatever would go wrong later, when it is planned, polled and decoded.
 */
export function plannedMeter(
  { interval_ms, time_zone }: Pick<AgentConfig, "interval_ms" | "time_zone">,
  { unit: _unit, model: _model, ...setup }: MeterConfig,
  model: MeterModel,
): PlannedMeter {
  const definition = defineDevice(model, setup, { interval_ms, time_zone });
  decoderOf(definition);
  return { definition, blocks: planFor(definition, model.limits).flatMap((group) => group.blocks) };
}

/** What is wrong with each meter of the configuration that could not be planned, all of them; a SunSpec model is assumed. */
export function unplannable(config: AgentConfig, resolveModel: (name: string) => MeterModel): readonly Problem[] {
  return config.buses.flatMap(({ meters }, b) =>
    meters.flatMap((meter, m) => {
      try {
        plannedMeter(config, meter, assumedDiscovery(resolveModel(meter.model)));
        return [];
      } catch (error) {
        if (!(error instanceof KhuXanhError)) throw error;
        const message = `${error.message.replace(` [${error.code}]`, "")}. ${error.hint}`;
        return [{ path: `buses[${b}].meters[${m}]`, message }];
      }
    }),
  );
}
