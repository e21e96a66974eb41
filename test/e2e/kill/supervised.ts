import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** As systemd does: what ends by itself is started again after a while. */
const RESTART_MS = 500;
/** Of what it says the end is kept. */
const SAID_MAX = 200_000;

/**
 * A `khuxanh` process that is killed and started again like one in the field. Plain Node without a loader: it starts in a
 * fraction of the time, and nothing stands between us and the process we kill.
 */
export class Supervised {
  readonly name: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #isWanted = false;
  #said = "";
  /** Ends that nobody asked for: exit code or signal. */
  readonly unasked: string[] = [];
  /** Ends of any kind but a clean one. */
  deaths = 0;

  constructor(name: string, args: readonly string[]) {
    this.name = name;
    this.#args = args;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get said(): string {
    return this.#said;
  }

  start(): void {
    this.#isWanted = true;
    if (this.#child !== null) return;
    const child = spawn(process.execPath, ["cli/bin.ts", ...this.#args], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdout.resume();
    child.stderr.on("data", (chunk) => {
      this.#said = (this.#said + chunk).slice(-SAID_MAX);
    });
    child.once("exit", (code, signal) => {
      if (this.#child !== child) return;
      this.#child = null;
      if (code !== 0) this.deaths += 1;
      if (!this.#isWanted) return;
      this.unasked.push(`${code ?? signal}`);
      setTimeout(() => {
        if (this.#isWanted) this.start();
      }, RESTART_MS);
    });
  }

  /** SIGKILL, wherever it is just now; resolves when it is gone. It stays away until `start`. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    return await this.#end("SIGTERM");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    this.#isWanted = false;
    const child = this.#child;
    if (child === null) return null;
    const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill(signal);
    return await exited;
  }
}
