/**
 * SunSpec devices hold their registers in a chain of models behind the marker "SunS"; where a model stands differs from
 * device to device, so it is looked for once and the model's offsets become addresses.
 *
 * Source   SunSpec Device Information Model Specification §4; steps as in `discovery` of the model files
 * Limits   64 models in a chain, then the device is taken for broken
 */
import type { Discovery, MeterModel, Register } from "../../core/model/meterModel.ts";
import type { Bus, BusReply } from "../../core/ports.ts";

export interface FoundModel {
  readonly model_id: number;
  /** Wire address of the register that holds the model id: offset 0. */
  readonly address: number;
  /** Registers after id and length. */
  readonly length: number;
}

/** `absent`: the device answered and has no such model. `silent`: an exchange failed, ask again later. */
export type DiscoveryResult = { readonly exchanges: number } & (
  | { readonly kind: "found"; readonly found: FoundModel }
  | { readonly kind: "absent"; readonly why: string }
  | { readonly kind: "silent"; readonly reply: Exclude<BusReply, { readonly kind: "words" | "exception" }> }
);

const MODELS_MAX = 64;
const END_OF_CHAIN = 0xffff;

/** Finds the first model of the chain that has one of the wanted ids. Never throws for what a device does. */
export async function discover(
  bus: Bus,
  unit: number,
  wanted: Discovery,
  timeout_ms: number,
): Promise<DiscoveryResult> {
  let exchanges = 0;
  const pair = (address: number): Promise<BusReply> => {
    exchanges++;
    return bus.read({ unit, fc: 3, address, count: 2, timeout_ms });
  };

  for (const base of wanted.bases) {
    const marker = await pair(base);
    if (isLost(marker)) return { kind: "silent", reply: marker, exchanges };
    if (marker.kind === "exception" || marker.words[0]! * 0x1_0000 + marker.words[1]! !== wanted.marker) continue;
    return { ...(await walk(base + 2, pair, wanted)), exchanges };
  }
  return { kind: "absent", why: `no SunSpec marker at ${wanted.bases.join(", ")}`, exchanges };
}

type Walked =
  | { readonly kind: "found"; readonly found: FoundModel }
  | { readonly kind: "absent"; readonly why: string }
  | { readonly kind: "silent"; readonly reply: Exclude<BusReply, { readonly kind: "words" | "exception" }> };

async function walk(first: number, pair: (address: number) => Promise<BusReply>, wanted: Discovery): Promise<Walked> {
  const seen: number[] = [];
  let address = first;
  while (seen.length < MODELS_MAX && address <= 0xfffe) {
    const reply = await pair(address);
    if (isLost(reply)) return { kind: "silent", reply };
    // Past the end marker devices answer an exception; one that forgets the marker ends its chain so.
    if (reply.kind === "exception") break;
    const [model_id = END_OF_CHAIN, length = 0] = reply.words;
    if (model_id === END_OF_CHAIN) break;
    if (wanted.model_ids.includes(model_id)) return { kind: "found", found: { model_id, address, length } };
    seen.push(model_id);
    address += length + 2;
  }
  return {
    kind: "absent",
    why: `none of the models ${wanted.model_ids.join(", ")} in the chain (${seen.join(", ") || "empty"})`,
  };
}

function isLost(reply: BusReply): reply is Exclude<BusReply, { readonly kind: "words" | "exception" }> {
  return reply.kind !== "words" && reply.kind !== "exception";
}

/**
 * The model with wire addresses and only the registers of the encoding that was found: SunSpec numbers the float twin of an
 * integer model ten higher (103 → 113), and the files mark its registers with `_float`.
 */
export function resolveDiscovery(model: MeterModel, found: FoundModel): MeterModel {
  const { discovery: _, ...rest } = model;
  const float = found.model_id % 100 > 10;
  return {
    ...rest,
    registers: model.registers
      .filter(({ name }) => name.endsWith("_float") === float)
      .filter(({ address, words }) => address + words <= found.length + 2)
      .map((register) => shifted(register, found.address)),
  };
}

function shifted(register: Register, by: number): Register {
  return {
    ...register,
    address: register.address + by,
    ...(register.scale_exp_address === undefined ? {} : { scale_exp_address: register.scale_exp_address + by }),
  };
}
