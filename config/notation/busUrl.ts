import { offer } from "../nearest.ts";
import { parseHostPort } from "./address.ts";
import { type Parsed, parsed, wrong } from "./parsed.ts";

export type Parity = "none" | "even" | "odd";

/** A way to meters. `unit` is what the URL says about the Modbus unit, null when it says nothing. */
export type BusUrl =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly unit: number | null }
  | {
      readonly kind: "rtu";
      /** Device file of the serial line, e.g. `/dev/ttyUSB0`. */
      readonly path: string;
      readonly baud: number;
      readonly parity: Parity;
      readonly stop_bits: 1 | 2;
      readonly unit: number | null;
    }
  /** RTU frames (with CRC) inside a TCP connection, as transparent serial servers carry them. */
  | { readonly kind: "rtu+tcp"; readonly host: string; readonly port: number; readonly unit: number | null };

const KINDS = ["tcp", "rtu", "rtu+tcp"] as const;
const PARITIES = ["none", "even", "odd"] as const;
const BAUDS = [300, 600, 1200, 2400, 4800, 9600, 14_400, 19_200, 28_800, 38_400, 57_600, 115_200, 230_400] as const;
/** IANA's port of Modbus. */
const MODBUS_PORT = 502;

/**
 * `tcp://host[:502]?unit=1` · `rtu:///dev/ttyUSB0?baud=9600&parity=none&stop=1&unit=1` · `rtu+tcp://host:port?unit=1`.
 * Serial lines default to 9600 baud, parity none, 1 stop bit: what most meters are shipped with.
 */
export function parseBusUrl(text: string): Parsed<BusUrl> {
  const match = /^([a-z][a-z+]*):\/\/([^?]*)(?:\?(.*))?$/i.exec(text.trim());
  if (match === null)
    return wrong(
      `"${text}" is not a bus address (allowed: tcp://host:502, rtu:///dev/ttyUSB0?baud=9600, rtu+tcp://host:port)`,
    );
  const [, scheme = "", place = "", query = ""] = match;
  const kind = KINDS.find((known) => known === scheme);
  if (kind === undefined) return wrong(`"${scheme}://" is no kind of bus${offer(scheme, KINDS)}`);
  const parameters = parseParameters(query, kind === "rtu" ? ["baud", "parity", "stop", "unit"] : ["unit"]);
  if (!parameters.ok) return parameters;
  const unit = parseUnit(parameters.value.get("unit"));
  if (!unit.ok) return unit;
  return kind === "rtu" ? serialLine(place, parameters.value, unit.value) : overTcp(kind, place, unit.value);
}

function overTcp(kind: "tcp" | "rtu+tcp", place: string, unit: number | null): Parsed<BusUrl> {
  const address = parseHostPort(place.replace(/\/$/, ""));
  if (!address.ok) return address;
  return parsed({ kind, host: address.value.host, port: address.value.port ?? MODBUS_PORT, unit });
}

function serialLine(path: string, parameters: ReadonlyMap<string, string>, unit: number | null): Parsed<BusUrl> {
  if (path === "") return wrong(`a serial line needs its device (e.g. rtu:///dev/ttyUSB0?baud=9600)`);
  const baudText = parameters.get("baud") ?? "9600";
  const baud = BAUDS.find((known) => String(known) === baudText);
  if (baud === undefined) return wrong(`baud=${baudText} is no speed of a serial line (allowed: ${BAUDS.join(", ")})`);
  const parityText = parameters.get("parity") ?? "none";
  const parity = PARITIES.find((known) => known === parityText);
  if (parity === undefined) {
    const meant = PARITIES.find((known) => known[0] === parityText[0]?.toLowerCase());
    return wrong(
      `parity=${parityText} is no parity (allowed: ${PARITIES.join(", ")}${meant === undefined ? "" : `; did you mean ${meant}?`})`,
    );
  }
  const stopText = parameters.get("stop") ?? "1";
  if (stopText !== "1" && stopText !== "2") return wrong(`stop=${stopText} is no number of stop bits (allowed: 1, 2)`);
  return parsed({ kind: "rtu", path, baud, parity, stop_bits: stopText === "1" ? 1 : 2, unit });
}

function parseParameters(query: string, known: readonly string[]): Parsed<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const part of query === "" ? [] : query.split("&")) {
    const [name = "", value = ""] = part.split("=", 2);
    if (!known.includes(name))
      return wrong(`unknown parameter ${name || "(empty)"} in the bus address${offer(name, known)}`);
    if (found.has(name)) return wrong(`parameter ${name} stands twice in the bus address`);
    found.set(name, value);
  }
  return parsed(found);
}

/** Modbus over serial line V1.02 §2.2: units 1 to 247; 255 and 0 are in use on TCP for "the device itself". */
function parseUnit(text: string | undefined): Parsed<number | null> {
  if (text === undefined) return parsed(null);
  const unit = /^\d{1,3}$/.test(text) ? Number(text) : -1;
  return unit >= 0 && unit <= 255 ? parsed(unit) : wrong(`unit=${text} is no Modbus unit (allowed: 0 to 255)`);
}
