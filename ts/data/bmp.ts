/** Pixels of an uncompressed BMP: rows from the top, padding removed, channels as stored (BGR or BGRx). */
export interface BmpPixels {
  data: Uint8Array;
  width: number;
  height: number;
  channels: 3 | 4;
}

const FILE_HEADER = 14;
const INFO_HEADER = 40;

export function isBmp(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/** libvips has no BMP loader, and scanners write the plain kind: 24 or 32 bits, uncompressed. Others are named and refused. */
export function readBmp(bytes: Uint8Array): BmpPixels {
  const fail = (reason: string): never => {
    throw new Error(reason);
  };
  if (bytes.length < FILE_HEADER + INFO_HEADER) fail(`BMP of ${bytes.length} bytes is truncated`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = view.getUint32(10, true);
  const width = view.getInt32(18, true);
  const storedHeight = view.getInt32(22, true);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  if (compression !== 0) fail(`BMP compression ${compression} is not supported: save it as PNG`);
  if (bits !== 24 && bits !== 32) fail(`BMP of ${bits} bits a pixel is not supported: save it as PNG`);
  const height = Math.abs(storedHeight);
  if (width < 1 || height < 1 || width > 65_535 || height > 65_535)
    fail(`BMP of ${width} x ${height} pixels is damaged`);
  const channels = bits === 24 ? 3 : 4;
  const row = width * channels;
  const stride = Math.ceil(row / 4) * 4;
  if (start + stride * height > bytes.length) fail(`BMP of ${bytes.length} bytes is truncated`);
  const data = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    const from = start + (storedHeight > 0 ? height - 1 - y : y) * stride;
    data.set(bytes.subarray(from, from + row), y * row);
  }
  return { data, width, height, channels };
}
