import type { MqttConnect } from "../../../core/ports.ts";
import { MetricName } from "../../../core/wire/ack.ts";
import { crc32c } from "../../../core/wire/crc32c.ts";
import { decodePayload, encodePayload, type Metric, type Payload } from "../../../core/wire/payload.ts";
import { parseTopic } from "../../../core/wire/topics.ts";
import type { Findings } from "../findings.ts";

/**
 * What an Edge Node may say, looked at where it leaves the gateway, before any network: the rules of Sparkplug 3.0 on births,
 * `seq` and `bdSeq`, and that a batch number means one content for ever.
 */
export class WireChecker {
  readonly #findings: Findings;
  /** Content of each batch that was ever sent: gateway, epoch and number to checksum. */
  readonly #contents = new Map<string, number>();
  readonly #connections = new Map<string, Connection>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /**
   * A connection is asked for; gives what sees everything that is published on it.
   * @param refusals how often its disk refused a write so far: a count that cannot be kept may come again after a crash
   */
  connection(who: string, options: MqttConnect, refusals: number): (topic: string, payload: Uint8Array) => void {
    const bdSeq = numberOf(decodePayload(options.will.payload).metrics, MetricName.bdSeq);
    const before = this.#connections.get(who);
    if (bdSeq === null) this.#wrong(who, "a will without bdSeq");
    const wasKept = before?.wasKept === true && before.refusals === refusals;
    if (bdSeq !== null && before?.bdSeq === bdSeq && wasKept) {
      this.#wrong(who, `bdSeq ${bdSeq} a second time in a row`);
    }
    const isKept = refusals === (before?.refusals ?? 0);
    if (bdSeq !== null) this.#connections.set(who, { bdSeq, refusals, wasKept: isKept });
    const session: Session = { bdSeq, seq: null, epoch: null, names: new Map(), births: new Map() };
    return (topic, payload) => this.#published(who, session, topic, payload);
  }

  /** Its journal is an older one: numbers and counts that it does not know of may come again. */
  restored(who: string): void {
    this.#connections.delete(who);
    for (const key of this.#contents.keys()) if (key.startsWith(`${who} `)) this.#contents.delete(key);
  }

  #published(who: string, session: Session, topicText: string, bytes: Uint8Array): void {
    const topic = parseTopic(topicText);
    if (topic === null || topic.kind === "STATE") return this.#wrong(who, `it publishes to ${topicText}`);
    const payload = decodePayload(bytes);
    if (topic.kind === "NDEATH") {
      if (numberOf(payload.metrics, MetricName.bdSeq) !== session.bdSeq)
        this.#wrong(who, "an NDEATH with another bdSeq");
      return;
    }
    this.#checkSeq(who, session, topic.kind, payload);
    if (topic.kind === "NBIRTH") return this.#nodeBirth(who, session, payload);
    if (topic.kind === "NDATA") return this.#batch(who, session, null, payload);
    if (!("device" in topic)) return;
    const { device } = topic;
    if (topic.kind === "DBIRTH") {
      session.births.set(device, true);
      session.names.set(device, namesOf(payload.metrics));
    } else if (!session.births.has(device)) this.#wrong(who, `${topic.kind} of ${device} before its birth`);
    else if (topic.kind === "DDATA") this.#batch(who, session, device, payload);
  }

  #checkSeq(who: string, session: Session, kind: string, { seq }: Payload): void {
    const wanted = kind === "NBIRTH" ? 0 : session.seq === null ? null : (session.seq + 1) % 256;
    if (wanted === null) this.#wrong(who, `${kind} before NBIRTH`);
    else if (seq !== wanted) this.#wrong(who, `${kind} with seq ${seq}, not ${wanted}`);
    session.seq = Number(seq ?? 0);
  }

  #nodeBirth(who: string, session: Session, { metrics }: Payload): void {
    if (numberOf(metrics, MetricName.bdSeq) !== session.bdSeq)
      this.#wrong(who, "an NBIRTH with another bdSeq than its will");
    session.epoch = metrics.find(({ name }) => name === MetricName.deliveryEpoch)?.stringValue ?? null;
    session.births.clear();
    session.names.clear();
    session.names.set("", namesOf(metrics));
  }

  #batch(who: string, session: Session, device: string | null, { metrics }: Payload): void {
    const names = session.names.get(device ?? "");
    const nameOf = (metric: Metric): string | undefined => metric.name ?? names?.get(Number(metric.alias));
    const unknown = metrics.find((metric) => nameOf(metric) === undefined);
    if (unknown !== undefined) this.#wrong(who, `alias ${unknown.alias} of ${device ?? "the node"} was never born`);
    const number = metrics.find((metric) => nameOf(metric) === MetricName.deliveryBatch)?.longValue;
    if (number === undefined) return;
    const content = metrics
      .filter((metric) => nameOf(metric) !== MetricName.deliveryBatch)
      .map(({ isHistorical: _flag, alias: _alias, ...metric }) => ({ ...metric, name: "x" }));
    const names_ = metrics.map((metric) => nameOf(metric)).join();
    const checksum =
      crc32c(encodePayload({ metrics: content })) ^ crc32c(new TextEncoder().encode(`${device} ${names_}`));
    const key = `${who} ${session.epoch} ${number}`;
    const known = this.#contents.get(key);
    if (known !== undefined && known !== checksum)
      this.#wrong(who, `batch ${number} of ${session.epoch} has other content than before`);
    this.#contents.set(key, checksum);
  }

  #wrong(who: string, what: string): void {
    this.#findings.report("wire", `${who}: ${what}`);
  }
}

interface Connection {
  readonly bdSeq: number;
  readonly refusals: number;
  /** Its disk refused nothing since the connection before, so this number is on it. */
  readonly wasKept: boolean;
}

interface Session {
  readonly bdSeq: number | null;
  seq: number | null;
  epoch: string | null;
  /** By device ("" is the node): alias to name. */
  readonly names: Map<string, ReadonlyMap<number, string>>;
  readonly births: Map<string, true>;
}

function namesOf(metrics: readonly Metric[]): ReadonlyMap<number, string> {
  return new Map(
    metrics.flatMap(({ name, alias }) => (name === undefined || alias === undefined ? [] : [[Number(alias), name]])),
  );
}

function numberOf(metrics: readonly Metric[], wanted: string): number | null {
  const value = metrics.find(({ name }) => name === wanted)?.longValue;
  return value === undefined ? null : Number(value);
}
