import { offer } from "../nearest.ts";
import { parseHostPort } from "./address.ts";
import { type Parsed, parsed, wrong } from "./parsed.ts";

/** An MQTT broker. `url` is complete and without credentials, as the client takes it. */
export interface BrokerUrl {
  readonly kind: "mqtt" | "mqtts";
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

const KINDS = ["mqtt", "mqtts"] as const;
/** IANA's ports of MQTT. */
const PORT = { mqtt: 1883, mqtts: 8883 } as const;

/** `mqtt://host[:1883]`, `mqtts://host[:8883]`. */
export function parseBrokerUrl(text: string): Parsed<BrokerUrl> {
  const match = /^([a-z][a-z+]*):\/\/([^?]*)$/i.exec(text.trim());
  if (match === null) return wrong(`"${text}" is not a broker address (allowed: mqtt://host:1883, mqtts://host:8883)`);
  const [, scheme = "", place = ""] = match;
  const kind = KINDS.find((known) => known === scheme);
  if (kind === undefined) return wrong(`"${scheme}://" is no kind of broker${offer(scheme, KINDS)}`);
  if (place.includes("@")) return wrong("a password does not belong in the address (use username and password_file)");
  const address = parseHostPort(place.replace(/\/$/, ""));
  if (!address.ok) return address;
  const { host, port: written } = address.value;
  const port = written ?? PORT[kind];
  return parsed({ kind, host, port, url: `${kind}://${host.includes(":") ? `[${host}]` : host}:${port}` });
}
