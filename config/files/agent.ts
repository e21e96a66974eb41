import { z } from "zod";
import { type CarrierId, METER_ROLES, METERED_CARRIER_IDS } from "../../core/emission/carriers.ts";
import { bilingual, notation, positive, section, shown, text, wholeNumber } from "../fields.ts";
import { parseAccuracyClass } from "../notation/accuracyClass.ts";
import { parseBusUrl } from "../notation/busUrl.ts";
import { DECIMAL_TEXT } from "../notation/decimalText.ts";
import { parseDuration } from "../notation/duration.ts";
import { parsed, wrong } from "../notation/parsed.ts";
import { parseSize } from "../notation/size.ts";
import type { FileSpec } from "../parse.ts";
import { agentRules, type ModelLookup } from "./agentRules.ts";
import {
  brokerUrl,
  credentials,
  duration,
  durationWithin,
  factorsDir,
  groupName,
  listenAddress,
  timeZone,
  tlsFiles,
  topicName,
} from "./shared.ts";

/** How often to read what moves fast, what is differenced, and what hardly ever changes. */
export interface PollPeriods {
  readonly power_ms: number;
  readonly energy_ms: number;
  readonly settings_ms: number;
}

/** Counters carry the energy, so they need no second-by-second reading; settings change when an electrician is there. */
const EVERY_DEFAULT: PollPeriods = { power_ms: 1000, energy_ms: 10_000, settings_ms: 86_400_000 };

const every = z
  .union([
    duration("How often everything is read").transform(
      (period_ms): PollPeriods => ({
        power_ms: period_ms,
        energy_ms: period_ms,
        settings_ms: Math.max(period_ms, EVERY_DEFAULT.settings_ms),
      }),
    ),
    section({
      power: duration("Instantaneous values").exactOptional(),
      energy: duration("Counters").exactOptional(),
      settings: duration("Settings and identity").exactOptional(),
    }).transform(
      ({ power, energy, settings }): PollPeriods => ({
        power_ms: power ?? EVERY_DEFAULT.power_ms,
        energy_ms: energy ?? EVERY_DEFAULT.energy_ms,
        settings_ms: settings ?? EVERY_DEFAULT.settings_ms,
      }),
    ),
  ])
  .describe("Poll period: a duration for all, or {power, energy, settings}");

/** A decimal number kept as its digits; a plain YAML number is taken over as it is printed. */
const decimalText = (description: string) =>
  z
    .union([
      z.number().positive(),
      z.string().regex(DECIMAL_TEXT, {
        error: (issue) => `${shown(issue.input)} is not a decimal number (allowed: e.g. 37.68)`,
      }),
    ])
    .transform(String)
    .describe(description);

/** The number on the plate; YAML reads 0.5 as a number and 0.5S as text. */
const accuracyClass = (description: string) =>
  z
    .union([z.number(), z.string()])
    .transform((written, context): number => {
      const result = parseAccuracyClass(String(written));
      if (result.ok) return result.value;
      context.issues.push({ code: "custom", message: result.problem, input: written });
      return z.NEVER;
    })
    .describe(`${description}: limit of error in per cent, e.g. 0.5S`);

export const meterSchema = section({
  id: topicName("Name of the meter, unique under its gateway: the Sparkplug device id"),
  name: bilingual("What people call it").exactOptional(),
  unit: wholeNumber(0, 255, "Modbus unit (slave) number"),
  model: text("Id of the device library, or a model file (.yaml) relative to this file"),
  carrier: z.enum(METERED_CARRIER_IDS).describe("What flows through the meter"),
  role: z
    .enum(METER_ROLES)
    .describe("import: across the site's fence; generation: made on site; use: consumer or sub-meter")
    .exactOptional(),
  parent: text("Id of the meter this one is fed through; none = at the site's boundary").exactOptional(),
  every: every.exactOptional(),
  ct_ratio: positive("Current transformer: primary over secondary, e.g. 80 for 400/5 A").exactOptional(),
  vt_ratio: positive("Voltage transformer: primary over secondary").exactOptional(),
  nominal_V: positive("Nominal voltage, phase to neutral, e.g. 230; sets the plausibility limit").exactOptional(),
  rated_power_W: positive("Greatest power that can flow, W; sets the plausibility limit").exactOptional(),
  rated_flow_m3_per_h: positive(
    "Greatest flow of gas, water or liquid fuel, m³/h; sets the plausibility limit",
  ).exactOptional(),
  m3_per_count: positive("Volume of one count of a gas or water counter, m³").exactOptional(),
  ncv: section({
    value: decimalText("Net calorific value"),
    unit: z.literal("MJ/Nm3"),
    source: text("Where it comes from, e.g. the supplier's certificate and month"),
  })
    .describe("Calorific value of the gas")
    .exactOptional(),
  meter_class: accuracyClass("Accuracy class of the meter").exactOptional(),
  ct_class: accuracyClass("Accuracy class of its current transformers").exactOptional(),
  vt_class: accuracyClass("Accuracy class of its voltage transformers").exactOptional(),
  supplier: topicName(
    "Site of the same zone that sells what flows through (steam, heat, power): counted once in the zone's total",
  ).exactOptional(),
})
  .transform(({ role, parent, every, ...meter }) => ({
    ...meter,
    role: role ?? defaultRole(meter.carrier, parent),
    parent: parent ?? null,
    every: every ?? EVERY_DEFAULT,
  }))
  .readonly();

