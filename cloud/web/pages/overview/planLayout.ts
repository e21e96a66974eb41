/** Where the circles of the zone plan go. Pure; lengths are units of the drawing (360 × 250). */
export const PLAN = {
  width: 360,
  height: 250,
  left: 44,
  top: 44,
  right: 44,
  bottom: 56,
  radiusMax: 34,
  radiusMin: 4,
} as const;

export interface PlanPlace {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** The number fits into the circle. */
  readonly isRoomy: boolean;
}

/** Place 0…1 from the north-west corner → drawing; area in proportion to tonnes, unknown drawn smallest. */
export function planPlace(
  place: { readonly x: number; readonly y: number },
  t: number | null,
  most_t: number,
): PlanPlace {
  const clamp = (value: number): number => Math.max(0, Math.min(1, value));
  const share = t === null || most_t <= 0 ? 0 : Math.max(0, t) / most_t;
  const radius = Math.max(PLAN.radiusMin, PLAN.radiusMax * Math.sqrt(share));
  return {
    x: PLAN.left + clamp(place.x) * (PLAN.width - PLAN.left - PLAN.right),
    y: PLAN.top + clamp(place.y) * (PLAN.height - PLAN.top - PLAN.bottom),
    radius,
    isRoomy: radius >= 17,
  };
}

/** Middle of a name's baseline. */
export interface LabelPlace {
  readonly x: number;
  readonly y: number;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Of the 11 px letters of a name, on average; a little wide, so that names keep apart. */
const LETTER_WIDTH = 5.8;
const ASCENT = 10;
const DESCENT = 3;

const boxOf = ({ x, y }: LabelPlace, width: number): Box => ({
  left: x - width / 2,
  right: x + width / 2,
  top: y - ASCENT,
  bottom: y + DESCENT,
});

const shared = (a: Box, b: Box): number =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

/**
 * Where the names go: under their circles, unless another circle or name is there; then a little lower, aside, or above,
 * whichever is free first, and if none is, where least is covered. Names stay inside the drawing.
 */
export function labelPlaces(
  circles: readonly { readonly at: PlanPlace; readonly name: string; readonly hasNumber: boolean }[],
): readonly LabelPlace[] {
  const numberOf = (at: PlanPlace): Box => boxOf({ x: at.x, y: at.y - at.radius - 4 }, 4 * LETTER_WIDTH);
  const taken: Box[] = circles.flatMap(({ at, hasNumber }) => [
    { left: at.x - at.radius, right: at.x + at.radius, top: at.y - at.radius, bottom: at.y + at.radius },
    ...(hasNumber && !at.isRoomy ? [numberOf(at)] : []),
  ]);
  return circles.map(({ at, name }) => {
    const width = name.length * LETTER_WIDTH;
    const inside = (x: number): number => Math.max(width / 2, Math.min(PLAN.width - width / 2, x));
    const under = at.y + at.radius + 13;
    const aside = at.radius + 4 + width / 2;
    const candidates: readonly LabelPlace[] = [
      ...[0, 6, 12].map((lower) => ({ x: inside(at.x), y: under + lower })),
      ...[-1, 1].map((side) => ({ x: inside(at.x + (side * width) / 3), y: under })),
      ...[1, -1].map((side) => ({ x: inside(at.x + side * aside), y: at.y + 4 })),
      { x: inside(at.x), y: at.y - at.radius - (at.isRoomy ? 5 : 17) },
    ];
    const covered = (place: LabelPlace): number =>
      taken.reduce((sum, box) => sum + shared(boxOf(place, width), box), place.y > PLAN.height - DESCENT ? 1e6 : 0);
    const [first, ...others] = candidates;
    let best = first!;
    for (const place of others) if (covered(place) < covered(best)) best = place;
    taken.push(boxOf(best, width));
    return best;
  });
}
