import { useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { ask, type Problem, type Query } from "../api.ts";

/**
 * Answers of the API by path. A page that asks for another period keeps showing the old figures, dimmed, until the new ones
 * are there: nothing jumps. Limit: 80 answers; beyond that the oldest that nobody shows is forgotten.
 */
interface Entry {
  data: unknown;
  problem: Problem | null;
  isLoading: boolean;
  generation: number;
  readonly listeners: Set<() => void>;
  abort: AbortController | null;
  snapshot: Snapshot;
}

interface Snapshot {
  readonly data: unknown;
  readonly problem: Problem | null;
  readonly isLoading: boolean;
}

const ENTRIES_MAX = 80;
const NOTHING: Snapshot = { data: null, problem: null, isLoading: true };
const entries = new Map<string, Entry>();
let generation = 0;

function entryOf(path: string): Entry {
  let entry = entries.get(path);
  if (entry === undefined) {
    entry = {
      data: null,
      problem: null,
      isLoading: false,
      generation: -1,
      listeners: new Set(),
      abort: null,
      snapshot: NOTHING,
    };
    entries.set(path, entry);
    forgetOldest();
  }
  return entry;
}

function forgetOldest(): void {
  for (const [path, entry] of entries) {
    if (entries.size <= ENTRIES_MAX) return;
    if (entry.listeners.size === 0) entries.delete(path);
  }
}

function tell(entry: Entry): void {
  entry.snapshot = { data: entry.data, problem: entry.problem, isLoading: entry.isLoading };
  for (const listener of entry.listeners) listener();
}

async function load(path: string, entry: Entry): Promise<void> {
  entry.abort?.abort();
  const abort = new AbortController();
  entry.abort = abort;
  entry.isLoading = true;
  entry.generation = generation;
  tell(entry);
  const answer = await ask({ path }, abort.signal);
  if (abort.signal.aborted) return;
  entry.isLoading = false;
  if (answer.kind === "ready") {
    entry.data = answer.data;
    entry.problem = null;
  } else {
    // Figures already on the page stay; the live dot says that the line is down.
    entry.problem = entry.data === null ? answer.problem : null;
    entry.generation = -1;
  }
  tell(entry);
}

/** The books have grown (or the line has healed): everything on the page is asked for again, the rest when next shown. */
export function refreshAll(): void {
  generation += 1;
  for (const [path, entry] of entries) if (entry.listeners.size > 0) void load(path, entry);
}

export interface Loaded<T> {
  readonly data: T | null;
  /** Only when there is nothing to show. */
  readonly problem: Problem | null;
  readonly isLoading: boolean;
  /** The data belongs to what was asked before. */
  readonly isOld: boolean;
  readonly retry: () => void;
}

/** null asks nothing: the question depends on an answer that is not there yet. */
export function useQuery<T>(query: Query<T> | null): Loaded<T> {
  const path = query?.path ?? null;
  const subscribe = useCallback(
    (listener: () => void) => {
      if (path === null) return () => {};
      const entry = entryOf(path);
      entry.listeners.add(listener);
      return () => {
        entry.listeners.delete(listener);
      };
    },
    [path],
  );
  const snapshot = useSyncExternalStore(subscribe, () => (path === null ? NOTHING : entryOf(path).snapshot));
  useEffect(() => {
    if (path === null) return;
    const entry = entryOf(path);
    if (entry.generation !== generation && !entry.isLoading) void load(path, entry);
  }, [path]);

  const last = useRef<unknown>(null);
  useEffect(() => {
    if (snapshot.data !== null) last.current = snapshot.data;
  }, [snapshot]);
  const retry = useCallback(() => {
    if (path !== null) void load(path, entryOf(path));
  }, [path]);
  const isOld = snapshot.data === null && snapshot.problem === null && last.current !== null;
  return {
    data: (isOld ? last.current : snapshot.data) as T | null,
    problem: snapshot.problem,
    isLoading: snapshot.isLoading,
    isOld,
    retry,
  };
}
