/**
 * A pack: decoded tiles in one file. Little-endian:
 *
 *   0     8 bytes  "SFPACK1\n"
 *   8     u64      where the manifest begins; it ends where the file ends
 *   16    u64      length of the manifest
 *   24    32 bytes SHA-256 of the manifest
 *   56    zeros up to 4096
 *   4096  pixels: of each tile [height,width,3] uint8, row by row, beginning at a multiple of 64
 *   ...   the manifest: JSON in UTF-8, a column for each thing that is known of a tile
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { StainfoldError } from '../errors.js';
import type { UnreadableTile } from '../types.js';

const MAGIC = 'SFPACK1\n';
export const HEADER_BYTES = 4096;
const HEADER_FIELDS = 56;
const ALIGNMENT = 64;
/** Of tens of millions of tiles. */
const MOST_MANIFEST_BYTES = 2 ** 32;

export interface PackManifest {
  format: 'stainfold-pack';
  version: 1;
  /** Version of stainfold that wrote it. */
  stainfold: string;
  /** What all tiles were resized and cropped to; null: each as it was. */
  tileSize: number | null;
  /** Label columns. */
  columns: string[];
  /** One value for each tile, in the order of the set that was packed. */
  tiles: {
    /** As the manifest or folder named it. */
    file: string[];
    /** Of each column, a value for each tile. */
    labels: Record<string, string[]>;
    /** Bytes of the image file that it was. */
    bytes: number[];
    width: number[];
    height: number[];
    /** Of its pixels, from the beginning of the file. */
    offset: number[];
    /** CRC-32 of its pixels. */
    crc32: number[];
  };
  /** What was left out. */
  unreadable: UnreadableTile[];
}

const count = z.int().min(0);
const side = z.int().min(1);
const schema = z.object({
  format: z.literal('stainfold-pack'),
  version: z.literal(1),
  stainfold: z.string(),
  tileSize: count.nullable(),
  columns: z.array(z.string()),
  tiles: z.object({
    file: z.array(z.string()),
    labels: z.record(z.string(), z.array(z.string())),
    bytes: z.array(count),
    width: z.array(side),
    height: z.array(side),
    offset: z.array(count),
    crc32: z.array(count),
  }),
  unreadable: z.array(z.object({ file: z.string(), reason: z.string() })),
});

export const packError = (path: string, detail: string, cause?: unknown): StainfoldError =>
  new StainfoldError('STAINFOLD_PACK', `${path}: ${detail}`, { cause });

/** Bytes from the start of a tile of this many to the start of the next. */
export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

export const pixelBytes = (width: number, height: number): number => width * height * 3;

export function encodePackHeader(manifest: Uint8Array, offset: number): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeBigUInt64LE(BigInt(offset), 8);
  header.writeBigUInt64LE(BigInt(manifest.length), 16);
  createHash('sha256').update(manifest).digest().copy(header, 24);
  return header;
}

/** Where the manifest lies, and its digest. Throws STAINFOLD_PACK for a file that is none, or is cut off. */
export function decodePackHeader(
  path: string,
  header: Uint8Array,
  fileBytes: number,
): { offset: number; length: number; digest: Uint8Array } {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  if (bytes.length < HEADER_FIELDS || bytes.toString('latin1', 0, 8) !== MAGIC) {
    throw packError(path, 'it does not begin as a pack does');
  }
  const offset = Number(bytes.readBigUInt64LE(8));
  const length = Number(bytes.readBigUInt64LE(16));
  const end = offset + length;
  if (fileBytes < end) {
    throw packError(path, `it is cut off: ${fileBytes} of ${end} bytes`);
  }
  if (fileBytes > end || offset < HEADER_BYTES || length > MOST_MANIFEST_BYTES) {
    throw packError(path, `its header does not fit its ${fileBytes} bytes`);
  }
  return { offset, length, digest: bytes.subarray(24, HEADER_FIELDS) };
}

/** Throws STAINFOLD_PACK for what is damaged, or contradicts itself. */
export function decodePackManifest(
  path: string,
  json: Uint8Array,
  digest: Uint8Array,
  pixelsEnd: number,
): PackManifest {
  if (!createHash('sha256').update(json).digest().equals(digest)) {
    throw packError(path, 'its manifest is damaged (SHA-256 differs)');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString());
  } catch (cause) {
    throw packError(path, 'its manifest is not JSON', cause);
  }
  const version = (parsed as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > 1) {
    throw new StainfoldError('STAINFOLD_PACK', `${path} is a pack of version ${version}`, {
      hint: 'Update stainfold, or make the pack again with this version.',
    });
  }
  const result = schema.safeParse(parsed);
  if (!result.success) throw packError(path, `its manifest is incomplete (${result.error.issues[0]?.path})`);
  const { tiles, columns } = result.data;
  const { file, labels, bytes, width, height, offset, crc32 } = tiles;
  const values = (column: string): string[] => (Object.hasOwn(labels, column) ? labels[column] : []) ?? [];
  const lists = [bytes, width, height, offset, crc32, ...columns.map(values)];
  const whole = lists.every((list) => list.length === file.length);
  const inside = offset.every(
    (start, i) =>
      start >= HEADER_BYTES && start + pixelBytes(width[i] as number, height[i] as number) <= pixelsEnd,
  );
  if (!whole || !inside) throw packError(path, 'its manifest contradicts itself');
  return result.data;
}
