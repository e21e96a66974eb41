/**
 * SunSpec devices hold their registers in a chain of models behind the marker "SunS"; where a model stands differs from
 * device to device, so it is looked for once and the model's offsets become addresses.
 *
 * Source   SunSpec Device Information Model Specification §4; steps as in `discovery` of the model files
 * Limits   64 models in a chain, then the device is taken for broken
 */
import type { Discovery, DiscoveryBlock, MeterModel, Register } from "../../core/model/meterModel.ts";
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

/** Every device of a chain begins with one. */
const COMMON_MODEL = 1;
const NOT_IMPLEMENTED = 0xffff;

async function walk(first: number, pair: (address: number) => Promise<BusReply>, wanted: Discovery): Promise<Walked> {
  const seen: number[] = [];
  let found: Omit<FoundModel, "blocks"> | null = null;
  let blocks: FoundBlock[] = [];
  let address = first;
  while (seen.length < MODELS_MAX && address <= 0xfffe && !isComplete(found, blocks, wanted)) {
    const reply = await pair(address);
    // A meter that can be read is not given up for what may stand behind its registers.
    if (isLost(reply) && found === null) return { kind: "silent", reply };
    // Past the end marker devices answer an exception; one that forgets the marker ends its chain so.
    if (reply.kind !== "words") break;
    const [model_id = END_OF_CHAIN, length = 0] = reply.words;
    if (model_id === END_OF_CHAIN || (model_id === COMMON_MODEL && found !== null)) break;
    if (model_id === COMMON_MODEL) blocks = [];
    if (found === null && wanted.model_ids.includes(model_id)) found = { model_id, address, length };
    const block = wanted.blocks.find((one) => one.model_id === model_id);
    if (block !== undefined) {
      blocks.push({ model_id, address, length, modules: await modulesOf(block, { address, length }, pair) });
    }
    seen.push(model_id);
    address += length + 2;
  }
  if (found !== null) return { kind: "found", found: { ...found, blocks } };
  return {
    kind: "absent",
    why: `none of the models ${wanted.model_ids.join(", ")} in the chain (${seen.join(", ") || "empty"})`,
  };
}

function isComplete(found: unknown, blocks: readonly FoundBlock[], wanted: Discovery): boolean {
  return found !== null && wanted.blocks.every(({ model_id }) => blocks.some((block) => block.model_id === model_id));
}

/** As many as the device says, never more than its block has room for. */
async function modulesOf(
  { modules }: DiscoveryBlock,
  { address, length }: { readonly address: number; readonly length: number },
  pair: (address: number) => Promise<BusReply>,
): Promise<number> {
  if (modules === undefined) return 0;
  const room = Math.floor((length + 2 - modules.first) / modules.length);
  const reply = await pair(address + modules.count_at);
  const told = reply.kind === "words" ? reply.words[0]! : NOT_IMPLEMENTED;
  return Math.max(0, Math.min(room, modules.max, told === NOT_IMPLEMENTED ? room : told));
}

function isLost(reply: BusReply): reply is Exclude<BusReply, { readonly kind: "words" | "exception" }> {
  return reply.kind !== "words" && reply.kind !== "exception";
}

/**
 * The model with wire addresses, with the registers of the further blocks that were found, and only the registers of the encoding that was found: SunSpec numbers the float twin of an
 * integer model ten higher (103 → 113), and the files mark its registers with `_float`.
 */
export function resolveDiscovery(model: MeterModel, found: FoundModel): MeterModel {
  const { discovery, ...rest } = model;
  const float = found.model_id % 100 > 10;
  return {
    ...rest,
    registers: [
      ...model.registers
        .filter(({ name }) => name.endsWith("_float") === float)
        .filter(({ address, words }) => address + words <= found.length + 2)
        .map((register) => shifted(register, found.address)),
      ...found.blocks.flatMap((at) =>
        (discovery?.blocks ?? [])
          .filter(({ model_id }) => model_id === at.model_id)
          .flatMap((block) => blockRegisters(block, at)),
      ),
    ],
  };
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
