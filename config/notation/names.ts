import { hasOneOffset } from "../../core/interval/calendar.ts";
import { nearest } from "../nearest.ts";
import { type Parsed, parsed, wrong } from "./parsed.ts";

/** Longer names do not fit a page or a topic comfortably. */
const NAME_MAX = 64;

/**
 * A name that becomes part of a Sparkplug topic (group, edge node, device, host).
 * Source: Sparkplug 3.0 §4.1 (UTF-8 without `+`, `/`, `#`); control characters are refused too.
 */
export function parseTopicName(text: string): Parsed<string> {
  if (text === "") return wrong("must not be empty");
  if (text.length > NAME_MAX) return wrong(`"${text.slice(0, 20)}…" is longer than ${NAME_MAX} characters`);
  const illegal = [...text].find((letter) => "+#/".includes(letter) || isControl(letter));
  if (illegal !== undefined)
    return wrong(
      `"${text}" cannot be part of an MQTT topic: it contains ${isControl(illegal) ? "a control character" : illegal}`,
    );
  if (text.trim() !== text) return wrong(`"${text}" begins or ends with a blank`);
  return parsed(text);
}

/** A zone id is the Sparkplug group id; `STATE` is reserved there for hosts (Sparkplug 3.0 §4.1). */
export function parseGroupName(text: string): Parsed<string> {
  return text === "STATE" ? wrong(`"STATE" is reserved by Sparkplug and cannot name a zone`) : parseTopicName(text);
}

/** A time zone by its IANA name, as `Intl` knows it. */
export function parseTimeZone(text: string): Parsed<string> {
  if (hasOneOffset(text)) return parsed(text);
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return parsed(text);
  } catch {
    const near = nearest(text, ["Asia/Ho_Chi_Minh", ...Intl.supportedValuesOf("timeZone")]);
    const hint = near === undefined ? "allowed: an IANA name, e.g. Asia/Ho_Chi_Minh" : `did you mean ${near}?`;
    return wrong(`time zone "${text}" is not known (${hint})`);
  }
}

function isControl(letter: string): boolean {
  const code = letter.codePointAt(0)!;
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
