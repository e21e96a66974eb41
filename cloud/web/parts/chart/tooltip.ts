/** A chart's tooltip as elements, so that names are text and never markup. */
export interface TooltipRow {
  readonly colour: string | null;
  readonly name: string;
  readonly value: string;
}

export function tooltipNode(title: string, rows: readonly TooltipRow[], notes: readonly string[]): HTMLElement {
  const node = document.createElement("div");
  node.className = "tip";
  node.append(element("b", title));
  for (const row of rows) {
    const line = document.createElement("div");
    const mark = document.createElement("i");
    if (row.colour !== null) mark.style.background = row.colour;
    line.append(mark, element("span", row.name), element("em", row.value));
    node.append(line);
  }
  for (const note of notes) node.append(element("p", note));
  return node;
}

function element(name: string, text: string): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
