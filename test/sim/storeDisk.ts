import { DatabaseSync } from "node:sqlite";
import { databaseOn } from "../../cloud/store/database.ts";
import { storeOn } from "../../cloud/store/sqlite.ts";
import type { ZoneStore } from "../../cloud/store/store.ts";
import type { EndOfLife, Life } from "../../hw-sim/world/machine.ts";

/** Databases in memory are shared by name within a process. */
let made = 0;

/**
 * The collector's disk: the store's own code on a database in memory that outlives the collector's crashes. A transaction
 * that was open at a crash is rolled back, as SQLite does from its write-ahead file.
 */
export class StoreDisk {
  #path = nextPath();
  /** Holds the memory while no collector has it open. */
  #holder = new DatabaseSync(this.#path);
  isFull = false;
  #crash: { readonly how: EndOfLife; readonly when: "before" | "after" } | null = null;

  /** The next transaction is the last thing this process does; `before`: it is rolled back, `after`: nobody hears of it. null: not so. */
  crashAtNextCommit(crash: { readonly how: EndOfLife; readonly when: "before" | "after" } | null): void {
    this.#crash = crash;
  }

  open(life: Life | null, now_ms: () => number): ZoneStore {
    const disk = this;
    class WatchedDatabase extends DatabaseSync {
      override exec(sql: string): void {
        if (life?.isAlive === false && sql !== "ROLLBACK") throw new Error("the process is dead");
        if (disk.isFull && sql === "BEGIN IMMEDIATE")
          throw Object.assign(new Error("disk full"), { errcode: SQLITE_FULL });
        const crash = disk.#crash;
        if (life === null || crash === null || sql !== "COMMIT") return super.exec(sql);
        disk.#crash = null;
        if (crash.when === "after") super.exec(sql);
        life.end(crash.how);
        throw new Error(`${crash.how} ${crash.when} a commit`);
      }
    }
    const raw = new WatchedDatabase(this.#path, { enableForeignKeyConstraints: true });
    // As in production: with SQLite's usual 2 MB a day's store no longer fits, and its pages are copied again and again.
    raw.exec("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -131072");
    return storeOn(databaseOn(raw), now_ms);
  }

  /** What lies on it now, as a backup keeps it: {@link restore} puts it in the place of all that lies there then. */
  backup(): StoreBackup {
    const path = nextPath();
    const holder = new DatabaseSync(path);
    this.#holder.exec(`VACUUM INTO '${path}'`);
    return { path, holder };
  }

  /** While no collector has it open; once. */
  restore({ path, holder }: StoreBackup): void {
    this.#holder.close();
    this.#path = path;
    this.#holder = holder;
  }

  close(): void {
    this.#holder.close();
  }
}

/** A whole store in memory. */
export interface StoreBackup {
  readonly path: string;
  readonly holder: DatabaseSync;
}

function nextPath(): string {
  return `file:khuxanh-sim-${made++}?mode=memory&cache=shared`;
}

const SQLITE_FULL = 13;
