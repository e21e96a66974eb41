import { readFileSync } from "node:fs";

/**
 * The look that all pages share, for pages that no tool builds: tokens, base, fonts and icon of the zone's page, which stay
 * the one source. A checkout reads them where they are; `npm run build` puts them into `dist/look`.
 */

const top = new URL("../", import.meta.url);
const isCheckout = import.meta.url.endsWith(".ts");
const WEB = "cloud/web";
const FILES: Readonly<Record<string, string>> = {
  "tokens.css": `${WEB}/tokens.css`,
  "base.css": `${WEB}/base.css`,
  "fonts.css": `${WEB}/fonts.css`,
  "icon.svg": `${WEB}/public/icon.svg`,
  "first-paint.js": `${WEB}/public/first-paint.js`,
};
/** How `fonts.css` names a font file for Vite; beside the style sheet the bare name does. */
const FONTS = "@fontsource/be-vietnam-pro/files/";
const FONT_NAME = /^be-vietnam-pro-[\w-]+\.woff2$/;

/** One file of the look, or null if it has no such file. */
export function readLook(name: string): Uint8Array | null {
  if (!Object.hasOwn(FILES, name) && !FONT_NAME.test(name)) return null;
  try {
    return isCheckout ? fromSources(name) : readFileSync(new URL(`look/${name}`, top));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Names of all its files: the fonts are those that `fonts.css` asks for. */
export function lookFiles(): readonly string[] {
  const fonts = new TextDecoder().decode(readLook("fonts.css") ?? undefined).matchAll(/url\("([^"]+)"\)/g);
  return [...Object.keys(FILES), ...new Set([...fonts].map(([, name = ""]) => name))];
}

function fromSources(name: string): Uint8Array {
  const content = readFileSync(new URL(FILES[name] ?? `node_modules/${FONTS}${name}`, top));
  return name === "fonts.css" ? Buffer.from(content.toString("utf8").replaceAll(FONTS, "")) : content;
}
