import { NAMESPACE, parseTopic } from "../../core/wire/topics.ts";

/**
 * Who may say and hear what on the zone's broker. The same rules as `packaging/mosquitto/acl`, for the embedded one.
 *
 * host      the collector itself: its own STATE, commands to every node of the zone; hears everything
 * gateway   births, data and deaths under its own name (user name = edge node id); hears its own commands and host states
 * reader    says nothing; hears everything. For SCADA, Grafana and people looking on
 */
export type Role = "host" | "gateway" | "reader";

export interface Account {
  readonly name: string;
  readonly role: Role;
}

export interface Place {
  /** Sparkplug group. */
  readonly zone: string;
  /** Sparkplug host id of the collector. */
  readonly hostId: string;
}

const GATEWAY_SAYS = new Set(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]);

/** Whether this account may publish to a topic. Only host states are ever retained (Sparkplug 3.0, 6.4). */
export function mayPublish(
  account: Account,
  message: { readonly topic: string; readonly retain: boolean },
  { zone, hostId }: Place,
): boolean {
  const topic = parseTopic(message.topic);
  if (topic === null) return false;
  if (topic.kind === "STATE") return account.role === "host" && topic.host === hostId;
  if (message.retain || topic.group !== zone) return false;
  switch (account.role) {
    case "host":
      return topic.kind === "NCMD" || topic.kind === "DCMD";
    case "gateway":
      return GATEWAY_SAYS.has(topic.kind) && topic.edge === account.name;
    case "reader":
      return false;
  }
}

/** Whether this account may subscribe to a filter: nothing the filter can match may be somebody else's. */
export function maySubscribe({ name, role }: Account, filter: string, { zone }: Place): boolean {
  if (role !== "gateway") return filter.startsWith(`${NAMESPACE}/`);
  const node = `${NAMESPACE}/${zone}`;
  return (
    filter === `${node}/NCMD/${name}` ||
    filter.startsWith(`${node}/DCMD/${name}/`) ||
    /^spBv1\.0\/STATE\/[^/]+$/.test(filter)
  );
}
