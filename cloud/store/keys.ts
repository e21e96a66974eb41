import { GASES } from "../../core/emission/factor.ts";
import { KhuXanhError } from "../../core/errors.ts";
import type { Row } from "./database.ts";
import type { Names } from "./names.ts";
import { BATCH_NUMBER_MAX, type GatewayKey } from "./store.ts";

/** From what people and wire call things to the small integers of the tables, and back. */
export class Keys {
  readonly names: Names;
  /** Gateways with more than one epoch, as of so many epochs in all. */
  #renewed: { readonly epochs: number; readonly gateways: ReadonlySet<number> } = { epochs: 0, gateways: new Set() };

  constructor(names: Names) {
    this.names = names;
  }

  epochId(gateway: GatewayKey, epoch: string): number {
    return this.names.epochs.intern({ gatewayId: this.names.gateways.intern(gateway), epoch });
  }

  deviceId(gateway: GatewayKey, device: string): number {
    return this.names.devices.intern({ gatewayId: this.names.gateways.intern(gateway), device });
  }

  findEpoch(gateway: GatewayKey, epoch: string): number | null {
    const gatewayId = this.names.gateways.find(gateway);
    return gatewayId === null ? null : this.names.epochs.find({ gatewayId, epoch });
  }

  /** The names were read again: what was made of them is not sure any more. */
  reloaded(): void {
    this.#renewed = { epochs: 0, gateways: new Set() };
  }

  hasManyEpochs(gatewayId: number): boolean {
    const { epochs } = this.names;
    if (this.#renewed.epochs !== epochs.size) {
      const once = new Set<number>();
      const gateways = new Set<number>();
      for (const [, name] of epochs.entries()) (once.has(name.gatewayId) ? gateways : once).add(name.gatewayId);
      this.#renewed = { epochs: epochs.size, gateways };
    }
    return this.#renewed.gateways.has(gatewayId);
  }

  /** Of one gateway, in the order they were first heard of. */
  epochsOf(gateway: GatewayKey): readonly string[] {
    const gatewayId = this.names.gateways.find(gateway);
    return [...this.names.epochs.entries()].flatMap(([, name]) => (name.gatewayId === gatewayId ? [name.epoch] : []));
  }

  findDevice(gateway: GatewayKey, device: string): number | null {
    const gatewayId = this.names.gateways.find(gateway);
    return gatewayId === null ? null : this.names.devices.find({ gatewayId, device });
  }

  /** Ids of a meter's counters. */
  seriesOf(gateway: GatewayKey, device: string): readonly number[] {
    const deviceId = this.findDevice(gateway, device);
    const series: number[] = [];
    for (const [id, name] of this.names.series.entries()) if (name.deviceId === deviceId) series.push(id);
    return series;
  }

  /** Ids of what a meter emits, gas by gas. */
  emissionSeriesOf(gateway: GatewayKey, device: string): readonly number[] {
    const deviceId = this.findDevice(gateway, device);
    if (deviceId === null) return [];
    return GASES.flatMap((gas) => this.names.emissionSeries.find({ deviceId, gas }) ?? []);
  }

  epochOf(row: Row): { readonly gateway: GatewayKey; readonly epoch: string } {
    const { gatewayId, epoch } = this.names.epochs.value(Number(row.epoch_id));
    return { gateway: this.names.gateways.value(gatewayId), epoch };
  }

  /** Gateway, epoch and number of a batch by its key. */
  batchOf(key: number): { readonly gateway: GatewayKey; readonly epoch: string; readonly number: number } {
    const { gatewayId, epoch } = this.names.epochs.value(Math.floor(key / (BATCH_NUMBER_MAX + 1)));
    return { gateway: this.names.gateways.value(gatewayId), epoch, number: key % (BATCH_NUMBER_MAX + 1) };
  }
}

/** @throws {KhuXanhError} INTERNAL for a number that the store cannot hold. */
export function batchKey(epochId: number, number: number): number {
  if (!Number.isSafeInteger(number) || number < 1 || number > BATCH_NUMBER_MAX) {
    throw new KhuXanhError("INTERNAL", `${number} is no batch number`, {
      hint: `Report this as a bug: the collector passes batch numbers from 1 to ${BATCH_NUMBER_MAX}.`,
      context: { number },
    });
  }
  return epochId * (BATCH_NUMBER_MAX + 1) + number;
}
