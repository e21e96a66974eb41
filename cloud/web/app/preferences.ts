import { useState } from "react";
import { remember } from "../io.ts";
import type { Lang } from "../units.ts";

/** Theme and language: set by public/first-paint.js before the first paint, changed here, remembered in the browser. */
export type Theme = "light" | "dark";
const THEME_COLOURS: Readonly<Record<Theme, string>> = { light: "#ffffff", dark: "#131b18" };

export interface Preferences {
  readonly theme: Theme;
  readonly lang: Lang;
  readonly setTheme: (theme: Theme) => void;
  readonly setLang: (lang: Lang) => void;
}

export function usePreferences(): Preferences {
  const root = document.documentElement;
  const [theme, keepTheme] = useState<Theme>(root.dataset.theme === "dark" ? "dark" : "light");
  const [lang, keepLang] = useState<Lang>(root.lang === "en" ? "en" : "vi");
  return {
    theme,
    lang,
    setTheme: (next) => {
      root.dataset.theme = next;
      document.querySelector('meta[name="theme-color"]')?.setAttribute("content", THEME_COLOURS[next]);
      remember("khuxanh.theme", next);
      keepTheme(next);
    },
    setLang: (next) => {
      root.lang = next;
      remember("khuxanh.lang", next);
      keepLang(next);
    },
  };
}