/** Solar is made on site; anything else without a parent comes in through the fence, and with one is a consumer. */
function defaultRole(carrier: CarrierId, parent: string | undefined): (typeof METER_ROLES)[number] {
  if (carrier === "solar") return "generation";
  return parent === undefined ? "import" : "use";
}

/** Who says that the clock was set: systemd's time service where it runs, nobody, or the one who makes a file. */
export type ClockSetBy =
  | { readonly kind: "system" }
  | { readonly kind: "nobody" }
  | { readonly kind: "file"; readonly file: string };

const clockSetBy = notation(
  (written) => {
    if (written === "system" || written === "nobody") return parsed<ClockSetBy>({ kind: written });
    if (written.startsWith("/")) return parsed<ClockSetBy>({ kind: "file", file: written });
    return wrong(`"${written}" is not known (allowed: system, nobody, or the whole path of a file)`);
  },
  "system, nobody, or the whole path of a file",
  "Who says that the clock was set. system: systemd's time service, where it runs; nobody: a clock with a battery that no server sets; a file: set once it is there, for chrony and others",
);

const DAY_MS = 86_400_000;

const interval = notation(
  (written) => {
    const length = parseDuration(written);
    if (!length.ok) return length;
    if (length.value < 1000) return { ok: false, problem: `"${written}" is too short (allowed: at least 1s)` };
    if (DAY_MS % length.value !== 0)
      return { ok: false, problem: `"${written}" does not divide a day (allowed: e.g. 1min, 5min, 15min, 30min, 1h)` };
    return length;
  },
  "a duration such as 15min",
  "Length of an accounting interval; it must divide a day",
);

export const agentSchema = section({
  zone: groupName("Id of the zone: the Sparkplug group id"),
  site: topicName("Id of the site (factory) this gateway stands in"),
  gateway: topicName("Id of this gateway, unique in the zone: the Sparkplug edge node id"),
  data_dir: text("Folder of the journal, relative to this file"),
  interval: interval.prefault("15min"),
  time_zone: timeZone(),
  buses: z
    .array(
      section({
        id: topicName("Name of the bus, for logs and pages"),
        url: notation(parseBusUrl, "an address such as tcp://192.168.1.5:502", "Where the bus is"),
        timeout: duration("How long to wait for an answer").prefault("1s"),
        meters: z.array(meterSchema).min(1).max(247).readonly().describe("Meters on this bus"),
      })
        .transform(({ timeout, ...bus }) => ({ ...bus, timeout_ms: timeout }))
        .readonly(),
    )
    .min(1)
    .max(32)
    .readonly()
    .describe("Buses: serial lines and TCP connections"),
  uplink: section({
    url: brokerUrl("The MQTT broker"),
    host_id: topicName("Sparkplug host to wait for; absent = publish without waiting for one").exactOptional(),
    delivery: z
      .enum(["required", "auto", "off"])
      .prefault("auto")
      .describe(
        "required: keep everything until the collector confirmed it; auto: as off until it once did; off: publish and forget",
      ),
    meter_return: z
      .enum(["alone", "with-node"])
      .prefault("alone")
      .describe(
        "How a meter that answers again is announced: alone: by its own birth; with-node: by all births anew, for SCADA systems that take no later ones",
      ),
    ...credentials,
    ...tlsFiles,
  })
    .transform(({ host_id, ...uplink }) => ({ ...uplink, host_id: host_id ?? null }))
    .readonly()
    .describe("Where readings go"),
  journal: section({
    max_bytes: notation(parseSize, "a size such as 4GiB", "Most the journal may take on disk").prefault("4GiB"),
    max_age: duration(
      "How long confirmed readings are kept; unconfirmed ones have no age, interval and emission records 60 days at least",
    ).prefault("60d"),
  })
    .transform(({ max_bytes, max_age }) => ({ max_bytes, max_age_ms: max_age }))
    .readonly()
    .prefault({})
    .describe("What the gateway holds while the collector cannot be reached"),
  clock: section({
    set_by: clockSetBy.prefault("system"),
    wait: durationWithin(
      "1s",
      "1h",
      "How long readings wait for a clock that was not set; after that they go out as uncertain",
    ).prefault("10min"),
  })
    .transform(({ set_by, wait }) => ({ set_by, wait_ms: wait }))
    .readonly()
    .prefault({})
    .describe("When the gateway's clock is believed"),
  ...factorsDir,
  listen: listenAddress("Health, metrics and the gateway's page").prefault("127.0.0.1:8081"),
})
  .transform(({ interval, ...agent }) => ({ ...agent, interval_ms: interval }))
  .readonly();

export type AgentConfig = z.output<typeof agentSchema>;
export type BusConfig = AgentConfig["buses"][number];
export type MeterConfig = BusConfig["meters"][number];

export function agentSpec(models: ModelLookup): FileSpec<AgentConfig> {
  return {
    schema: agentSchema,
    rules: agentRules(models),
  };
}
