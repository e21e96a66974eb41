import type { Log } from "../core/ports.ts";

export interface RecordedEvent {
  readonly level: string;
  readonly event: string;
  readonly fields: unknown;
}

/** A log that is read by the test. */
export function recordingLog(): Log & { readonly events: RecordedEvent[] } {
  const events: RecordedEvent[] = [];
  const at = (level: string) => (event: string, fields: unknown) => void events.push({ level, event, fields });
  return { events, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
