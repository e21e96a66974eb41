/**
 * SunSpec devices hold their registers in a chain of models behind the marker "SunS"; where a model stands differs from
 * device to device, so it is looked for once and the model's offsets become addresses.
 *
 * Source   SunSpec Device Information Model Specification §4; steps as in `discovery` of the model files
 * Limits   64 models in a chain, then the device is taken for broken
 */

import type { Discovery, DiscoveryBlock, MeterModel, Register } from "../../core/model/meterModel.ts";
import { ADDRESSES } from "../../core/model/modbus.ts";
import type { Bus, BusReply } from "../../core/ports.ts";
import { quantityOfRegister } from "../../core/units/quantities.ts";

export interface FoundModel {
  readonly model_id: number;
  /** Wire address of the register that holds the model id: offset 0. */
  readonly address: number;
  /** Registers after id and length. */
  readonly length: number;
  /** Further blocks of the same device that were asked for: `Discovery.blocks`. */
  readonly blocks: readonly FoundBlock[];
}

export interface FoundBlock {
  readonly model_id: number;
  readonly address: number;
  readonly length: number;
  /** Modules at its end; 0 where the block has none. */
  readonly modules: number;
}

interface Found {
  readonly kind: "found";
  readonly found: FoundModel;
  /** false: a reply was lost on the way through the chain, so further blocks may have been missed. Walk it again later. */
  readonly isWhole: boolean;
}

