/**
 * The installer's page as data: every figure, what it should be, and why it is not, in words of both languages. Pure; the
 * browser only lays it out. This is the document of `GET /api/status`.
 */
import { CARRIERS, type CarrierId, type MeterRole } from "../../core/emission/carriers.ts";
import type { Interval } from "../../core/interval/interval.ts";
import type { DeviceDefinition } from "../../core/model/deviceDefinition.ts";
import type { EpochMs, Reading } from "../../core/reading/reading.ts";
import { QUANTITIES, type QuantityId } from "../../core/units/quantities.ts";
import { UNITS } from "../../core/units/units.ts";
import type { JournalStatus } from "../journal/journal.ts";
import type { BlockSetAside, BlockStatus, BusStatus, MeterStatus } from "../poll/status.ts";
import type { EdgeNodeStatus } from "../uplink/edgeNode.ts";
import { type Expected, judge, type Level } from "./expected.ts";
import { settingName } from "./settingNames.ts";
import { both, type Text } from "./text.ts";
import {
  busWords,
  changedText,
  errorText,
  journalWords,
  meterWords,
  type Now,
  pastErrorText,
  type StateWords,
  setAsideText,
  uplinkWords,
} from "./words.ts";

/** What the page tells about one gateway. */
export interface GatewayFacts {
  readonly gateway: string;
  readonly site: string;
  readonly zone: string;
  readonly version: string;
  readonly pid: number;
  readonly now_ms: EpochMs;
  readonly timeZone: string;
  readonly uplink: EdgeNodeStatus & { readonly url: string };
  readonly journal: JournalStatus;
  readonly buses: readonly BusFacts[];
}

export interface BusFacts extends Omit<BusStatus, "meters"> {
  readonly meters: readonly MeterFacts[];
}

export interface MeterFacts extends MeterStatus {
  readonly name: Text | null;
  readonly carrier: CarrierId;
  readonly role: MeterRole;
  /** null: its SunSpec map has not been found yet. */
  readonly definition: DeviceDefinition | null;
  readonly last: ReadonlyMap<QuantityId, Reading>;
  /** The last interval of each counter that was closed since the start. */
  readonly intervals: ReadonlyMap<QuantityId, Interval>;
}

export interface ValueView {
  readonly quantity: QuantityId;
  readonly name: Text;
  readonly value: number | null;
  readonly unit: Text;
  readonly expected: Expected | null;
  readonly level: Level;
  readonly why: Text | null;
  readonly at_ms: EpochMs;
  readonly age_ms: number;
  /** Older than three of its poll periods. */
  readonly isOld: boolean;
  /** Among the first an installer looks at. */
  readonly isMain: boolean;
}

export interface CounterView {
  readonly quantity: QuantityId;
  readonly name: Text;
  /** Exact decimal text in `unit`; null = never read. */
  readonly total: string | null;
  readonly unit: Text;
  readonly age_ms: number | null;
  /** The last interval closed since the start; `amount` is decimal text in `unit`, null = unknown. */
  readonly interval: {
    readonly from_ms: EpochMs;
    readonly to_ms: EpochMs;
    readonly amount: string | null;
    readonly flag: Interval["flag"];
    readonly coverage: number;
  } | null;
}

export interface MeterView {
  readonly id: string;
  readonly name: Text;
  readonly unit: number;
  readonly model: string;
  readonly carrier: Text;
  readonly state: StateWords;
  readonly isAnswering: boolean;
  /** The worst of its values. */
  readonly worst: Level;
  /** What went wrong last and what to do; `detail` as the poller says it, in English. */
  readonly lastError: { readonly text: Text; readonly detail: string; readonly at_ms: EpochMs } | null;
  readonly lastPoll_ms: number | null;
  readonly values: readonly ValueView[];
  readonly counters: readonly CounterView[];
  readonly setAside: readonly SetAsideView[];
  readonly settings: readonly SettingView[];
}

/** What the meter says about its transformers, modes and itself. */
export interface SettingView {
  /** Of its register. */
  readonly name: string;
  readonly label: Text;
  readonly value: string;
  readonly unit: string;
  readonly since_ms: EpochMs;
  /** That it is another one than before; null = it never changed. */
  readonly changed: Text | null;
}

