import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

/** Real `khuxanh` processes for end-to-end tests: started, watched, killed like a user or a power cut would. */
const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Khuxanh {
  readonly child: ChildProcess;
  /** What it wrote so far. */
  stdout(): string;
  stderr(): string;
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
}

export function khuxanh(...args: string[]): Khuxanh {
  return khuxanhIn({}, ...args);
}

/** The same with further environment variables. */
export function khuxanhIn(env: Readonly<Record<string, string>>, ...args: string[]): Khuxanh {
  const child = spawn(process.execPath, ["cli/bin.ts", ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const exited = new Promise<number | string>((resolve) => {
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  return { child, stdout: () => stdout, stderr: () => stderr, exited };
}

/** Runs a command to its end. */
export async function khuxanhRun(
  ...args: string[]
): Promise<{ code: number | string; stdout: string; stderr: string }> {
  const run = khuxanh(...args);
  const code = await run.exited;
  return { code, stdout: run.stdout(), stderr: run.stderr() };
}

/** A port nobody listens on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject()));
    });
  });
}
