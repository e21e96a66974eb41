import { z } from "zod";
import { type Finding, pathText } from "../explain.ts";
import { bilingual, notation, section, text } from "../fields.ts";
import { isLoopback, parseListenAnywhere } from "../notation/address.ts";
import { parsed, wrong } from "../notation/parsed.ts";
import type { FileSpec } from "../parse.ts";
import { duplicates, field, list, type Named, textOf } from "../rules.ts";
import {
  brokerUrl,
  clientFindings,
  credentials,
  durationWithin,
  factorsDir,
  groupName,
  listenAddress,
  openListenAddress,
  timeZone,
  tlsFiles,
  topicName,
} from "./shared.ts";

const httpUrl = (description: string) =>
  notation(
    (written) =>
      /^https?:\/\/[^\s/@]+(\/\S*)?$/.test(written)
        ? parsed(written.replace(/\/$/, ""))
        : wrong(`"${written}" is not a web address (allowed: http://host:8086, https://host:8086)`),
    "an address such as http://127.0.0.1:8086",
    description,
  );

/** The broker inside the collector, or one elsewhere. */
const broker = z.union([
  section({
    embedded: openListenAddress("Where the embedded broker listens"),
    users_file: text("Accounts of the gateways, made by khuxanh passwd; without it nobody is asked").exactOptional(),
    cert_file: text("PEM file of the broker's certificate: TLS").exactOptional(),
    key_file: text("PEM file of the certificate's key").exactOptional(),
    ca_file: text("PEM file of the authorities that vouch for gateways' certificates: mutual TLS").exactOptional(),
  })
    .transform(({ embedded, ...guard }) => ({ kind: "embedded" as const, listen: embedded, ...guard }))
    .readonly(),
  section({ url: brokerUrl("The MQTT broker"), ...credentials, ...tlsFiles })
    .transform((client) => ({ kind: "external" as const, ...client }))
    .readonly(),
]);

const store = z.discriminatedUnion("kind", [
  section({ kind: z.literal("sqlite").describe("Everything in one file of the data folder") }),
  section({
    kind: z.literal("influx").describe("Raw series in InfluxDB, the books in SQLite"),
    url: httpUrl("Address of InfluxDB"),
    database: text("Name of the database"),
    ...credentials,
  }),
]);

export const collectorSchema = section({
  zone: section({
    id: groupName("Id of the zone: the Sparkplug group id"),
    name: bilingual("What people call it"),
    time_zone: timeZone(),
  })
    .readonly()
    .describe("The industrial zone"),
  host_id: topicName("Sparkplug host id of this collector").prefault("zone-collector"),
  data_dir: text("Folder of the store, relative to this file"),
  reorder_timeout: durationWithin(
    "500ms",
    "1min",
    "A gateway whose messages have a gap for longer than this is asked for its births anew; absent = gaps are left to the delivery of batches, which closes them",
  ).exactOptional(),
  sites: z
    .array(
      section({
        id: topicName("Id of the site, as in its gateways' files"),
        name: bilingual("What people call it"),
        sector: text("Branch of industry, e.g. steel, electronics, food").prefault("other"),
        plan: section({
          x: z.number().min(0).max(1).describe("0 = west edge, 1 = east edge"),
          y: z.number().min(0).max(1).describe("0 = north edge, 1 = south edge"),
        })
          .readonly()
          .describe("Place on the zone plan")
          .exactOptional(),
        gateways: z.array(topicName("Gateway id")).min(1).max(100).readonly().describe("Its gateways"),
      }).readonly(),
    )
    .min(1)
    .max(1000)
    .readonly()
    .describe("Factories of the zone"),
  broker: broker.prefault({ embedded: "127.0.0.1:1883" }).describe("The broker: embedded, or the address of one"),
  ...factorsDir,
  fills_file: text("Gaps that people fill, and how: see config/examples/fills.yaml").exactOptional(),
  instruments_file: text(
    "Certificates, contracts and supplier's rates of scope 2: see config/examples/instruments.yaml",
  ).exactOptional(),
  assumed_factor_uncertainty_pct: z
    .number()
    .positive()
    .max(100)
    .describe("±% at 95 % taken for a factor that publishes none (the grid's); absent = totals with it have none")
    .exactOptional(),
  store: store.readonly().prefault({ kind: "sqlite" }).describe("Where readings are kept"),
  listen: listenAddress("Web page and API").prefault("127.0.0.1:8080"),
})
  .transform(({ reorder_timeout, ...collector }) => ({
    ...collector,
    ...(reorder_timeout === undefined ? {} : { reorder_timeout_ms: reorder_timeout }),
  }))
  .readonly();

export type CollectorConfig = z.output<typeof collectorSchema>;

export const collectorSpec: FileSpec<CollectorConfig> = {
  schema: collectorSchema,
  rules: [
    (document) => clientFindings(field(document, "broker"), ["broker"]),
    (document) => clientFindings(field(document, "store"), ["store"]),
    sitesOnce,
    gatewaysOnce,
    portsDiffer,
    embeddedIsProtected,
  ],
};

function sitesOnce(document: unknown): readonly Finding[] {
  const sites = list(field(document, "sites")).flatMap((site, s): Named[] => {
    const name = textOf(field(site, "id"));
    return name === undefined ? [] : [{ name, path: ["sites", s, "id"] }];
  });
  return duplicates(sites, (name) => `site id "${name}"`);
}

/** A gateway belongs to one site: its energy would be counted twice otherwise. */
function gatewaysOnce(document: unknown): readonly Finding[] {
  const gateways = list(field(document, "sites")).flatMap((site, s) =>
    list(field(site, "gateways")).flatMap((gateway, g): Named[] => {
      const name = textOf(gateway);
      return name === undefined ? [] : [{ name, path: ["sites", s, "gateways", g] }];
    }),
  );
  return duplicates(gateways, (name) => `gateway "${name}"`);
}

/** Closed until opened (architecture §4.17): other machines get in only through TLS and by an account or certificate. */
function embeddedIsProtected(document: unknown): readonly Finding[] {
  const broker = field(document, "broker");
  const written = textOf(field(broker, "embedded"));
  if (written === undefined) return [];
  const has = (key: string) => field(broker, key) !== undefined;
  const say = (key: string, message: string): Finding => ({ path: pathText(["broker", key]), message });
  const found: Finding[] = [];
  if (has("ca_file") && !has("cert_file")) found.push(say("ca_file", "has no effect without cert_file and key_file"));
  const address = parseListenAnywhere(written);
  if (!address.ok || isLoopback(address.value.host)) return found;
  const lacking = [
    ...(has("cert_file") && has("key_file") ? [] : ["cert_file and key_file (TLS)"]),
    ...(has("users_file") || has("ca_file") ? [] : ["users_file (accounts) or ca_file (client certificates)"]),
  ];
  if (lacking.length === 0) return found;
  const message = `${address.value.host} is open to the network and needs ${lacking.join(" and ")} (or listen on 127.0.0.1)`;
  return [...found, { ...say("embedded", message), code: "LISTEN_NOT_LOOPBACK" }];
}

function portsDiffer(document: unknown): readonly Finding[] {
  const embedded = textOf(field(field(document, "broker"), "embedded"));
  const listen = textOf(field(document, "listen"));
  if (embedded === undefined || embedded !== listen || listen.endsWith(":0")) return [];
  return [
    { path: pathText(["listen"]), message: `${listen} is already the embedded broker's address (broker.embedded)` },
  ];
}