export interface SetAsideView {
  readonly fc: 3 | 4;
  readonly address: number;
  readonly count: number;
  readonly registers: readonly string[];
  readonly why: Text;
  readonly retryAt_ms: EpochMs;
}

export interface BusView extends Omit<BusStatus, "meters" | "backoffUntil_ms"> {
  readonly state: StateWords;
  readonly meters: readonly MeterView[];
}

export interface GatewayView {
  readonly gateway: string;
  readonly site: string;
  readonly zone: string;
  readonly software: string;
  readonly pid: number;
  readonly now_ms: EpochMs;
  readonly time_zone: string;
  readonly epoch: string;
  readonly uplink: StateWords & {
    readonly url: string;
    readonly unconfirmed: number;
    readonly oldest_ms: EpochMs | null;
    readonly inFlight_bytes: number;
    readonly window_bytes: number;
    readonly sent: number;
    readonly resent: number;
  };
  readonly journal: StateWords & {
    readonly bytes: number;
    readonly bound_bytes: number;
    readonly setAside: readonly string[];
  };
  readonly buses: readonly BusView[];
}

/** Readings older than this many poll periods are old. */
const OLD_AFTER_PERIODS = 3;

export function gatewayView(facts: GatewayFacts): GatewayView {
  const { uplink, journal } = facts;
  return {
    gateway: facts.gateway,
    site: facts.site,
    zone: facts.zone,
    software: `khuxanh ${facts.version}`,
    pid: facts.pid,
    now_ms: facts.now_ms,
    time_zone: facts.timeZone,
    epoch: journal.epoch,
    uplink: {
      ...uplinkWords(uplink, journal, facts),
      url: uplink.url,
      unconfirmed: journal.unconfirmed,
      oldest_ms: journal.oldestUnconfirmed_ms,
      inFlight_bytes: uplink.inFlight_bytes,
      window_bytes: uplink.window_bytes,
      sent: uplink.sent,
      resent: uplink.resent,
    },
    journal: {
      ...journalWords(journal),
      bytes: journal.bytes,
      bound_bytes: journal.bound_bytes,
      setAside: journal.setAside,
    },
    buses: facts.buses.map((bus) => busView(bus, facts)),
  };
}

function busView({ meters, backoffUntil_ms, ...bus }: BusFacts, now: Now): BusView {
  return {
    ...bus,
    state: busWords({ ...bus, meters, backoffUntil_ms }, now),
    meters: meters.map((meter) => meterView(meter, now)),
  };
}

export function meterView(meter: MeterFacts, now: Now): MeterView {
  const { definition, lastError } = meter;
  const values = definition === null ? [] : valueViews(meter, definition, now.now_ms);
  return {
    id: meter.device,
    name: meter.name ?? both(meter.device, meter.device),
    unit: meter.unit,
    model: meter.model,
    carrier: CARRIERS[meter.carrier].display,
    state: meterWords(meter, now),
    isAnswering: meter.isAnswering,
    worst: worstOf(values),
    lastError:
      lastError === null
        ? null
        : {
            text: meter.isAnswering ? pastErrorText(lastError, now) : errorText(lastError, now),
            detail: lastError.words,
            at_ms: lastError.at_ms,
          },
    lastPoll_ms: meter.lastPollDuration_ms,
    values,
    counters: definition === null ? [] : counterViews(meter, definition, now.now_ms),
    setAside: meter.blocks
      .filter((block): block is BlockStatus & BlockSetAside => block.state === "set-aside")
      .map(({ fc, address, count, registers, why, retryAt_ms }) => ({
        fc,
        address,
        count,
        registers,
        why: setAsideText({ why, retryAt_ms }, now),
        retryAt_ms,
      })),
    settings: meter.settings.map((setting) => ({
      name: setting.name,
      label: settingName(setting.name),
      value: setting.value,
      unit: setting.unit,
      since_ms: setting.since_ms,
      changed: changedText(setting, now),
    })),
  };
}

