import { decodeTile } from '../data/decode.js';
import { loadNative } from '../internal/load.js';
import { renderSchema, validate } from '../internal/validate.js';
import type { RawTile, RenderOptions, TileInput } from '../types.js';
import { nativeManifold } from './train-plan.js';

/**
 * Tiles as each virtual lab of the stain manifold renders them: what an encoder trained with the same `manifold` and `seed`
 * learns to see through. Without the jitter, blur and geometry of training views.
 *
 * @returns One list for each lab, in the order of `tiles`.
 *
 * @example
 * const [lab0, lab1] = await renderManifold(['a.png'], { tileSize: 224, manifold: { labs: 2 } });
 *
 * @throws STAINFOLD_TILE_UNREADABLE, STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function renderManifold(
  tiles: readonly TileInput[],
  options: RenderOptions,
): Promise<RawTile[][]> {
  const settings = validate(renderSchema, options);
  const { tileSize, manifold, seed, signal } = settings;
  signal?.throwIfAborted();
  const native = await loadNative({ libtorch: settings.libtorch });
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const tileBytes = tileSize * tileSize * 3;
  const pixels = new Uint8Array(tiles.length * tileBytes);
  for (const [i, tile] of tiles.entries()) pixels.set(await decodeTile(tile, tileSize), i * tileBytes);
  signal?.throwIfAborted();
  const drawn = await native.renderManifold(
    { ...nativeManifold(manifold), seed },
    pixels,
    tiles.length,
    tileSize,
  );
  return Array.from({ length: manifold.labs }, (_, lab) =>
    tiles.map((_, i) => {
      const start = (lab * tiles.length + i) * tileBytes;
      return { data: drawn.slice(start, start + tileBytes), width: tileSize, height: tileSize, channels: 3 };
    }),
  );
}
