/**
 * A smoothed copy of a curve: at each point a line is fitted to the points around it, the nearest counting most
 * (local linear regression with a triangular kernel: Cleveland 1979, doi 10.1080/01621459.1979.10481038, without its
 * robust passes). Unlike a running average it does not lag behind a loss that falls steeply. Values that are not
 * finite are passed over; where nothing finite is near, the result is `null`.
 *
 * @param values one per step, in order
 * @param span how many steps count on either side of a point; below 1 the values themselves come back
 */
export function smooth(values: readonly number[], span: number): (number | null)[] {
  return values.map((value, center) => {
    if (span < 1) return Number.isFinite(value) ? value : null;
    let w = 0;
    let x = 0;
    let y = 0;
    let xx = 0;
    let xy = 0;
    const end = Math.min(values.length - 1, center + span);
    for (let i = Math.max(0, center - span); i <= end; i++) {
      const v = values[i];
      if (v === undefined || !Number.isFinite(v)) continue;
      const d = i - center;
      const weight = 1 - Math.abs(d) / (span + 1);
      w += weight;
      x += weight * d;
      y += weight * v;
      xx += weight * d * d;
      xy += weight * d * v;
    }
    if (w === 0) return null;
    const spread = w * xx - x * x;
    // One point, or all at one place: their mean.
    return spread <= 1e-12 ? y / w : (y * xx - x * xy) / spread;
  });
}

/** A span that calms a curve of this many steps without hiding its shape. */
export function defaultSpan(steps: number): number {
  return Math.min(100, Math.max(2, Math.round(steps / 20)));
}
