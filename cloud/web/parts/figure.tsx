import type { ReactNode } from "react";
import { useApp } from "../app/context.tsx";
import type { Shown } from "../format.ts";

interface FigureProps {
  readonly label: ReactNode;
  readonly shown: Shown | null;
  /** Emission figure whose chain a press opens; null for figures without one. */
  readonly whyId?: string | null;
  readonly isOld?: boolean;
  readonly children?: ReactNode;
}

/** One large number with its unit, lighter, and what stands beneath it. `shown` null: still loading, same size. */
export function Figure({ label, shown, whyId = null, isOld = false, children }: FigureProps) {
  const { t, go } = useApp();
  return (
    <div className={isOld ? "fig old" : "fig"} aria-busy={shown === null}>
      <div className="fig-label">{label}</div>
      {shown === null ? (
        <div className="num">
          <span className="bone bone-num" />
        </div>
      ) : whyId === null ? (
        <div className="num">
          <Digits shown={shown} />
        </div>
      ) : (
        <button type="button" className="num num-why" title={t.why.open} onClick={() => go({ why: whyId })}>
          <Digits shown={shown} />
          <span className="num-mark" aria-hidden="true">
            ?
          </span>
          <span className="sr"> – {t.why.open}</span>
        </button>
      )}
      {shown === null ? <span className="bone bone-line" /> : children}
    </div>
  );
}

const Digits = ({ shown }: { readonly shown: Shown }) => (
  <>
    {shown.number}
    {shown.unit !== "" && <span className="unit">{shown.unit}</span>}
  </>
);
