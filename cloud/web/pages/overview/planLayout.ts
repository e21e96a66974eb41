/** Where the circles of the zone plan go. Pure; lengths are units of the drawing (360 × 262). */
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
