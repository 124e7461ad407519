/** A trained translator in service. Internal: the benchmark's baselines, not part of the public surface. */
import { orderedMap } from '../data/ordered-map.js';
import { loadNative } from '../internal/load.js';
import { validate } from '../internal/validate.js';
import { translateSchema } from '../internal/validate-translator.js';
import type { TranslateOptions } from '../types/translator.js';
import type { RawTile } from '../types.js';
import type { TileSource } from './decoded-tiles.js';
import { BATCHES_IN_FLIGHT, type PixelBatch, pixelBatches } from './tile-batches.js';
import { readTranslator } from './translator-file.js';

/**
 * The tiles, one after the other and in their order, in the appearance of the translator's source (or target). Memory stays
 * bounded however many there are; tiles that were skipped as unreadable yield nothing.
 *
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_SAFETENSORS, STAINFOLD_CHECKPOINT, STAINFOLD_WEIGHTS; STAINFOLD_TILE_UNREADABLE;
 *   STAINFOLD_DEVICE, STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function* translateTiles(
  model: string,
  tiles: TileSource,
  options: TranslateOptions = {},
): AsyncGenerator<RawTile, void, undefined> {
  const settings = validate(translateSchema, options);
  const { to, batchSize, signal, onProgress, onUnreadable, device, precision } = settings;
  signal?.throwIfAborted();
  const { info, specs, data } = await readTranslator(model);
  const native = await loadNative(settings);
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const translator = new native.Translator({ model: info.model, device, precision });
  try {
    await translator.open(specs, data);
    const tileSize = settings.tileSize ?? info.model.tileSize;
    const tileBytes = tileSize * tileSize * 3;
    const paint = ({ pixels, count }: PixelBatch): Promise<Uint8Array> =>
      translator.translate(pixels, count, tileSize, to);
    const batches = pixelBatches(tiles, { tileSize, batchSize, signal, onUnreadable });
    let done = 0;
    for await (const painted of orderedMap(batches, BATCHES_IN_FLIGHT, paint, signal)) {
      for (let start = 0; start < painted.length; start += tileBytes) {
        const tile = painted.slice(start, start + tileBytes);
        yield { data: tile, width: tileSize, height: tileSize, channels: 3 };
        onProgress?.(++done);
      }
    }
  } finally {
    await translator.dispose();
  }
}
