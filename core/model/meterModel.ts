import type { QuantityId } from "../units/quantities.ts";
import type { UnitNotation } from "../units/units.ts";

/**
 * A meter model: what a vendor's register list says, as data. The YAML files of `drivers/models/` are parsed into this
 * shape by `config/` (its zod schema is the legend); drivers read through it and simulated meters answer through it.
 *
 * Addresses are 0-based PDU addresses, the number on the wire. Bytes in a register are big-endian.
 * `word_order: "little"` = low word first.
 */
export interface MeterModel {
  readonly id: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly measures: readonly string[];
  readonly phases: number;
  readonly sources: readonly string[];
  readonly confidence: "two-sources" | "one-source";
  /** The device's own ports; never a reason to refuse a gateway in between. */
  readonly transport: readonly ("tcp" | "rtu")[];
  readonly defaults: ModelDefaults;
  readonly limits: ModelLimits;
  readonly timing: ModelTiming;
  readonly identify: readonly IdentifyRead[];
  readonly sentinels: readonly Sentinel[];
  readonly registers: readonly Register[];
  readonly golden: readonly GoldenVector[];
  /** False when no golden vector proves the table; shown by `khuxanh models`. */
  readonly proven: boolean;
  readonly unverified: readonly string[];
  readonly quirks: string;
  /** SunSpec style map: addresses are offsets from a model id found by walking a chain; see `drivers/sunspec/`. */
  readonly discovery?: Discovery;
  /** CRC32C of the canonical text of this model, 8 hex digits: `modelVersion` on the wire and in the journal. */
  readonly version: string;
}

export interface ModelDefaults {
  readonly baud?: number;
  readonly parity?: "none" | "even" | "odd";
  readonly stop_bits?: 1 | 2;
  readonly unit_id?: number;
  readonly tcp?: boolean;
  readonly tcp_port?: number;
}

export interface ModelLimits {
  /** Default 125, the protocol's own limit (Modbus Application Protocol V1.1b3 §6.3). */
  readonly max_registers_per_read: number;
  readonly count_must_be_even: boolean;
  /** Undefined addresses a merged read may span. 0 = only contiguous registers, the safe default. */
  readonly max_gap: number;
  readonly note?: string;
}

export interface ModelTiming {
  readonly min_gap_ms: number;
  readonly max_answer_ms?: number;
  readonly note?: string;
}

export type RegisterType = "u16" | "i16" | "u32" | "i32" | "u64" | "i64" | "f32" | "f64" | "acc32" | "str";

export type FunctionCode = 3 | 4;

export type RegisterKind =
  | "gauge"
  | "counter"
  | "daily_counter"
  | "setting"
  | "status"
  | "info"
  | "scale_exponent"
  | "resolution";

export interface Register {
  /** Name in the model file; alternative encodings carry a suffix. */
  readonly name: string;
  /** The quantity it measures, if it measures one. */
  readonly quantity?: QuantityId;
  readonly fc: FunctionCode;
  readonly address: number;
  /** Registers (16-bit words) it spans. */
  readonly words: number;
  readonly type: RegisterType;
  readonly word_order: "big" | "little";
  /** value in `unit` = raw × scale (× 10^exponent register × multiplied ÷ divided by named registers). */
  readonly scale: number;
  readonly unit: UnitNotation;
  readonly kind: RegisterKind;
  readonly scale_exp_address?: number;
  readonly multiply_by?: readonly string[];
  readonly divide_by?: readonly string[];
  /** Name of a ratio that must be configured because no register is verified (`ct_ratio`, `vt_ratio`, …). */
  readonly site_factor?: string;
  /**
   * What the sign or size of a power factor says beside its value: `four_quadrant` = Schneider's, beyond ±1 it is 2 − |value|,
   * leading, sign kept; `capacitive_positive` = the sign tells the kind of load, − inductive, and the reading keeps it.
   */
  readonly coding?: "four_quadrant" | "capacitive_positive";
  readonly resettable: boolean;
  /** Raw count at which the register wraps to 0. */
  readonly rollover_raw?: number;
  readonly meaning?: string;
  readonly confidence?: "one-source";
}

export interface IdentifyRead {
  readonly fc: FunctionCode;
  readonly address: number;
  readonly type: RegisterType;
  readonly word_order?: "big" | "little";
  readonly length?: number;
  readonly equals?: number;
  readonly one_of?: readonly number[];
  readonly meaning?: string;
}

export interface Sentinel {
  readonly type: RegisterType;
  /** Raw value meaning "no value", compared before scaling; hex text as in the file. */
  readonly raw: string;
  readonly meaning: string;
}

/** Raw words with the values they mean, from a datasheet or a capture; never from our own encoder. */
export interface GoldenVector {
  readonly fc: FunctionCode;
  /** Start address → words as 4-digit hex, blank separated: `{0: "4366 3334"}`. */
  readonly registers: Readonly<Record<string, string>>;
  /** Register name → value in the register's unit. */
  readonly expect: Readonly<Record<string, number | string>>;
  readonly from: string;
}

export interface Discovery {
  /** Register addresses where the marker may stand. */
  readonly bases: readonly number[];
  readonly marker: number;
  /** Model ids of the chain whose block these registers describe. */
  readonly model_ids: readonly number[];
  /** Further blocks of the same device, each with registers of its own. */
  readonly blocks: readonly DiscoveryBlock[];
}

/** A block that may stand before or after the one the model's registers are of, between two common models (id 1). */
export interface DiscoveryBlock {
  readonly model_id: number;
  /** Offsets from this block's id. Those whose names end in `_1` are of the first module, if there are `modules`. */
  readonly registers: readonly Register[];
  readonly modules?: DiscoveryModules;
}

/** The block goes on with modules of equal form. */
export interface DiscoveryModules {
  /** Registers of a module. */
  readonly length: number;
  /** Offset of the first one. */
  readonly first: number;
  /** Offset of the register that tells how many there are. */
  readonly count_at: number;
  /** More are not read. */
  readonly max: number;
}
