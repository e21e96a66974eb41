import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Root } from "./app/root.tsx";
import "./tokens.css";
import "./fonts.css";
import "./base.css";
import "./app/shell.css";
import "./parts/parts.css";
import "./pages/overview/overview.css";
import "./pages/factory/factory.css";
import "./why/why.css";

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Root />
    </StrictMode>,
  );
}
