/** Features on their way into a file: their number is known, their values come as often as asked for, a piece at a time. */
import { toFloat16 } from '../data/numbers.js';
import { StainfoldError } from '../errors.js';
import type { FeaturePrecision } from '../types.js';

export interface FeatureSource {
  rows: number;
  columns: number;
  /** Row-major pieces, each of whole rows. */
  features(): AsyncIterable<Float32Array>;
  /** x and y of each row in level-0 pixels, in the same order. */
  coords(): AsyncIterable<Int32Array>;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Little-endian, as is every platform that LibTorch runs on. */
export async function* featureBytes(
  source: FeatureSource,
  precision: FeaturePrecision,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of source.features()) {
    yield bytesOf(precision === 'fp16' ? inHalf(piece) : piece);
  }
}

/** @throws STAINFOLD_EMBEDDINGS where a value is beyond float16: it would become infinite. */
function inHalf(values: Float32Array): Uint16Array {
  const beyond = values.find((value) => Math.abs(value) >= 65520);
  if (beyond === undefined) return toFloat16(values);
  throw new StainfoldError(
    'STAINFOLD_EMBEDDINGS',
    `${beyond} is beyond the range of fp16, which ends at 65504`,
    {
      hint: "Choose precision 'fp32'.",
    },
  );
}

/** int64: each value and its sign. */
export async function* wideCoords(source: FeatureSource): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of source.coords()) {
    const wide = new Int32Array(2 * piece.length);
    for (const [i, value] of piece.entries()) {
      wide[2 * i] = value;
      wide[2 * i + 1] = value >> 31;
    }
    yield bytesOf(wide);
  }
}

export async function* plainCoords(source: FeatureSource): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of source.coords()) yield bytesOf(piece);
}

/** float32, multiplied by `scale`. */
export async function* scaledCoords(
  source: FeatureSource,
  scale: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of source.coords())
    yield bytesOf(Float32Array.from(piece, (value) => value * scale));
}
