import { stampOf } from "../config/io.ts";
import type { Cancel, Log, Timers } from "../core/ports.ts";

/** How often the files that people write are looked at. */
const LOOK_MS = 10_000;

/**
 * A file that a person writes, read again when it changes on disk. One that does not hold is said, and what was valid goes on.
 * @typeParam T what it says
 */
export class WatchedFile<T> {
  readonly #file: string;
  readonly #read: () => T;
  #value: T;

  /** @throws whatever `read` throws: a server does not start on a file that does not hold. */
  constructor(file: string, read: () => T) {
    this.#file = file;
    this.#read = read;
    this.#value = read();
  }

  get value(): T {
    return this.#value;
  }

  /** @param changed called with what the file says now, when it says something else. An error of it is said too. */
  watch(timers: Timers, log: Log, changed: (value: T) => void = () => {}): Cancel {
    const file = this.#file;
    let seen = stampOf([file]);
    return timers.every(LOOK_MS, () => {
      const now = stampOf([file]);
      if (now === seen) return;
      seen = now;
      try {
        this.#value = this.#read();
        changed(this.#value);
        log.info("config.file-read-again", { file });
      } catch (error) {
        log.error("config.file-does-not-hold", { file, why: error instanceof Error ? error.message : String(error) });
      }
    });
  }
}
