import type { GatewayKey } from "./store.ts";

/** The zone-wide id of a meter: `<gateway>/<device>`. */
export function meterId({ edge }: GatewayKey, device: string): string {
  return `${edge}/${device}`;
}
