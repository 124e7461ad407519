import { orderedMap } from '../data/ordered-map.js';
import type { NativeStain } from '../internal/native-stain.js';
import { validate } from '../internal/validate.js';
import { separateSchema } from '../internal/validate-stain.js';
import type { SeparatedTile, SeparateOptions } from '../types.js';
import type { TileSource } from './decoded-tiles.js';
import { type ImageBatch, imageBatches, oneByOne } from './image-batches.js';
import { nativeOptions, STAIN_STATUS } from './stain-fit.js';
import { stainCore } from './stain-normalizer.js';
import { BATCHES_IN_FLIGHT } from './tile-batches.js';

/**
 * Separates the stains of each tile: OD = M C, OD = -ln((I + 1) / 240).
 *
 * @example
 * for await (const { matrix, concentrations, status } of separate(['a.png'])) console.log(status, matrix);
 *
 * @throws STAINFOLD_TILE_UNREADABLE (index in the message) unless `onUnreadable` is given; STAINFOLD_DEVICE; STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function* separate(
  tiles: TileSource,
  options: SeparateOptions = {},
): AsyncGenerator<SeparatedTile, void, undefined> {
  const { signal, images, onUnreadable, ...settings } = validate(separateSchema, options);
  signal?.throwIfAborted();
  const native = await stainCore(settings);
  const request = nativeOptions({ ...settings, clamp: 1, pixels: 'all' });
  const names = stainNames(native, settings);
  const work = async ({ tiles: batch, indices }: ImageBatch): Promise<SeparatedTile[]> => {
    const found = await native.separate(request, batch, images);
    const { width, height } = batch;
    const count = names.length;
    const area = width * height;
    return indices.map((index, i) => {
      const planes = names.map((_, s) => i * count + s);
      const matrix = [0, 1, 2].map((row) =>
        Array.from(found.stains.subarray((i * 3 + row) * count, (i * 3 + row + 1) * count)),
      );
      return {
        index,
        width,
        height,
        stains: [...names],
        matrix,
        concentrations: found.concentrations.slice(i * count * area, (i + 1) * count * area),
        status: STAIN_STATUS[found.status[i] as number] as SeparatedTile['status'],
        ...(found.images && {
          images: planes.map((plane) => ({
            data: (found.images as Uint8Array).slice(plane * area * 3, (plane + 1) * area * 3),
            width,
            height,
            channels: 3 as const,
          })),
        }),
        ...(found.maps && {
          maps: planes.map((plane) => {
            // A copy: its own memory is aligned.
            const bytes = (found.maps as Uint8Array).slice(plane * area * 2, (plane + 1) * area * 2);
            return new Uint16Array(bytes.buffer, 0, area);
          }),
        }),
      };
    });
  };
  const batches = imageBatches(tiles, { signal, onUnreadable });
  yield* oneByOne(orderedMap(batches, BATCHES_IN_FLIGHT, work, signal), signal);
}

export function stainNames(
  native: NativeStain,
  { method, stains }: { method: string; stains: string },
): readonly string[] {
  const set = method === 'ruifrok' ? stains : 'he';
  return native.sets().find(({ name }) => name === set)?.stains ?? [];
}
