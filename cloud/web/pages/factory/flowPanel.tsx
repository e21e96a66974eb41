import { useRef } from "react";
import type { Energy, Meter } from "../../../api/schemas.ts";
import { useApp } from "../../app/context.tsx";
import { useWidth } from "../../app/hooks.ts";
import type { Loaded } from "../../app/queries.ts";
import { tokenOf } from "../../colours.ts";
import { gridExport } from "../../derive.ts";
import { amountShown, energyShown, percentText } from "../../format.ts";
import { Bone, Empty, Failed, Panel } from "../../parts/panel.tsx";
import { energy_Wh } from "../../units.ts";
import {
  bandPath,
  FLOW,
  type FlowBlock,
  type FlowNode,
  flowBlocks,
  placeBlock,
  roomBeside,
  shortened,
} from "./flow.ts";

interface FlowPanelProps {
  readonly energy: Loaded<Energy>;
  /** By carrier: tells what was fed into the grid. */
  readonly byCarrier: Energy | null;
  readonly meters: readonly Meter[] | null;
}

/** Where the energy goes, and how much of it no sub-meter sees. */
export function FlowPanel({ energy, byCarrier, meters }: FlowPanelProps) {
  const { t } = useApp();
  const blocks = energy.data === null || meters === null ? null : flowBlocks(energy.data, meters, exported(byCarrier));
  return (
    <Panel title={t.factory.flow} note={t.factory.flowNote} className="factory-flow" isOld={energy.isOld}>
      {energy.problem !== null ? (
        <Failed problem={energy.problem} retry={energy.retry} />
      ) : blocks === null ? (
        <Bone height={220} />
      ) : blocks.length === 0 ? (
        <Empty title={t.overview.noDataInPeriod} hint={t.factory.flowEmpty} />
      ) : (
        <Blocks blocks={blocks} meters={meters ?? []} />
      )}
    </Panel>
  );
}

const exported = (energy: Energy | null): number => {
  const total = gridExport(energy)?.total;
  return total === undefined ? 0 : (energy_Wh(total.value, total.unit) ?? 0);
};

function Blocks({ blocks, meters }: { readonly blocks: readonly FlowBlock[]; readonly meters: readonly Meter[] }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  return (
    <div ref={box} className="flow-blocks">
      {width > 0 && blocks.map((block) => <Block key={block.carrier} block={block} width={width} meters={meters} />)}
    </div>
  );
}

const BODY_PX = { electricity: 140, other: 22 } as const;

function Block({
  block,
  width,
  meters,
}: {
  readonly block: FlowBlock;
  readonly width: number;
  readonly meters: readonly Meter[];
}) {
  const { t, lang } = useApp();
  const body = block.carrier === "electricity" ? BODY_PX.electricity : BODY_PX.other;
  const placed = placeBlock(block, width, body);
  const amount = (value: number): string => {
    const shown = block.unit === "W.h" ? energyShown(value, lang) : amountShown(value, block.unit, lang);
    return `${shown.number} ${shown.unit}`;
  };
  const nameOf = (node: FlowNode): string => flowName(node, meters, t, lang);
  const room = (node: FlowNode): number => roomBeside(node, placed.nodes, width);
  return (
    <>
      <svg
        className="flow"
        width={width}
        height={placed.height + 4}
        role="img"
        aria-label={block.nodes.map((node) => `${nameOf(node)} ${amount(node.value)}`).join("; ")}
      >
        {placed.links.map((link) => (
          <path
            key={`${link.from} ${link.to}`}
            d={bandPath(link)}
            className={link.to.endsWith(" rest") ? "band band-rest" : "band"}
            style={{ fill: `var(--${link.to.endsWith(" rest") ? "ink-3" : tokenOf(link.carrier, null)})` }}
          >
            <title>{`${amount(link.value)}`}</title>
          </path>
        ))}
        {placed.nodes.map((node) => (
          <g key={node.id} transform={`translate(${node.x} ${node.y})`}>
            <rect
              width={FLOW.nodeWidth}
              height={node.height}
              rx="1.5"
              className={node.role === "unmetered" ? "node node-rest" : "node"}
              style={{ fill: `var(--${node.role === "unmetered" ? "ink-3" : tokenOf(node.carrier, null)})` }}
            />
            <text x={FLOW.nodeWidth + 6} y={Math.max(11, Math.min(node.height / 2, 40) - 2)}>
              {shortened(nameOf(node), room(node))}
              <title>{nameOf(node)}</title>
            </text>
            <text
              x={FLOW.nodeWidth + 6}
              y={Math.max(11, Math.min(node.height / 2, 40) - 2) + 14}
              className="flow-amount"
            >
              {amount(node.value)}
            </text>
          </g>
        ))}
      </svg>
      {block.overfull.map((one) => {
        const node = block.nodes.find((candidate) => candidate.id === one.node);
        if (node === undefined) return null;
        return (
          <p key={one.node} className="flow-note">
            {t.factory.overfull(nameOf(node), percentText(one.excess_pct, lang))}
          </p>
        );
      })}
    </>
  );
}

function flowName(
  node: FlowNode,
  meters: readonly Meter[],
  t: ReturnType<typeof useApp>["t"],
  lang: ReturnType<typeof useApp>["lang"],
): string {
  const meter = meters.find((one) => one.id === node.meter)?.name[lang];
  switch (node.role) {
    case "grid":
      return t.factory.grid;
    case "site":
      return t.factory.site;
    case "export":
      return t.factory.toGrid;
    case "unmetered":
      return t.factory.unmetered;
    case "supply":
      return node.carrier === "water"
        ? t.factory.water
        : node.carrier === "natural_gas"
          ? t.factory.gas
          : t.factory.supply;
    case "generation":
      return meter ?? t.factory.solar;
    case "meter":
      return meter ?? node.id;
  }
}
