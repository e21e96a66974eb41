import { useSyncExternalStore } from "react";
import type { LiveEvent } from "../../api/schemas.ts";
import { LIVE_PATH } from "../api.ts";
import { after, browserNow_ms } from "../io.ts";
import { LIVE_START, type LiveHappening, type LiveState, liveStep, retryDelay_ms, SILENCE_MAX_MS } from "./live.ts";

/** Owns the one EventSource of the page: opens it, watches it, opens it again. */
let state: LiveState = LIVE_START;
const listeners = new Set<() => void>();

function happen(happening: LiveHappening): void {
  state = liveStep(state, happening);
  for (const listener of listeners) listener();
}

/** Connects until the returned function is called. */
export function connectLive(): () => void {
  let source: EventSource | null = null;
  let cancelRetry = (): void => {};
  let cancelWatch = (): void => {};

  const watch = (): void => {
    cancelWatch();
    cancelWatch = after(SILENCE_MAX_MS, fail);
  };
  function fail(): void {
    source?.close();
    cancelWatch();
    cancelRetry();
    happen({ kind: "failed", now_ms: browserNow_ms() });
    cancelRetry = after(retryDelay_ms(state.failures), open);
  }
  function open(): void {
    cancelRetry();
    source?.close();
    source = new EventSource(LIVE_PATH);
    source.addEventListener("live", (message) => {
      watch();
      happen({ kind: "event", event: JSON.parse(message.data) as LiveEvent, now_ms: browserNow_ms() });
    });
    source.onerror = fail;
    watch();
  }
  const reopenNow = (): void => {
    if (state.connection === "lost") open();
  };

  open();
  window.addEventListener("online", reopenNow);
  return () => {
    window.removeEventListener("online", reopenNow);
    cancelRetry();
    cancelWatch();
    source?.close();
  };
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Part of the live state. The selector must give back a value of the state itself or a primitive. */
export function useLive<T>(select: (state: LiveState) => T): T {
  return useSyncExternalStore(subscribe, () => select(state));
}

export const serverNow_ms = (): number => browserNow_ms() + state.clockOffset_ms;
