import type { State } from "../../api/schemas.ts";
import { useApp } from "../app/context.tsx";

/** A state as a dot, with the word for those who do not see colours: the shape differs too. */
export function StateDot({ state }: { readonly state: State }) {
  const { t } = useApp();
  return <i className={`dot dot-${state}`} role="img" aria-label={t.state[state]} title={t.state[state]} />;
}
