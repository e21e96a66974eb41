import type { Energy, Meter } from "../../../api/schemas.ts";
import type { EnergyGroup } from "../../derive.ts";
import { energy_Wh } from "../../units.ts";

/**
 * Energy flow of a factory: supply → factory → meters → what no sub-meter sees. One block per kind of energy, each in its own
 * unit. Pure; values are Wh for electricity, the meter's own unit otherwise.
 */
export type FlowRole = "grid" | "supply" | "generation" | "site" | "meter" | "export" | "unmetered";

export interface FlowNode {
  readonly id: string;
  readonly role: FlowRole;
  /** Meter whose name the node carries; null for nodes that are no meter. */
  readonly meter: string | null;
  readonly carrier: string;
  readonly column: number;
  readonly value: number;
}

export interface FlowLink {
  readonly from: string;
  readonly to: string;
  readonly value: number;
  readonly carrier: string;
}

export interface FlowBlock {
  readonly carrier: string;
  readonly unit: string;
  readonly nodes: readonly FlowNode[];
  readonly links: readonly FlowLink[];
  /** Where sub-meters add up to more than what feeds them, and by how much. */
  readonly overfull: readonly { readonly node: string; readonly excess_pct: number }[];
}

/** Sub-meters may count a little more than their feeder within the errors of both; beyond this it is said. */
export const OVERFULL_PCT = 1;
/** A remainder below this share is noise of the meters, not a consumer. */
const REMAINDER_MIN_SHARE = 0.002;

interface Metered {
  readonly id: string;
  readonly parent: string | null;
  readonly role: Meter["role"];
  readonly value: number;
}

/** `exported_Wh`: what the factory fed into the grid; the answer by meter holds one counter a meter and so not this. */
export function flowBlocks(energy: Energy, meters: readonly Meter[], exported_Wh: number): readonly FlowBlock[] {
  const carriers = [
    ...new Set(energy.groups.map((group) => (group.carrier === "solar" ? "electricity" : group.carrier))),
  ];
  return carriers.flatMap((carrier) => {
    const block =
      carrier === "electricity" ? electricityBlock(energy, meters, exported_Wh) : fuelBlock(carrier, energy, meters);
    return block === null ? [] : [block];
  });
}

const amountOf = (group: EnergyGroup): number | null =>
  energy_Wh(group.total.value, group.total.unit) ?? group.total.value;

function metered(
  energy: Energy,
  meters: readonly Meter[],
  carrier: string,
  directions: readonly EnergyGroup["direction"][],
): readonly Metered[] {
  return energy.groups.flatMap((group) => {
    if (group.carrier !== carrier || !directions.includes(group.direction)) return [];
    const meter = meters.find((one) => one.id === (group.meter ?? group.key));
    const value = amountOf(group);
    if (meter === undefined || value === null || value <= 0) return [];
    return [{ id: meter.id, parent: meter.parent, role: meter.role, value }];
  });
}

class Drawing {
  readonly nodes: FlowNode[] = [];
  readonly links: FlowLink[] = [];
  readonly overfull: { node: string; excess_pct: number }[] = [];

  node(node: FlowNode): void {
    this.nodes.push(node);
  }

  link(from: string, to: string, value: number, carrier: string): void {
    if (value > 0) this.links.push({ from, to, value, carrier });
  }

  /** Hangs the sub-meters under a node, level by level, and what they leave over as its own node. */
  hang(
    under: string,
    value: number,
    carrier: string,
    column: number,
    uses: readonly Metered[],
    isChild: (m: Metered) => boolean,
  ): void {
    const children = uses.filter(isChild).sort((a, b) => b.value - a.value);
    if (children.length === 0) return;
    const sum = children.reduce((all, child) => all + child.value, 0);
    // Sub-meters beyond their feeder are drawn at their own size; the note says by how much they exceed it.
    for (const child of children) {
      this.node({ id: child.id, role: "meter", meter: child.id, carrier, column, value: child.value });
      this.link(under, child.id, child.value, carrier);
      this.hang(child.id, child.value, carrier, column + 1, uses, (m) => m.parent === child.id);
    }
    const rest = value - sum;
    if (rest > value * REMAINDER_MIN_SHARE) {
      const id = `${under} rest`;
      this.node({ id, role: "unmetered", meter: null, carrier, column, value: rest });
      this.link(under, id, rest, carrier);
    } else if (rest < (-value * OVERFULL_PCT) / 100) {
      this.overfull.push({ node: under, excess_pct: (100 * -rest) / value });
    }
  }
}

function electricityBlock(energy: Energy, meters: readonly Meter[], exported: number): FlowBlock | null {
  const incomers = metered(energy, meters, "electricity", ["import"]).filter((m) => m.role === "import");
  const makers = [
    ...metered(energy, meters, "solar", ["generation", "export"]),
    ...metered(energy, meters, "electricity", ["generation"]),
  ].filter((m) => m.role === "generation");
  const uses = metered(energy, meters, "electricity", ["use", "import"]).filter((m) => m.role === "use");
  const supplied = [...incomers, ...makers].reduce((sum, m) => sum + m.value, 0);
  if (supplied === 0) return null;

  const drawing = new Drawing();
  const SITE = "site";
  for (const incomer of incomers) {
    drawing.node({
      id: incomer.id,
      role: "grid",
      meter: incomer.id,
      carrier: "electricity",
      column: 0,
      value: incomer.value,
    });
    drawing.link(incomer.id, SITE, incomer.value, "electricity");
  }
  for (const maker of makers) {
    drawing.node({
      id: maker.id,
      role: "generation",
      meter: maker.id,
      carrier: "solar",
      column: 0,
      value: maker.value,
    });
    drawing.link(maker.id, SITE, maker.value, "solar");
  }
  drawing.node({ id: SITE, role: "site", meter: null, carrier: "electricity", column: 1, value: supplied });
  const isUse = new Set(uses.map((m) => m.id));
  drawing.hang(SITE, supplied - exported, "electricity", 2, uses, (m) => m.parent === null || !isUse.has(m.parent));
  if (exported > 0) {
    drawing.node({ id: "export", role: "export", meter: null, carrier: "electricity", column: 2, value: exported });
    drawing.link(SITE, "export", exported, "electricity");
  }
  return { carrier: "electricity", unit: "W.h", ...drawing };
}

