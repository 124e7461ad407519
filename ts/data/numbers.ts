/** Little-endian numbers of any float type as float32. */

export type FloatType = 'F64' | 'F32' | 'F16' | 'BF16';
export const FLOAT_BYTES: Readonly<Record<FloatType, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

/** Every platform that LibTorch runs on is little-endian. `bytes` need not be aligned. */
export function toFloat32(bytes: Uint8Array, type: FloatType): Float32Array {
  const { buffer } = bytes.slice();
  if (type === 'F32') return new Float32Array(buffer);
  if (type === 'F64') return Float32Array.from(new Float64Array(buffer));
  const words = new Uint16Array(buffer);
  if (type === 'F16') return Float32Array.from(words, half);
  // bfloat16 is the upper half of a float32.
  return new Float32Array(Uint32Array.from(words, (word) => word << 16).buffer);
}

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
function half(word: number): number {
  const sign = word & 0x8000 ? -1 : 1;
  const exponent = (word >> 10) & 0x1f;
  const fraction = word & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const BITS = new Uint32Array(1);
const FLOAT = new Float32Array(BITS.buffer);

/** float32 to the nearest binary16, ties to even. What is beyond 65504 becomes infinite. */
export function toFloat16(values: Float32Array): Uint16Array {
  const words = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    FLOAT[0] = values[i] as number;
    const bits = BITS[0] as number;
    const sign = (bits >>> 16) & 0x8000;
    const magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000) {
      words[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
    } else if (magnitude < 0x38800000) {
      // Subnormal: adding 0.5 leaves the sum's last 10 bits as the rounded fraction, in units of 2^-24.
      FLOAT[0] = Math.abs(values[i] as number) + 0.5;
      words[i] = sign | ((BITS[0] as number) - 0x3f000000);
    } else {
      const odd = (magnitude >>> 13) & 1;
      words[i] = sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
    }
  }
  return words;
}
