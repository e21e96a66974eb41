// Runs before the first paint, so that neither theme nor language flashes. app/preferences.ts keeps the same two keys.
(() => {
  const root = document.documentElement;
  let theme = null;
  let lang = null;
  try {
    theme = localStorage.getItem("khuxanh.theme");
    lang = localStorage.getItem("khuxanh.lang");
  } catch {
    // Storage may be forbidden; the defaults below hold.
  }
  const isDark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = isDark ? "dark" : "light";
  root.lang = lang === "en" ? "en" : "vi";
  document.querySelector('meta[name="theme-color"]').content = isDark ? "#131b18" : "#ffffff";
})();
