/**
 * Callers' memory is read later and by other threads, and JavaScript may meanwhile take it away (a transfer) or shrink it: what
 * is read is a copy, made when the tile's turn comes. Shared memory can do neither, and stays where it is.
 */
import { StainfoldError } from '../errors.js';
import type { RawTile, TileInput } from '../types.js';

/**
 * `memoryOf`: where pixels are copied to. Throws STAINFOLD_OPTION for what is no tile; STAINFOLD_DTYPE, STAINFOLD_SHAPE for raw
 * tiles that contradict themselves.
 */
export function ownTile<Tile extends TileInput>(
  tile: Tile,
  memoryOf: (bytes: number) => Uint8Array = Buffer.allocUnsafeSlow,
): Tile {
  checkTile(tile);
  if (typeof tile === 'string') return tile;
  if (tile instanceof Uint8Array) return copied(tile, Buffer.allocUnsafeSlow(tile.length)) as typeof tile;
  checkRaw(tile);
  if (tile.data.buffer instanceof SharedArrayBuffer) return tile;
  return { ...(tile as RawTile), data: copied(tile.data, memoryOf(tile.data.length)) } as Tile;
}

function copied(bytes: Uint8Array, into: Uint8Array): Uint8Array {
  // Of memory that was taken away nothing is left, and not even nothing can be copied.
  if (bytes.length > 0) into.set(bytes);
  return into;
}

/** A copy of an array. Throws STAINFOLD_DTYPE where its memory is gone: it would look like an empty one. */
export function ownArray<Values extends Float32Array | Int32Array>(array: Values, what: string): Values {
  try {
    return array.slice() as Values;
  } catch (cause) {
    throw new StainfoldError(
      'STAINFOLD_DTYPE',
      `Nothing is left of ${what}: its memory was transferred or resized`,
      {
        hint: 'Give an array that owns its memory until the call has settled.',
        cause,
      },
    );
  }
}

export function isRawTile(tile: TileInput): tile is RawTile {
  return typeof tile === 'object' && !(tile instanceof Uint8Array);
}

export function checkTile(tile: unknown): asserts tile is TileInput {
  if (typeof tile === 'string' || tile instanceof Uint8Array) return;
  if (typeof tile === 'object' && tile !== null && 'data' in tile) return;
  throw new StainfoldError(
    'STAINFOLD_OPTION',
    `A tile must be a path, an encoded image or a RawTile, got ${typeof tile}`,
    {
      hint: 'Give one tile, an array of tiles, or an async iterable of tiles.',
    },
  );
}

/** Throws STAINFOLD_DTYPE or STAINFOLD_SHAPE where a raw tile contradicts itself. */
export function checkRaw({ data, width, height, channels }: RawTile): void {
  const got = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);
  if (!(data instanceof Uint8Array)) {
    throw new StainfoldError('STAINFOLD_DTYPE', `A raw tile's data must be a Uint8Array, got ${got(data)}`);
  }
  if (![width, height].every((side) => Number.isInteger(side) && side > 0) || ![1, 3, 4].includes(channels)) {
    throw new StainfoldError('STAINFOLD_SHAPE', `A raw tile cannot be ${width} x ${height} x ${channels}`, {
      hint: 'Give width and height of at least 1 and 1, 3 or 4 channels.',
    });
  }
  if (data.length !== width * height * channels) {
    throw new StainfoldError(
      'STAINFOLD_SHAPE',
      `A raw tile of ${width} x ${height} x ${channels} has ${width * height * channels} bytes, got ${data.length}`,
      { hint: 'Give width * height * channels bytes, row by row.' },
    );
  }
}
