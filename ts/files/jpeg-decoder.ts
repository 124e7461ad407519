/**
 * Where the native core leaves its JPEG decoder, once it is loaded, for those who decode: neither room may import the other.
 * Plain JPEG tiles then cost a fourth of what they cost through sharp, and come out the same to the byte.
 */

/**
 * Fills `into` ([side,side,3]); false for what another decoder must see to. `worker` is the thread that does it, counted from 0.
 * `stamps` [3]: when the worker began, had the bytes, had the pixels, in milliseconds of process.hrtime().
 */
export type JpegDecoder = (
  source: string | Uint8Array,
  side: number,
  into: Uint8Array,
  worker: number,
  stamps: Float64Array | null,
) => Promise<boolean>;

let decoder: JpegDecoder | undefined;

export function setJpegDecoder(native: JpegDecoder | undefined): void {
  decoder = native;
}

export function jpegDecoder(): JpegDecoder | undefined {
  return decoder;
}
