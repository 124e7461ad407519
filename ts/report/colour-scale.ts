/** Values as colours that every reader tells apart, and that stay in order when printed grey. */

export type Rgb = readonly [number, number, number];

/** Cividis (Nuñez, Anderton & Renslow 2018), made for colour-blind readers: dark blue to yellow. */
const CIVIDIS: readonly Rgb[] = [
  [0, 34, 78],
  [18, 53, 112],
  [59, 73, 108],
  [87, 93, 109],
  [112, 113, 115],
  [138, 134, 120],
  [165, 156, 116],
  [195, 179, 105],
  [225, 204, 85],
  [254, 232, 56],
];

/** 0 is the darkest, 1 the lightest. */
export function cividis(share: number): Rgb {
  const place = Math.max(0, Math.min(1, share)) * (CIVIDIS.length - 1);
  const index = Math.min(CIVIDIS.length - 2, Math.floor(place));
  const [from, to] = [CIVIDIS[index] as Rgb, CIVIDIS[index + 1] as Rgb];
  const mix = (c: 0 | 1 | 2) => Math.round(from[c] + (to[c] - from[c]) * (place - index));
  return [mix(0), mix(1), mix(2)];
}

export interface Range {
  low: number;
  high: number;
}

/** From the `tail` quantile of the finite values to its opposite, so that one stray tile does not flatten the rest. */
export function rangeOf(values: Float64Array, tail = 0.01): Range {
  const sorted = values.filter(Number.isFinite).sort();
  if (sorted.length === 0) return { low: 0, high: 1 };
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] as number;
  return { low: at(tail), high: at(1 - tail) };
}

/** 0 to 1 within the range; a half where the range is a point. */
export function within({ low, high }: Range, value: number): number {
  return high > low ? Math.max(0, Math.min(1, (value - low) / (high - low))) : 0.5;
}

/** Red, green and blue of three columns, each stretched from its 2nd to its 98th percentile: [tiles][3]. */
export function threeColours(components: Float64Array, columns: number): Rgb[] {
  const count = components.length / columns;
  const channels = [0, 1, 2].map((c) => {
    const values = Float64Array.from({ length: count }, (_, i) =>
      c < columns ? (components[i * columns + c] as number) : 0,
    );
    const range = rangeOf(values, 0.02);
    return values.map((value) => Math.round(255 * within(range, value)));
  });
  return Array.from(
    { length: count },
    (_, i): Rgb => [channels[0]?.[i] as number, channels[1]?.[i] as number, channels[2]?.[i] as number],
  );
}
