import { type ReactNode, useId } from "react";
import type { Problem } from "../api.ts";
import { useApp } from "../app/context.tsx";

interface PanelProps {
  readonly title: string;
  readonly note?: ReactNode;
  readonly tools?: ReactNode;
  readonly className?: string;
  readonly isOld?: boolean;
  readonly children: ReactNode;
}

/** A titled surface. Panels never hold panels. */
export function Panel({ title, note, tools, className = "", isOld = false, children }: PanelProps) {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id}>
      <div className="panel-head">
        <h2 id={id}>{title}</h2>
        {note !== undefined && <span className="panel-note">{note}</span>}
        {tools !== undefined && <div className="panel-tools">{tools}</div>}
      </div>
      <div className={isOld ? "panel-body old" : "panel-body"}>{children}</div>
    </section>
  );
}

/** Nothing here yet: what would be, and the one thing to do next. */
export const Empty = ({ title, hint }: { readonly title: string; readonly hint: string }) => (
  <div className="empty">
    <b>{title}</b>
    <p>{hint}</p>
  </div>
);

/** A question the server could not answer, with its own title and hint, and a way to ask again. */
export function Failed({ problem, retry }: { readonly problem: Problem; readonly retry: () => void }) {
  const { t } = useApp();
  return <FailedWords t={t} problem={problem} retry={retry} />;
}

export function FailedWords({
  t,
  problem,
  retry,
}: {
  readonly t: ReturnType<typeof useApp>["t"];
  readonly problem: Problem;
  readonly retry: () => void;
}) {
  const isUnreachable = problem.kind === "unreachable";
  return (
    <div className="empty" role="alert">
      <b>{isUnreachable ? t.problem.unreachable : problem.title}</b>
      <p>{isUnreachable ? t.problem.unreachableHint : problem.hint || problem.detail || t.problem.failed}</p>
      <button type="button" className="button" onClick={retry}>
        {t.retry}
      </button>
    </div>
  );
}

/** Grey in the final size while something loads. */
export const Bone = ({ height }: { readonly height: number | string }) => {
  const { t } = useApp();
  return (
    <div className="bone bone-block" style={{ height }} role="status">
      <span className="sr">{t.loading}</span>
    </div>
  );
};
