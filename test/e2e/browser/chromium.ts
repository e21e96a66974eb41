import { type Browser, chromium } from "playwright-core";
import { isRequired, pathOf } from "../../services.ts";

/** Why browser tests cannot run here, as the line to print; null when they can, and where a missing one must fail. */
export function whyNoChromium(): string | null {
  return pathOf("chromium") === null && !isRequired ? "skipped: needs chromium" : null;
}

/** The system's Chromium, driven by playwright-core; nothing is downloaded, and it talks to nobody by itself. */
export function launchChromium(): Promise<Browser> {
  const executablePath = pathOf("chromium");
  if (executablePath === null) throw new Error("chromium is not installed; .ci/run says how");
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
