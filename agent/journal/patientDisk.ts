import { KhuXanhError } from "../../core/errors.ts";
import type { DiskSegment, JournalDisk } from "../../core/ports.ts";

/** A cable, a controller that wakes up: what is not read the third time is not read now. */
const TRIES = 3;

/** A disk that is asked again before anybody hears that it does not read. What it refuses to write is its last word. */
export function patient(disk: JournalDisk): JournalDisk {
  return {
    ...disk,
    list: () => again(() => disk.list()),
    open: (name, access) => patientSegment(again(() => disk.open(name, access))),
    raw: (name, which) => again(() => disk.raw(name, which)),
  };
}

function patientSegment(segment: DiskSegment): DiskSegment {
  return {
    ...segment,
    rows: (from, limit) => again(() => segment.rows(from, limit)),
    values: () => again(() => segment.values()),
  };
}

function again<T>(read: () => T): T {
  for (let tried = 1; ; tried++) {
    try {
      return read();
    } catch (error) {
      const mayPass = error instanceof KhuXanhError && error.code === "DISK_UNUSABLE";
      if (!mayPass || tried === TRIES) throw error;
    }
  }
}
