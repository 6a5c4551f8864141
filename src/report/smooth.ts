/**
 * Smooths a curve by local linear regression with a triangular kernel (LOWESS without the robust passes: Cleveland 1979,
 * doi 10.1080/01621459.1979.10481038). Unlike a moving average, it does not lag behind a steeply falling loss.
 * Non-finite values are ignored; the result is `null` where the window has no finite value.
 *
 * @param values one per step, in order
 * @param span half-width of the window in steps; below 1 the values are returned unchanged
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
    // All points have the same x: return their mean.
    return spread <= 1e-12 ? y / w : (y * xx - x * xy) / spread;
  });
}

/** The default half-width of the window for a curve of this many steps. */
export function defaultSpan(steps: number): number {
  return Math.min(100, Math.max(2, Math.round(steps / 20)));
}
