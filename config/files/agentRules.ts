import { CARRIER_IDS, CARRIERS } from "../../core/emission/carriers.ts";
import type { MeterModel } from "../../core/model/meterModel.ts";
import { type Finding, pathText } from "../explain.ts";
import { nearest, offer } from "../nearest.ts";
import { formatDuration, parseDuration } from "../notation/duration.ts";
import { type FileSpec, isModelFile } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import { clientFindings } from "./shared.ts";

/** What must hold between the entries of an agent file, and between them and the device library. */

/** What the rules must know of the device library. `find` answers for ids and for files. */
export interface ModelLookup {
  readonly ids: readonly string[];
  readonly find: (idOrFile: string) => MeterModel | undefined;
}

export function agentRules(models: ModelLookup): FileSpec<unknown>["rules"] {
  return [
    (document) => clientFindings(field(document, "uplink"), ["uplink"]),
    busIdsOnce,
    unitIsTheMeters,
    meterIdsOnce,
    (document) => unitsOnce(document, models),
    parentsExist,
    (document) => modelsAreKnown(document, models),
    (document) => countersAreKnown(document, models),
    ncvBelongsToGas,
    classesAreWhole,
    supplierSellsAcrossAFence,
    energyWithinInterval,
  ];
}

interface WrittenMeter {
  readonly meter: unknown;
  readonly path: readonly PropertyKey[];
}

function meters(document: unknown): readonly WrittenMeter[] {
  return list(field(document, "buses")).flatMap((bus, b) =>
    list(field(bus, "meters")).map((meter, m) => ({ meter, path: ["buses", b, "meters", m] })),
  );
}

function named(document: unknown): readonly (Named & WrittenMeter)[] {
  return meters(document).flatMap(({ meter, path }) => {
    const name = textOf(field(meter, "id"));
    return name === undefined ? [] : [{ name, meter, path: [...path, "id"] }];
  });
}

function busIdsOnce(document: unknown): readonly Finding[] {
  const buses = list(field(document, "buses")).flatMap((bus, b): Named[] => {
    const name = textOf(field(bus, "id"));
    return name === undefined ? [] : [{ name, path: ["buses", b, "id"] }];
  });
  return duplicates(buses, (name) => `bus id "${name}"`);
}

function unitIsTheMeters(document: unknown): readonly Finding[] {
  return list(field(document, "buses")).flatMap((bus, b): Finding[] => {
    const url = textOf(field(bus, "url"));
    if (url === undefined || !/[?&]unit=/.test(url)) return [];
    return [
      { path: pathText(["buses", b, "url"]), message: "unit= belongs to the meters of this bus, not to its address" },
    ];
  });
}

function meterIdsOnce(document: unknown): readonly Finding[] {
  return duplicates(named(document), (name) => `meter id "${name}"`);
}

/** A chain of SunSpec models may hold several devices behind one unit, an inverter and a meter: their models tell them apart. */
function unitsOnce(document: unknown, models: ModelLookup): readonly Finding[] {
  return list(field(document, "buses")).flatMap((bus, b) => {
    const units = list(field(bus, "meters")).map((meter, m) => {
      const model = models.find(textOf(field(meter, "model")) ?? "");
      const chain = model?.discovery === undefined ? null : model.id;
      return { unit: field(meter, "unit"), chain, path: pathText(["buses", b, "meters", m, "unit"]) };
    });
    return units.flatMap(({ unit, chain, path }, m): Finding[] => {
      const isAside = (other: string | null) => chain !== null && other !== null && chain !== other;
      const before = units.slice(0, m).find((one) => one.unit === unit && !isAside(one.chain));
      if (typeof unit !== "number" || before === undefined) return [];
      const way = "two devices behind one unit: give the second a bus of its own with the same url";
      return [{ path, message: `unit ${unit} of this bus is already used at ${before.path} (${way})` }];
    });
  });
}

function parentsExist(document: unknown): readonly Finding[] {
  const parents = new Map<string, string | undefined>();
  for (const { name, meter } of named(document)) parents.set(name, textOf(field(meter, "parent")));
  const ids = [...parents.keys()];
  return named(document).flatMap(({ name, meter, path }): Finding[] => {
    const parent = textOf(field(meter, "parent"));
    if (parent === undefined) return [];
    const at = pathText([...path.slice(0, -1), "parent"]);
    if (!parents.has(parent)) return [{ path: at, message: `no meter "${parent}" in this file${offer(parent, ids)}` }];
    const loop = loopFrom(name, parents);
    return loop === null ? [] : [{ path: at, message: `meters feed each other in a loop: ${loop.join(" → ")}` }];
  });
}

/** The loop that `start` is part of and the first member of in the order of the file; null if there is none. */
function loopFrom(start: string, parents: ReadonlyMap<string, string | undefined>): readonly string[] | null {
  const seen = [start];
  for (let at = parents.get(start); at !== undefined; at = parents.get(at)) {
    if (at === start) {
      const order = [...parents.keys()];
      const isFirst = seen.every((member) => order.indexOf(member) >= order.indexOf(start));
      return isFirst ? [...seen, start] : null;
    }
    if (seen.includes(at)) return null;
    seen.push(at);
  }
  return null;
}

