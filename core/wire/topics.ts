import { KhuXanhError } from "../errors.ts";

/**
 * Topics of Sparkplug B 3.0: `spBv1.0/<group>/<kind>/<edge>[/<device>]` and `spBv1.0/STATE/<host>`.
 *
 * Group = zone, edge = gateway, device = meter (contracts.md). Building refuses what parsing would not give back, and
 * parsing gives only what building accepts: the two are each other's inverse.
 */
export const NAMESPACE = "spBv1.0";

/** What a host subscribes to (the official TCK demands this very filter). */
export const ALL_TOPICS_FILTER = `${NAMESPACE}/#`;

/** An id longer than this is refused; a whole topic then stays far below MQTT's 65,535 bytes. */
export const ID_LENGTH_MAX = 255;

const LEVELS_MAX = 5;
const STATE_LEVELS = 3;

const NODE_KINDS = ["NBIRTH", "NDEATH", "NDATA", "NCMD"] as const;
const DEVICE_KINDS = ["DBIRTH", "DDEATH", "DDATA", "DCMD"] as const;

export type NodeKind = (typeof NODE_KINDS)[number];
export type DeviceKind = (typeof DEVICE_KINDS)[number];

export interface NodeTopic {
  readonly kind: NodeKind;
  readonly group: string;
  readonly edge: string;
}

export interface DeviceTopic {
  readonly kind: DeviceKind;
  readonly group: string;
  readonly edge: string;
  readonly device: string;
}

export interface StateTopic {
  readonly kind: "STATE";
  readonly host: string;
}

export type Topic = NodeTopic | DeviceTopic | StateTopic;

/** Which id of a topic is meant. */
export type IdRole = "group" | "edge" | "device" | "host";

/** @throws {KhuXanhError} CONFIG_INVALID if an id cannot stand in a topic. */
export function topicOf(topic: Topic): string {
  if (topic.kind === "STATE") {
    assertId(topic.host, "host");
    return `${NAMESPACE}/STATE/${topic.host}`;
  }
  assertId(topic.group, "group");
  assertId(topic.edge, "edge");
  const node = `${NAMESPACE}/${topic.group}/${topic.kind}/${topic.edge}`;
  if (!("device" in topic)) return node;
  assertId(topic.device, "device");
  return `${node}/${topic.device}`;
}

/** Filter for the commands to every device of one edge node; node commands have a topic of their own. */
export function deviceCommandFilter(node: { readonly group: string; readonly edge: string }): string {
  return `${topicOf({ kind: "DCMD", ...node, device: "any" }).slice(0, -"any".length)}+`;
}

/** Null for everything that is no Sparkplug topic: other traffic on a shared broker is none of our business. */
export function parseTopic(text: string): Topic | null {
  const levels = text.split("/", LEVELS_MAX + 1);
  const [namespace, group = "", kind = "", edge = "", device] = levels;
  if (namespace !== NAMESPACE || levels.length > LEVELS_MAX) return null;
  if (group === "STATE") return levels.length === STATE_LEVELS ? stateTopic(kind) : null;
  if (idProblem(group, "group") !== null || idProblem(edge, "edge") !== null) return null;
  if (device === undefined) return isNodeKind(kind) ? { kind, group, edge } : null;
  if (!isDeviceKind(kind) || idProblem(device, "device") !== null) return null;
  return { kind, group, edge, device };
}

/** @throws {KhuXanhError} CONFIG_INVALID: empty, too long, `+ # /`, control characters, or "STATE" as a group. */
export function assertId(id: string, what: IdRole): void {
  const problem = idProblem(id, what);
  if (problem === null) return;
  throw new KhuXanhError("CONFIG_INVALID", `${what} id ${JSON.stringify(id.slice(0, 80))} ${problem}`, {
    hint: "Use letters, digits, - and _ in ids; they become levels of an MQTT topic.",
    context: { what },
  });
}

function stateTopic(host: string): StateTopic | null {
  return idProblem(host, "host") === null ? { kind: "STATE", host } : null;
}

function idProblem(id: string, what: IdRole): string | null {
  if (id === "") return "is empty";
  if (id.length > ID_LENGTH_MAX) return `is longer than ${ID_LENGTH_MAX} characters`;
  if (/[+#/]/.test(id)) return "contains one of + # /";
  if (/\p{Cc}/u.test(id) || !id.isWellFormed()) return "contains a control character or is not valid Unicode";
  // `spBv1.0/STATE/<host>` would be read as a node topic of that group.
  if (what === "group" && id === "STATE") return "is reserved for host states";
  return null;
}

function isNodeKind(kind: string): kind is NodeKind {
  return (NODE_KINDS as readonly string[]).includes(kind);
}

function isDeviceKind(kind: string): kind is DeviceKind {
  return (DEVICE_KINDS as readonly string[]).includes(kind);
}
