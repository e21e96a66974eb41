import type { Settle } from "../../hw-sim/world/scheduler.ts";

/** Events after which the machine's own event loop gets its turn: others in this process (a test runner) live by it. */
const BREATHE_EVERY = 20_000;

/**
 * Node runs its tick queue, then promise reactions until there are none, then looks at the tick queue again: a tick that is
 * asked for from inside a reaction therefore comes when all reactions are done. Ten times cheaper than a turn of the loop.
 */
export function settling(): Settle {
  let until = BREATHE_EVERY;
  let next = NOTHING;
  const tick = (): void => process.nextTick(next);
  // A reaction of a settled promise, not `queueMicrotask`: that one makes a resource for async hooks each time.
  const afterReactions = (): void => void SETTLED.then(tick);
  return (of) => {
    next = of;
    until -= 1;
    if (until > 0) {
      afterReactions();
      return;
    }
    until = BREATHE_EVERY;
    setImmediate(afterReactions);
  };
}

const SETTLED = Promise.resolve();
const NOTHING = (): void => {};
