import { type RefObject, useEffect, useLayoutEffect, useState, useSyncExternalStore } from "react";
import { every } from "../io.ts";
import { serverNow_ms } from "./liveStore.ts";
import { parseRoute, type Route, searchOf } from "./router.ts";

/** The server's time, moved on every `every_ms`. */
export function useNow(every_ms: number): number {
  const [now_ms, setNow] = useState(serverNow_ms);
  useEffect(() => {
    setNow(serverNow_ms());
    return every(every_ms, () => setNow(serverNow_ms()));
  }, [every_ms]);
  return now_ms;
}

const MOVED = "khuxanh:moved";

const subscribeAddress = (listener: () => void): (() => void) => {
  window.addEventListener("popstate", listener);
  window.addEventListener(MOVED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(MOVED, listener);
  };
};

export function useRoute(): readonly [Route, (change: Partial<Route>, how?: "push" | "replace") => void] {
  const search = useSyncExternalStore(subscribeAddress, () => window.location.search);
  const route = parseRoute(search);
  const go = (change: Partial<Route>, how: "push" | "replace" = "push"): void => {
    const address = searchOf({ ...parseRoute(window.location.search), ...change });
    if (how === "push") window.history.pushState(null, "", address);
    else window.history.replaceState(null, "", address);
    window.dispatchEvent(new Event(MOVED));
  };
  return [route, go];
}

/** Width of an element in CSS pixels, kept current; 0 until it is measured. */
export function useWidth(ref: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry?.contentRect.width ?? 0)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

/** Closes something open on Escape or on a press outside it. */
export function useDismiss(ref: RefObject<HTMLElement | null>, isOpen: boolean, dismiss: () => void): void {
  useEffect(() => {
    if (!isOpen) return;
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape") dismiss();
    };
    const onPress = (event: PointerEvent): void => {
      if (ref.current !== null && event.target instanceof Node && !ref.current.contains(event.target)) dismiss();
    };
    document.addEventListener("keydown", onKey);
    document.addEventListener("pointerdown", onPress);
    return () => {
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("pointerdown", onPress);
    };
  }, [ref, isOpen, dismiss]);
}
