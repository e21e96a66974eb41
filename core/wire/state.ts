/**
 * Body of a STATE message: whether the primary host is there, and since when it says so.
 *
 * Form     UTF-8 JSON `{"online":true,"timestamp":1760000000000}`, never protobuf (Sparkplug 3.0 §6.4.23).
 * Limits   a body over 1 KiB is not a STATE; so is anything that is not exactly a boolean and a whole number ≥ 0.
 */
export interface HostState {
  readonly online: boolean;
  /** Instant of the host's CONNECT (birth and will) or of its stop; orders STATE messages of one host. */
  readonly timestamp_ms: number;
}

export const STATE_BYTES_MAX = 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeState(state: HostState): Uint8Array {
  return encoder.encode(JSON.stringify({ online: state.online, timestamp: state.timestamp_ms }));
}

/** Null for everything that is not a STATE body: an agent must neither start nor stop on a message it cannot read. */
export function parseState(bytes: Uint8Array): HostState | null {
  if (bytes.length > STATE_BYTES_MAX) return null;
  const body = parseJson(bytes);
  if (typeof body !== "object" || body === null) return null;
  const { online, timestamp } = body as { online?: unknown; timestamp?: unknown };
  if (typeof online !== "boolean" || !isInstant(timestamp)) return null;
  return { online, timestamp_ms: timestamp };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return null;
  }
}

function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