function modelsAreKnown(document: unknown, models: ModelLookup): readonly Finding[] {
  return meters(document).flatMap(({ meter, path }): Finding[] => {
    const model = textOf(field(meter, "model"));
    // A model file that cannot be used is reported by whoever opened it.
    if (model === undefined || isModelFile(model) || models.find(model) !== undefined) return [];
    const near = nearest(model, models.ids);
    const hint =
      near === undefined ? "see `khuxanh models` for all of them, or name a .yaml file" : `did you mean ${near}?`;
    return [
      {
        path: pathText([...path, "model"]),
        message: `no model "${model}" in the device library (${hint})`,
        code: "MODEL_UNKNOWN",
      },
    ];
  });
}

/** A counter in `count` says nothing until the site says what a count is worth. */
function countersAreKnown(document: unknown, models: ModelLookup): readonly Finding[] {
  return meters(document).flatMap(({ meter, path }): Finding[] => {
    const model = models.find(textOf(field(meter, "model")) ?? "");
    const carrier = CARRIER_IDS.find((id) => id === field(meter, "carrier"));
    if (model === undefined || carrier === undefined || field(meter, "m3_per_count") !== undefined) return [];
    const counter = model.registers.find(
      (register) => register.unit === "count" && CARRIERS[carrier].counters.some((id) => id === register.quantity),
    );
    if (counter === undefined) return [];
    return [
      {
        path: pathText([...path, "m3_per_count"]),
        message: `is missing: ${model.id} counts ${counter.quantity} in units that no register tells, so the meter is refused for accounting (read the m³ per count off its display or certificate)`,
        code: "COUNTER_RESOLUTION_UNKNOWN",
      },
    ];
  });
}

/** Liquids are booked by the density and calorific value of their factor; only gas has a certificate per normal m³. */
function ncvBelongsToGas(document: unknown): readonly Finding[] {
  return meters(document).flatMap(({ meter, path }): Finding[] => {
    const carrier = CARRIER_IDS.find((id) => id === field(meter, "carrier"));
    if (carrier === undefined || field(meter, "ncv") === undefined) return [];
    const isGas = CARRIERS[carrier].counters[0] === "volume_base_total";
    return isGas
      ? []
      : [{ path: pathText([...path, "ncv"]), message: `belongs to gas metered in Nm3, not to ${carrier}` }];
  });
}

/** With a transformer before it, the meter's class alone says nothing. */
function classesAreWhole(document: unknown): readonly Finding[] {
  return meters(document).flatMap(({ meter, path }): Finding[] => {
    const has = (key: string) => field(meter, key) !== undefined;
    const say = (key: string, message: string): Finding => ({ path: pathText([...path, key]), message });
    const isTransformed = (key: string) => has(key) && field(meter, key) !== 1;
    const found: Finding[] = [];
    if (!has("meter_class")) {
      for (const key of ["ct_class", "vt_class"])
        if (has(key)) found.push(say(key, "has no effect without meter_class"));
      return found;
    }
    for (const side of ["ct", "vt"]) {
      if (isTransformed(`${side}_ratio`) && !has(`${side}_class`)) {
        found.push(say(`${side}_class`, `is missing: with ${side}_ratio the meter's own class is not the whole error`));
      }
    }
    return found;
  });
}

function supplierSellsAcrossAFence(document: unknown): readonly Finding[] {
  return meters(document).flatMap(({ meter, path }): Finding[] => {
    const supplier = textOf(field(meter, "supplier"));
    if (supplier === undefined) return [];
    const at = pathText([...path, "supplier"]);
    if (supplier === textOf(field(document, "site"))) {
      return [{ path: at, message: `"${supplier}" is this site itself: what one makes oneself is not bought` }];
    }
    const carrier = CARRIER_IDS.find((id) => id === field(meter, "carrier"));
    const isBought = carrier === undefined || CARRIERS[carrier].scope === 2;
    const isAtFence =
      textOf(field(meter, "parent")) === undefined && (textOf(field(meter, "role")) ?? "import") === "import";
    return isBought && isAtFence
      ? []
      : [{ path: at, message: "belongs to a meter of bought power, steam, heat or cold at the site's boundary" }];
  });
}

/** An interval in which a counter was never read has no energy of its own. */
function energyWithinInterval(document: unknown): readonly Finding[] {
  const length = parseDuration(textOf(field(document, "interval")) ?? "15min");
  if (!length.ok) return [];
  return meters(document).flatMap(({ meter, path }): Finding[] => {
    const written = field(meter, "every");
    const energy = textOf(written) ?? textOf(field(written, "energy"));
    const period = energy === undefined ? null : parseDuration(energy);
    if (period === null || !period.ok || period.value <= length.value) return [];
    const at = typeof written === "string" ? ["every"] : ["every", "energy"];
    return [
      {
        path: pathText([...path, ...at]),
        message: `"${energy}" is longer than the accounting interval (allowed: at most ${formatDuration(length.value)})`,
      },
    ];
  });
}
