import { z } from "zod";
import { type Finding, pathText } from "../explain.ts";
import { notation, text } from "../fields.ts";
import { parseListen, parseListenAnywhere } from "../notation/address.ts";
import { parseBrokerUrl } from "../notation/brokerUrl.ts";
import { parseDuration } from "../notation/duration.ts";
import { parseGroupName, parseTimeZone, parseTopicName } from "../notation/names.ts";
import { wrong } from "../notation/parsed.ts";
import { field } from "../rules.ts";
import { Secret } from "../secret.ts";

/** Fields that several files have in common. */

export const duration = (description: string) =>
  notation(parseDuration, "a duration such as 500ms or 15min", description);
/** Within limits, both in the words of a file. @throws {Error} for a limit that is no duration: a slip of ours. */
export const durationWithin = (least: string, most: string, description: string) => {
  const [least_ms, most_ms] = [least, most].map(parseDuration).map((limit) => {
    if (!limit.ok) throw new Error(limit.problem);
    return limit.value;
  }) as [number, number];
  return notation(
    (written) => {
      const length = parseDuration(written);
      if (!length.ok || (length.value >= least_ms && length.value <= most_ms)) return length;
      return wrong(`"${written}" is out of range (allowed: ${least} to ${most})`);
    },
    "a duration such as 5s",
    `${description}; ${least} to ${most}`,
  );
};
export const topicName = (description: string) => notation(parseTopicName, "a name without + # or /", description);
export const groupName = (description: string) => notation(parseGroupName, "a name without + # or /", description);
export const listenAddress = (description: string) =>
  notation(parseListen, "an address such as 127.0.0.1:8080", description);
/** Any address; a rule of the file says what must protect one that other machines reach. */
export const openListenAddress = (description: string) =>
  notation(parseListenAnywhere, "an address such as 127.0.0.1:1883", description);
export const brokerUrl = (description: string) =>
  notation(parseBrokerUrl, "an address such as mqtt://127.0.0.1:1883", description);
export const timeZone = () =>
  notation(
    parseTimeZone,
    "a time zone such as Asia/Ho_Chi_Minh",
    "Wall clock that intervals, days and months follow",
  ).prefault("Asia/Ho_Chi_Minh");

/** Written plainly only as `${ENV}`; better as a file. */
export const secret = (description: string) =>
  z
    .string()
    .min(1)
    .describe(description)
    .transform((written) => new Secret(written));

/** Who we are to a server, and how we trust it. Paths are absolute after loading; secrets are read when needed. */
export const credentials = {
  username: text("User name").exactOptional(),
  password: secret("Password, from an environment variable; or use password_file").exactOptional(),
  password_file: text("File whose first line is the password").exactOptional(),
};

export const factorsDir = {
  factors_dir: text(
    "Folder of factor files of your own, beside those that come along: new letters, approved factors",
  ).exactOptional(),
};

export const tlsFiles = {
  ca_file: text("PEM file of the authorities that may vouch for the broker").exactOptional(),
  cert_file: text("PEM file of our own certificate").exactOptional(),
  key_file: text("PEM file of our own key").exactOptional(),
};

/** Rules of a client section at `path`: one way to give a password, both halves of a certificate, TLS only where there is TLS. */
export function clientFindings(client: unknown, path: readonly PropertyKey[]): Finding[] {
  const found: Finding[] = [];
  const say = (key: string, message: string) => found.push({ path: pathText([...path, key]), message });
  const has = (key: string) => field(client, key) !== undefined;
  if (has("password") && has("password_file")) say("password", "stands beside password_file; keep one of them");
  if ((has("password") || has("password_file")) && !has("username"))
    say("username", "is missing: a password needs a user name");
  if (has("cert_file") && !has("key_file")) say("key_file", "is missing: cert_file needs its key");
  if (has("key_file") && !has("cert_file")) say("cert_file", "is missing: key_file needs its certificate");
  const url = field(client, "url");
  if (typeof url === "string" && url.startsWith("mqtt://")) {
    for (const key of ["ca_file", "cert_file", "key_file"])
      if (has(key)) say(key, "has no effect on mqtt:// (did you mean url: mqtts://…?)");
  }
  return found;
}