/** `absent`: the device answered and has no such model. `silent`: an exchange failed, ask again later. */
export type DiscoveryResult = { readonly exchanges: number } & (
  | Found
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
  | Found
  | { readonly kind: "absent"; readonly why: string }
  | { readonly kind: "silent"; readonly reply: Exclude<BusReply, { readonly kind: "words" | "exception" }> };

type Pair = (address: number) => Promise<BusReply>;

/** Every device of a chain begins with one. */
const COMMON_MODEL = 1;
const NOT_IMPLEMENTED = 0xffff;

async function walk(first: number, pair: Pair, wanted: Discovery): Promise<Walked> {
  const seen: number[] = [];
  let found: Omit<FoundModel, "blocks"> | null = null;
  let blocks: FoundBlock[] = [];
  let isWhole = true;
  let address = first;
  while (seen.length < MODELS_MAX && address + 2 <= ADDRESSES && !isComplete(found, blocks, wanted)) {
    const reply = await twice(address, pair);
    // A meter that can be read is not given up for what may stand behind its registers.
    if (isLost(reply) && found === null) return { kind: "silent", reply };
    isWhole &&= !isPassing(reply);
    // Past the end marker devices answer an exception; one that forgets the marker ends its chain so.
    if (reply.kind !== "words") break;
    const [model_id = END_OF_CHAIN, length = 0]: Uint16Array = reply.words;
    if (model_id === END_OF_CHAIN || (model_id === COMMON_MODEL && found !== null)) break;
    if (model_id === COMMON_MODEL) blocks = [];
    if (found === null && wanted.model_ids.includes(model_id)) found = { model_id, address, length };
    const block = wanted.blocks.find((one) => one.model_id === model_id);
    // A second one of a kind would say the same quantities again.
    if (block !== undefined && !blocks.some((one) => one.model_id === model_id)) {
      const modules = await modulesOf(block, { address, length }, pair);
      isWhole &&= modules.isTold;
      blocks.push({ model_id, address, length, modules: modules.count });
    }
    seen.push(model_id);
    address += length + 2;
  }
  if (found !== null) return { kind: "found", found: { ...found, blocks }, isWhole };
  return {
    kind: "absent",
    why: `none of the models ${wanted.model_ids.join(", ")} in the chain (${seen.join(", ") || "empty"})`,
  };
}

function isComplete(found: unknown, blocks: readonly FoundBlock[], wanted: Discovery): boolean {
  return found !== null && wanted.blocks.every(({ model_id }) => blocks.some((block) => block.model_id === model_id));
}

/** As many as the device says, never more than its block has room for; where it does not say, as many as that. */
async function modulesOf(
  { modules }: DiscoveryBlock,
  { address, length }: { readonly address: number; readonly length: number },
  pair: Pair,
): Promise<{ readonly count: number; readonly isTold: boolean }> {
  if (modules === undefined) return { count: 0, isTold: true };
  const room = Math.max(0, Math.min(modules.max, Math.floor((length + 2 - modules.first) / modules.length)));
  const at = address + modules.count_at;
  if (at + 2 > ADDRESSES) return { count: 0, isTold: true };
  const reply = await twice(at, pair);
  const told = reply.kind === "words" ? reply.words[0]! : NOT_IMPLEMENTED;
  return { count: told === NOT_IMPLEMENTED ? room : Math.min(room, told), isTold: !isPassing(reply) };
}

/** Of a device that answers, a reply that was lost is asked for once more. */
async function twice(address: number, pair: Pair): Promise<BusReply> {
  const reply = await pair(address);
  return isLost(reply) ? pair(address) : reply;
}

/** Busy, or the gateway in between heard nothing: MODBUS Application Protocol V1.1b3 §7. */
const PASSING_CODES: readonly number[] = [5, 6, 0x0a, 0x0b];

/** The same question may have another answer later. */
function isPassing(reply: BusReply): boolean {
  return isLost(reply) || (reply.kind === "exception" && PASSING_CODES.includes(reply.code));
}

function isLost(reply: BusReply): reply is Exclude<BusReply, { readonly kind: "words" | "exception" }> {
  return reply.kind !== "words" && reply.kind !== "exception";
}

/**
 * The model with wire addresses: the registers of the block that was found, as far as the device has them, and of the further
 * blocks; of two encodings only the one that was found. SunSpec numbers the float twin of an integer model ten higher
 * (103 → 113), and the files mark its registers with `_float`.
 */
export function resolveDiscovery(model: MeterModel, found: FoundModel): MeterModel {
  const { discovery, ...rest } = model;
  const float = found.model_id % 100 > 10;
  const own = model.registers
    .filter(({ name }) => name.endsWith("_float") === float)
    .filter(({ address, words }) => address + words <= found.length + 2)
    .map((register) => shifted(register, found.address));
  const further = found.blocks.flatMap((at) =>
    (discovery?.blocks ?? [])
      .filter(({ model_id }) => model_id === at.model_id)
      .flatMap((block) => blockRegisters(block, at)),
  );
  return { ...rest, registers: [...scalable(own), ...scalable(further)] };
}

/** A block that is shorter than its model may have a value and lack what it is scaled with: then it has no value. */
function scalable(registers: readonly Register[]): readonly Register[] {
  const existing = registers.filter(({ address, words }) => address + words <= ADDRESSES);
  return existing.filter(
    ({ fc, scale_exp_address }) =>
      scale_exp_address === undefined ||
      existing.some((one) => one.kind === "scale_exponent" && one.fc === fc && one.address === scale_exp_address),
  );
}

/** The registers of a further block, those of a module once for each. */
export function blockRegisters({ registers, modules }: DiscoveryBlock, at: FoundBlock): readonly Register[] {
  const own = registers.filter(({ address, words }) => address + words <= at.length + 2);
  const isOfModule = ({ name }: Register): boolean => modules !== undefined && name.endsWith(FIRST_MODULE);
  return [
    ...own.filter((register) => !isOfModule(register)).map((register) => shifted(register, at.address)),
    ...Array.from({ length: at.modules }, (_, i) =>
      own.filter(isOfModule).map((register) => ofModule(register, i, modules!.length, at.address)),
    ).flat(),
  ];
}

/**
 * The model as its device is likely to be, for whoever must know before the device was asked: whole, and an inverter has two
 * strings. Any place does for the plan.
 */
export function assumedDiscovery(model: MeterModel): MeterModel {
  const { discovery } = model;
  if (discovery === undefined) return model;
  const address = 40_070;
  const length = Math.max(...model.registers.map((register) => register.address + register.words)) - 2;
  const blocks = discovery.blocks.map(({ model_id }, i) => ({
    model_id,
    address: model_id === COMMON_MODEL ? 40_002 : address + length + 2 + 100 * i,
    length: 66,
    modules: 2,
  }));
  return resolveDiscovery(model, { model_id: discovery.model_ids.at(0) ?? 103, address, length, blocks });
}

const FIRST_MODULE = "_1";

/** Module `i`, from 0; the exponents stand before the modules, once for all. */
function ofModule(register: Register, i: number, length: number, by: number): Register {
  const name = `${register.name.slice(0, -FIRST_MODULE.length)}_${i + 1}`;
  const { quantity: _, ...rest } = shifted(register, by);
  const quantity = quantityOfRegister(name);
  return { ...rest, name, address: rest.address + i * length, ...(quantity === undefined ? {} : { quantity }) };
}

function shifted(register: Register, by: number): Register {
  return {
    ...register,
    address: register.address + by,
    ...(register.scale_exp_address === undefined ? {} : { scale_exp_address: register.scale_exp_address + by }),
  };
}
