/** Everything of the page that touches the clock, timers, storage or the file dialog; the rest of the page receives it. */

export const browserNow_ms = (): number => Date.now();

/** Calls `run` every `every_ms`; the returned function stops it. */
export function every(every_ms: number, run: () => void): () => void {
  const id = setInterval(run, every_ms);
  return () => clearInterval(id);
}

/** Calls `run` once after `delay_ms`; the returned function calls it off. */
export function after(delay_ms: number, run: () => void): () => void {
  const id = setTimeout(run, delay_ms);
  return () => clearTimeout(id);
}

/** A remembered choice; null if there is none or the browser forbids storage. */
export function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Without storage the choice holds until the page is closed.
  }
}

/** Hands the reader a file made in the page. */
export function saveFile(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  saveUrl(name, url);
  after(60_000, () => URL.revokeObjectURL(url));
}

export function saveUrl(name: string, url: string): void {
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
}