function valueViews(meter: MeterFacts, definition: DeviceDefinition, now_ms: EpochMs): ValueView[] {
  const values = definition.registers.flatMap(({ register, every_ms }): ValueView[] => {
    const { quantity } = register;
    const reading = quantity === undefined ? undefined : meter.last.get(quantity);
    if (quantity === undefined || reading === undefined || typeof reading.value === "bigint") return [];
    if (QUANTITIES[quantity].kind === "counter") return [];
    const row = QUANTITIES[quantity];
    const age_ms = Math.max(0, now_ms - reading.at_ms);
    return [
      {
        quantity,
        name: SHORT_NAMES[quantity] ?? row.display,
        value: reading.value,
        unit: UNITS[row.unit].display,
        ...judge(reading, { role: meter.role, settings: definition.settings, coding: register.coding }),
        at_ms: reading.at_ms,
        age_ms,
        isOld: age_ms > OLD_AFTER_PERIODS * Math.max(every_ms, 1000),
        isMain: rankOf(quantity) < MAIN.length,
      },
    ];
  });
  return values.sort((a, b) => rankOf(a.quantity) - rankOf(b.quantity));
}

/** Under a meter's name nobody needs the whole name of what is looked at first. */
const SHORT_NAMES: Partial<Record<QuantityId, Text>> = {
  active_power_total: both("Công suất", "Power"),
  active_power_l1: both("Công suất pha 1", "Power L1"),
  active_power_l2: both("Công suất pha 2", "Power L2"),
  active_power_l3: both("Công suất pha 3", "Power L3"),
  power_factor_total: both("Hệ số công suất", "Power factor"),
  power_factor_avg: both("Hệ số công suất", "Power factor"),
};

/** What an installer looks at first, in that order. */
const MAIN: readonly RegExp[] = [
  /^active_power_total$/,
  /^voltage_l1$/,
  /^voltage_l2$/,
  /^voltage_l3$/,
  /^current_l[123]$/,
  /^frequency$/,
  /^(power_factor|cos_phi)_(total|avg)$/,
  /^active_power_l[123]$/,
  /^(volume_flow|volume_flow_lps|flow_base|flow_measured)$/,
  /^pressure_absolute$/,
  /^temperature_(gas|supply|return)$/,
  /^thermal_power$/,
];

function rankOf(quantity: QuantityId): number {
  const rank = MAIN.findIndex((pattern) => pattern.test(quantity));
  return rank === -1 ? MAIN.length : rank;
}

function counterViews(meter: MeterFacts, definition: DeviceDefinition, now_ms: EpochMs): CounterView[] {
  return definition.counters.map(({ quantity, tick }) => {
    const row = QUANTITIES[quantity];
    const reading = meter.last.get(quantity);
    const interval = meter.intervals.get(quantity);
    return {
      quantity,
      name: row.display,
      total: typeof reading?.value === "bigint" ? ticksText(reading.value, tick, row.unit) : null,
      unit: UNITS[row.unit].display,
      age_ms: reading === undefined ? null : Math.max(0, now_ms - reading.at_ms),
      interval:
        interval === undefined
          ? null
          : {
              from_ms: interval.from_ms,
              to_ms: interval.to_ms,
              amount: interval.ticks === null ? null : ticksText(interval.ticks, interval.tick, row.unit),
              flag: interval.flag,
              coverage: interval.coverage,
            },
    };
  });
}

/** Ticks as exact decimal text in the quantity's unit: ticks of Wh show as kWh. */
export function ticksText(
  ticks: bigint,
  tick: { readonly amount: string; readonly unit: string },
  unit: string,
): string {
  const [whole = "0", decimals = ""] = tick.amount.split(".");
  const isThousandth = unit === `k${tick.unit}`;
  const places = decimals.length + (isThousandth ? 3 : 0);
  const scaled = ticks * BigInt(whole + decimals);
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(places + 1, "0");
  const sign = scaled < 0n ? "-" : "";
  const cut = digits.length - places;
  return places === 0 ? sign + digits : `${sign}${digits.slice(0, cut)}.${digits.slice(cut)}`;
}

function worstOf(values: readonly ValueView[]): Level {
  if (values.some(({ level }) => level === "bad")) return "bad";
  return values.some(({ level }) => level === "watch") ? "watch" : "ok";
}
