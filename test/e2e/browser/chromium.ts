import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Debian's Chromium, driven by playwright-core; nothing is downloaded. */
export const CHROMIUM_PATH = "/usr/bin/chromium";

/** Why browser tests cannot run here, as the line to print; null when they can. */
export function skippedWithoutChromium(): string | null {
  if (existsSync(CHROMIUM_PATH)) return null;
  if (process.env.KHUXANH_REQUIRE_SERVICES === "1") throw new Error("chromium is required and not installed");
  return "skipped: needs chromium";
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM_PATH,
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