function fuelBlock(carrier: string, energy: Energy, meters: readonly Meter[]): FlowBlock | null {
  const all = metered(energy, meters, carrier, ["import", "use"]);
  // A lone water meter may be declared as a consumer: what hangs under no other meter of its kind is where supply begins.
  const mains = all.filter((m) => m.role === "import" || !all.some((other) => other.id === m.parent));
  const uses = all.filter((m) => !mains.includes(m));
  const unit = energy.groups.find((group) => group.carrier === carrier)?.total.unit ?? "";
  const total = mains.reduce((sum, m) => sum + m.value, 0);
  if (total === 0) return null;
  const drawing = new Drawing();
  drawing.node({ id: carrier, role: "supply", meter: null, carrier, column: 0, value: total });
  for (const main of mains) {
    drawing.node({ id: main.id, role: "meter", meter: main.id, carrier, column: 1, value: main.value });
    drawing.link(carrier, main.id, main.value, carrier);
    drawing.hang(main.id, main.value, carrier, 2, uses, (m) => m.parent === main.id);
  }
  return { carrier, unit, ...drawing };
}

// ---- layout -----------------------------------------------------------------------------------------------------------

export interface PlacedNode extends FlowNode {
  readonly x: number;
  readonly y: number;
  readonly height: number;
}

export interface PlacedLink extends FlowLink {
  readonly x0: number;
  readonly x1: number;
  readonly y0: number;
  readonly y1: number;
  readonly thickness: number;
}

export interface PlacedBlock {
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly links: readonly PlacedLink[];
}

export const FLOW = { nodeWidth: 9, labelWidth: 136, slot: 38, gap: 10, thicknessMin: 1.5 } as const;

/** Places a block in a drawing `width` wide; `bodyHeight` is what the thickest column may fill, px. */
export function placeBlock(block: FlowBlock, width: number, bodyHeight: number): PlacedBlock {
  const columns = Math.max(...block.nodes.map((node) => node.column)) + 1;
  const inColumn = (column: number): readonly FlowNode[] => block.nodes.filter((node) => node.column === column);
  const columnSum = (column: number): number => inColumn(column).reduce((sum, node) => sum + node.value, 0);
  const scale = bodyHeight / Math.max(...Array.from({ length: columns }, (_, column) => columnSum(column)));
  const step = (width - FLOW.labelWidth) / Math.max(1, columns - 1);
  const placed: PlacedNode[] = [];
  let height = 0;
  for (let column = 0; column < columns; column++) {
    let y = 0;
    for (const node of inColumn(column)) {
      const own = Math.max(FLOW.thicknessMin, node.value * scale);
      placed.push({ ...node, x: Math.round(column * step), y, height: own });
      y += Math.max(own + FLOW.gap, FLOW.slot);
    }
    height = Math.max(height, y - FLOW.gap);
  }
  return { height, nodes: placed, links: placeLinks(block.links, placed, scale) };
}

function placeLinks(links: readonly FlowLink[], nodes: readonly PlacedNode[], scale: number): readonly PlacedLink[] {
  const left = new Map<string, number>();
  const entered = new Map<string, number>();
  return links.flatMap((link) => {
    const from = nodes.find((node) => node.id === link.from);
    const to = nodes.find((node) => node.id === link.to);
    if (from === undefined || to === undefined) return [];
    const thickness = Math.max(FLOW.thicknessMin, link.value * scale);
    const y0 = from.y + (left.get(from.id) ?? 0);
    const y1 = to.y + (entered.get(to.id) ?? 0);
    left.set(from.id, (left.get(from.id) ?? 0) + thickness);
    entered.set(to.id, (entered.get(to.id) ?? 0) + thickness);
    return [{ ...link, x0: from.x + FLOW.nodeWidth, x1: to.x, y0, y1, thickness }];
  });
}

/** A band with vertical ends between two nodes. */
export function bandPath({ x0, x1, y0, y1, thickness }: PlacedLink): string {
  const middle = (x0 + x1) / 2;
  const bottom0 = y0 + thickness;
  const bottom1 = y1 + thickness;
  return `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}V${bottom1}C${middle} ${bottom1} ${middle} ${bottom0} ${x0} ${bottom0}Z`;
}

/** Width for a node's label: up to the next column, or to the edge of the drawing, px. */
export function roomBeside(node: FlowNode, nodes: readonly PlacedNode[], width: number): number {
  const xOf = (column: number): number | undefined => nodes.find((other) => other.column === column)?.x;
  const own = xOf(node.column) ?? 0;
  return (xOf(node.column + 1) ?? width) - own - FLOW.nodeWidth - 10;
}

/** Mean width of a letter of the label font, px; SVG text cannot cut itself. */
const LETTER_PX = 6.1;

export function shortened(text: string, room_px: number): string {
  const letters = Math.max(3, Math.floor(room_px / LETTER_PX));
  return text.length <= letters ? text : `${text.slice(0, letters - 1).trimEnd()}…`;
}
