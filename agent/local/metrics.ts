import type { GatewayCounts } from "../gateway.ts";
import type { JournalStatus } from "../journal/journal.ts";
import type { BusStatus } from "../poll/status.ts";
import type { EdgeNodeStatus } from "../uplink/edgeNode.ts";

export interface GatewayStatus {
  readonly gateway: string;
  readonly site: string;
  readonly zone: string;
  readonly version: string;
  readonly meters: readonly {
    readonly id: string;
    readonly model: string;
    readonly answering: boolean;
    /** Why it is not, in words; null = it is, or was not asked yet. */
    readonly error: string | null;
  }[];
  readonly counts: GatewayCounts;
  readonly journal: JournalStatus;
  readonly uplink: EdgeNodeStatus;
}

/** Prometheus text exposition format 0.0.4. */
export function prometheusText(status: GatewayStatus, buses: readonly BusStatus[]): string {
  const { counts, journal, uplink } = status;
  const rows: readonly (readonly [name: string, kind: "counter" | "gauge", help: string, value: number])[] = [
    ["khuxanh_polls_total", "counter", "Polls of a meter.", counts.polls],
    ["khuxanh_polls_failed_total", "counter", "Polls that brought no word.", counts.failedPolls],
    ["khuxanh_readings_total", "counter", "Readings decoded.", counts.readings],
    ["khuxanh_intervals_total", "counter", "Accounting intervals closed.", counts.intervals],
    ["khuxanh_samples_dropped_total", "counter", "Samples that could not be journaled.", counts.droppedSamples],
    ["khuxanh_bus_overruns_total", "counter", "Polls left out because the line was busy.", counts.busOverruns],
    ["khuxanh_meters_answering", "gauge", "Meters that answer.", status.meters.filter((m) => m.answering).length],
    ["khuxanh_journal_bytes", "gauge", "Journal on disk.", journal.bytes],
    ["khuxanh_journal_unconfirmed", "gauge", "Batches the collector has not confirmed.", journal.unconfirmed],
    ["khuxanh_journal_bound_bytes", "gauge", "What the journal may take on disk.", journal.bound_bytes],
    ["khuxanh_journal_lost_total", "counter", "Batches and samples lost, each in a loss record.", journal.lost],
    ["khuxanh_journal_writable", "gauge", "1 if the last commit was written.", journal.isWritable ? 1 : 0],
    [
      "khuxanh_journal_backlog_alarm",
      "gauge",
      "1 if what is unconfirmed fills half of the bound.",
      journal.isBacklogAlarming ? 1 : 0,
    ],
    ["khuxanh_uplink_born", "gauge", "1 if a Sparkplug session is born.", uplink.state === "born" ? 1 : 0],
    ["khuxanh_uplink_sent_total", "counter", "Batches sent for the first time.", uplink.sent],
    ["khuxanh_uplink_resent_total", "counter", "Batches sent again.", uplink.resent],
  ];
  return [
    ...rows.map(([name, kind, help, value]) => `${head(name, kind, help)}${name} ${value}\n`),
    busText(buses),
  ].join("");
}

function busText(buses: readonly BusStatus[]): string {
  const rows: readonly (readonly [
    name: string,
    kind: "counter" | "gauge",
    help: string,
    of: (bus: BusStatus) => number,
  ])[] = [
    [
      "khuxanh_bus_load_ratio",
      "gauge",
      "Share of the last ten seconds a line was in use.",
      (bus) => bus.load_pct / 100,
    ],
    ["khuxanh_bus_needed_seconds", "gauge", "Line time a cycle asks for.", (bus) => bus.needed_ms / 1000],
    ["khuxanh_bus_available_seconds", "gauge", "Line time there is in a cycle.", (bus) => bus.available_ms / 1000],
    ["khuxanh_bus_missed_polls_total", "counter", "Polls left out because the line was busy.", (bus) => bus.overruns],
  ];
  return rows
    .map(([name, kind, help, of]) =>
      [head(name, kind, help), ...buses.map((bus) => `${name}{bus="${escaped(bus.id)}"} ${of(bus)}\n`)].join(""),
    )
    .join("");
}

/** A label's value, by the format's own rules. */
function escaped(value: string): string {
  return value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}

function head(name: string, kind: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
}
