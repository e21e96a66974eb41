import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** A disk of a few megabytes that can be filled up. */
export interface SmallDisk {
  readonly path: string;
  /** Takes every free byte. */
  fill(): void;
  /** Gives them back. */
  free(): void;
  unmount(): void;
}

const CHUNK = Buffer.alloc(64 * 1024);

/** A tmpfs; null where we may not mount one (not root, not Linux). */
export function smallDisk(path: string, size_MiB: number): SmallDisk | null {
  mkdirSync(path, { recursive: true });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size_MiB}m,mode=700`, "khuxanh-test", path]);
  if (mounted.status !== 0) return null;
  const filler = join(path, "filler");
  return {
    path,
    fill() {
      const file = openSync(filler, "w");
      try {
        for (;;) writeSync(file, CHUNK);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(filler, { force: true }),
    unmount: () => void spawnSync("umount", ["-l", path]),
  };
}
