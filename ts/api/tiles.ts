import { openTileSet } from '../data/tile-set.js';
import { tilesSchema, validate } from '../internal/validate.js';
import type { ListTilesOptions, TileList } from '../types.js';

/**
 * The tiles of a folder (natural order) or manifest (its order), as train and evaluate see them. No image is opened.
 *
 * @example
 * const { tiles } = await listTiles({ tiles: 'tiles.csv', where: { site: 'B' } });
 * const embeddings = await encoder.embed(tiles.map(({ path }) => path));
 *
 * @throws STAINFOLD_MANIFEST, STAINFOLD_TILES_EMPTY, STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ, STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN.
 */
export async function listTiles(options: ListTilesOptions): Promise<TileList> {
  const { signal, ...selection } = validate(tilesSchema, options);
  const { columns, tiles } = await openTileSet(selection, signal);
  return { columns, tiles: tiles.map(({ file, path, labels }) => ({ file, path, labels })) };
}
