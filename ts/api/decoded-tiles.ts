/** Tiles of any kind, decoded ahead by a bounded number, in their order. What can't be read is told or thrown. */
import { DECODE_AHEAD } from '../data/decode.js';
import { reasonOf } from '../data/file-errors.js';
import { orderedMap } from '../data/ordered-map.js';
import { checkTile, ownTile } from '../data/own-tile.js';
import { StainfoldError } from '../errors.js';
import type { TileInput } from '../types.js';

export type TileSource = TileInput | Iterable<TileInput> | AsyncIterable<TileInput>;

export interface DecodedOptions {
  signal?: AbortSignal | undefined;
  /** Without it an unreadable tile is an error. */
  onUnreadable?: ((index: number, reason: string) => void) | undefined;
  /** Where the pixels of raw tiles are copied to; default: memory of their own. */
  memoryOf?: ((bytes: number) => Uint8Array) | undefined;
}

/** `index`: its place among the tiles given, the unreadable ones counted. */
export async function* decodedTiles<Decoded>(
  source: TileSource,
  decode: (tile: TileInput) => Promise<Decoded> | Decoded,
  { signal, onUnreadable, memoryOf }: DecodedOptions,
): AsyncGenerator<{ index: number; decoded: Decoded }, void, undefined> {
  const unlessUnreadable = (error: unknown): StainfoldError => {
    if (error instanceof StainfoldError && error.code === 'STAINFOLD_TILE_UNREADABLE') return error;
    throw error;
  };
  const attempt = (tile: TileInput): Promise<Decoded | StainfoldError> | Decoded => {
    try {
      const decoded = decode(ownTile(tile, memoryOf));
      return decoded instanceof Promise ? decoded.catch(unlessUnreadable) : decoded;
    } catch (error) {
      return Promise.reject(error); // in its turn, as if it had taken its time
    }
  };
  let index = -1;
  for await (const decoded of orderedMap(listOf(source), DECODE_AHEAD, attempt, signal)) {
    index++;
    if (!(decoded instanceof StainfoldError)) {
      yield { index, decoded };
      continue;
    }
    if (onUnreadable === undefined) throw atIndex(index, decoded);
    onUnreadable(index, reasonOf(decoded.cause ?? decoded));
  }
}

/** One tile is a list of one. */
export function listOf(source: TileSource): Iterable<TileInput> | AsyncIterable<TileInput> {
  return isTile(source) ? [source] : source;
}

export function isTile(source: TileSource): source is TileInput {
  if (typeof source === 'string' || source instanceof Uint8Array) return true;
  if (typeof source !== 'object' || source === null) checkTile(source);
  return !(Symbol.iterator in source || Symbol.asyncIterator in source);
}

function atIndex(index: number, error: StainfoldError): StainfoldError {
  const detail = error.message.slice(0, -error.hint.length);
  return new StainfoldError(error.code, `Tile ${index}: ${detail}`, { cause: error.cause ?? error });
}
