/** One crosshair for all charts of a page: whoever is pointed at tells the others the instant; null when the pointer leaves. */
type Listener = (at_ms: number | null, from: object) => void;
const listeners = new Set<Listener>();

export function shareCrosshair(at_ms: number | null, from: object): void {
  for (const listener of listeners) listener(at_ms, from);
}

export function onCrosshair(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
