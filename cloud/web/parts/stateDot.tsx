import type { State } from "../../api/schemas.ts";
import { useApp } from "../app/context.tsx";
import { useLive } from "../app/liveStore.ts";

/**
 * A state as a dot, with the word for those who do not see colours: the shape differs too. While the server does not speak,
 * the last state it told is no state: the dot is that of the unknown.
 */
export function StateDot({ state }: { readonly state: State }) {
  const { t } = useApp();
  const isLost = useLive((live) => live.connection === "lost");
  const words = isLost ? t.live.stateHidden : t.state[state];
  return <i className={`dot dot-${isLost ? "unknown" : state}`} role="img" aria-label={words} title={words} />;
}
