import { type ReactNode, useCallback, useId, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { useDismiss } from "../app/hooks.ts";

interface ExplainProps {
  readonly children: ReactNode;
  /** What hover, focus or a tap says in words. */
  readonly words: ReactNode;
  readonly label?: string;
  readonly className?: string;
}

/** Something small that explains itself on hover, keyboard focus or tap. */
export function Explain({ children, words, label, className = "" }: ExplainProps) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = useCallback(() => setOpen(false), []);
  useDismiss(button, isOpen, close);
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`explain ${className}`}
        aria-label={label}
        aria-describedby={isOpen ? id : undefined}
        onPointerEnter={(event) => event.pointerType === "mouse" && setOpen(true)}
        onPointerLeave={(event) => event.pointerType === "mouse" && setOpen(false)}
        onFocus={() => setOpen(true)}
        onBlur={close}
        onClick={() => setOpen(true)}
      >
        {children}
      </button>
      {isOpen && <Bubble id={id} beside={button.current} words={words} />}
    </>
  );
}

function Bubble({ id, beside, words }: { id: string; beside: HTMLElement | null; words: ReactNode }) {
  const bubble = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const own = bubble.current;
    if (own === null || beside === null) return;
    const at = beside.getBoundingClientRect();
    const size = own.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, window.innerWidth - size.width - 8));
    const below = at.bottom + 6;
    const top = below + size.height > window.innerHeight - 8 ? Math.max(8, at.top - size.height - 6) : below;
    own.style.left = `${left}px`;
    own.style.top = `${top}px`;
  }, [beside]);
  return createPortal(
    <div ref={bubble} id={id} role="tooltip" className="bubble">
      {words}
    </div>,
    // A modal sheet covers the body; its own words must lie on top of it.
    beside?.closest("dialog") ?? document.body,
  );
}
