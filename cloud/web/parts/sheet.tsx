import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { useApp } from "../app/context.tsx";

interface SheetProps {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly tools?: ReactNode;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** A sheet over the right side of the page; the browser's dialog keeps the focus inside and closes on Escape. */
export function Sheet({ title, lead, tools, onClose, children }: SheetProps) {
  const { t } = useApp();
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the sheet leaves the page it is closed, which gives the focus back to what opened it.
  useLayoutEffect(() => {
    const own = dialog.current;
    if (own === null) return;
    if (!own.open) own.showModal();
    return () => own.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard closes a modal dialog with Escape, which fires onCancel.
    <dialog
      ref={dialog}
      className="sheet"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === dialog.current && onClose()}
    >
      <div className="sheet-inside">
        <header className="sheet-head">
          <div>
            <h2 id={id}>{title}</h2>
            {lead !== undefined && <p>{lead}</p>}
          </div>
          <div className="sheet-tools">
            {tools}
            <button type="button" className="button" onClick={onClose}>
              {t.close}
            </button>
          </div>
        </header>
        <div className="sheet-body">{children}</div>
      </div>
    </dialog>
  );
}
