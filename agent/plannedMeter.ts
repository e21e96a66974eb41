import type { AgentConfig, MeterConfig } from "../config/files/agent.ts";
import type { DeviceDefinition } from "../core/model/deviceDefinition.ts";
import type { MeterModel } from "../core/model/meterModel.ts";
import { defineDevice } from "../drivers/define.ts";
import { decoderOf } from "../drivers/modbus/decode.ts";
import { type BlockRead, planFor } from "../drivers/modbus/planner.ts";

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
