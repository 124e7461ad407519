/** One vector for a slide, of its tiles' features, without attention: nothing to train, and the same for everyone. */
import type { SlidePooling } from '../types.js';
import type { FeatureSource } from './source.js';

/** Sums are float64 and in the order of the tiles: the same features, the same bytes. */
export async function pool(
  source: Pick<FeatureSource, 'rows' | 'columns' | 'features'>,
  pooling: SlidePooling,
): Promise<Float32Array> {
  const { rows, columns } = source;
  const sum = new Float64Array(columns);
  const squares = new Float64Array(columns);
  const most = new Float32Array(columns).fill(Number.NEGATIVE_INFINITY);
  let origin: Float32Array | undefined;
  for await (const piece of source.features()) {
    // Distances from the first tile: the squares of values that lie far from 0 would cancel.
    origin ??= piece.slice(0, columns);
    for (let at = 0; at < piece.length; at += columns) {
      for (let c = 0; c < columns; c++) {
        const value = piece[at + c] as number;
        const distance = value - (origin[c] as number);
        sum[c] = (sum[c] as number) + distance;
        squares[c] = (squares[c] as number) + distance * distance;
        if (value > (most[c] as number)) most[c] = value;
      }
    }
  }
  const shift = sum.map((total) => total / rows);
  const mean = Float32Array.from(shift, (distance, c) => distance + (origin?.[c] ?? 0));
  if (pooling === 'mean') return mean;
  if (pooling === 'max') return most;
  const spread = squares.map((total, c) => Math.sqrt(Math.max(0, total / rows - (shift[c] as number) ** 2)));
  return Float32Array.from([...mean, ...(pooling === 'mean-max' ? most : spread)]);
}
