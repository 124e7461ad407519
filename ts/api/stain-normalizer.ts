import { orderedMap } from '../data/ordered-map.js';
import { ownTile } from '../data/own-tile.js';
import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import type { NativeStain, NativeStainFit } from '../internal/native-stain.js';
import { validate } from '../internal/validate.js';
import {
  normalizeSchema,
  publishedSchema,
  stainFitSchema,
  stainPlaceSchema,
} from '../internal/validate-stain.js';
import type {
  NormalizedTile,
  NormalizeOptions,
  PublishedOptions,
  RawTile,
  StainFitOptions,
  StainMethod,
  StainPixels,
  StainReference,
  StainRuntime,
  StainStatus,
  TileInput,
} from '../types.js';
import { isTile, type TileSource } from './decoded-tiles.js';
import { type ImageBatch, imageBatches, oneByOne } from './image-batches.js';
import { readStainFile, referenceOf, valuesOf, writeStainFile } from './stain-file.js';
import {
  countsPixels,
  fitTogether,
  joinedFits,
  nativeOptions,
  STAIN_STATUS,
  type StainSettings,
} from './stain-fit.js';
import { BATCHES_IN_FLIGHT } from './tile-batches.js';

/**
 * Gives tiles the stain of a reference. Holds no native memory.
 *
 * @example
 * const normalizer = await StainNormalizer.fit('reference.png', { method: 'macenko' });
 * for await (const { tile, status } of normalizer.normalize(['a.png', 'b.png'])) console.log(status, tile.width);
 */
export class StainNormalizer {
  readonly method: StainMethod;
  /** What tiles are normalised to. */
  readonly reference: StainReference;
  /** That the reference was fitted to; 0 for a published one. */
  readonly tiles: number;
  readonly #native: NativeStain;
  readonly #settings: StainSettings;
  readonly #values: Float64Array;

  private constructor(native: NativeStain, settings: StainSettings, values: Float64Array, tiles: number) {
    this.method = settings.method;
    this.reference = referenceOf(settings.method, values);
    this.tiles = tiles;
    this.#native = native;
    this.#settings = settings;
    this.#values = values;
  }

  /**
   * Fits a reference: one tile, or many: stains by the median of the tiles' own, reinhard and histogram over all pixels.
   *
   * @throws STAINFOLD_STAIN where the reference holds too little stain; STAINFOLD_TILE_UNREADABLE; STAINFOLD_TILES_EMPTY;
   *   STAINFOLD_DEVICE; STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
   */
  static async fit(tiles: TileSource, options: StainFitOptions = {}): Promise<StainNormalizer> {
    const { signal, onProgress, onUnreadable, ...place } = validate(stainFitSchema, options);
    signal?.throwIfAborted();
    const native = await stainCore(place);
    const settings = settingsOf(place);
    const pooled = await fitTogether(native, settings, tiles, { signal, onProgress, onUnreadable });
    if (pooled === undefined)
      throw new StainfoldError('STAINFOLD_TILES_EMPTY', 'There is no tile to fit a reference to');
    const status = STAIN_STATUS[pooled.fit.status[0] ?? 0];
    if (status !== 'ok') {
      throw new StainfoldError(
        'STAINFOLD_STAIN',
        `The reference cannot be fitted by ${place.method}: ${status}`,
      );
    }
    return new StainNormalizer(native, settings, pooled.fit.values, pooled.tiles);
  }

  /** Torchstain's reference for Macenko's method, which serves Vahadane's as well: no tile needed. */
  static async published(options: PublishedOptions = {}): Promise<StainNormalizer> {
    const { signal, clamp = 3, method = 'macenko', ...place } = validate(publishedSchema, options);
    signal?.throwIfAborted();
    const native = await stainCore(place);
    const settings = settingsOf({ ...place, method, stains: 'he', clamp });
    return new StainNormalizer(native, settings, native.published(), 0);
  }

  /**
   * Reads what {@link save} wrote.
   *
   * @throws STAINFOLD_STAIN where the file is not one; STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ; and as {@link fit}.
   */
  static async load(path: string, options: StainRuntime = {}): Promise<StainNormalizer> {
    const { signal, clamp, ...place } = validate(stainPlaceSchema, options);
    signal?.throwIfAborted();
    const file = await readStainFile(path);
    const settings = settingsOf({ ...place, ...file, clamp: clamp ?? file.clamp });
    return new StainNormalizer(await stainCore(place), settings, valuesOf(file.reference), file.tiles);
  }

  /** Writes a small JSON file, whole or not at all. @throws STAINFOLD_FILE_WRITE. */
  async save(path: string): Promise<void> {
    const { method, stains, clamp, pixels } = this.#settings;
    await writeStainFile(path, {
      format: 'stainfold-stain',
      formatVersion: 1,
      method,
      stains: stains as 'he',
      clamp,
      ...(countsPixels(method) && { pixels }),
      tiles: this.tiles,
      reference: this.reference,
    });
  }

  /**
   * The tiles in the reference's stain, in their order, each in its own size. Tiles without stain come out as they went in,
   * and their status says so. Reads ahead by a bounded number of tiles; stopping early (`break`) stops the reading.
   *
   * @throws STAINFOLD_TILE_UNREADABLE (index in the message) unless `onUnreadable` is given; STAINFOLD_OPTION.
   */
  async *normalize(
    tiles: TileSource,
    options: NormalizeOptions = {},
  ): AsyncGenerator<NormalizedTile, void, undefined> {
    const { groups, signal, onFitProgress, onUnreadable } = validate(normalizeSchema, options);
    signal?.throwIfAborted();
    const native = this.#native;
    const settings = nativeOptions(this.#settings);
    const sources = groups && (await this.#fitGroups(tiles, groups, { signal, onProgress: onFitProgress }));
    const work = async (batch: ImageBatch): Promise<NormalizedTile[]> => {
      const source = sources
        ? joinedFits(batch.indices.map((index) => sources.get(groups[index] as string) as NativeStainFit))
        : await native.fit(settings, batch.tiles);
      const { pixels, status } = await native.normalize(settings, batch.tiles, source, this.#values);
      const { width, height } = batch.tiles;
      const bytes = width * height * 3;
      return batch.indices.map((index, i) => ({
        index,
        tile: { data: pixels.subarray(i * bytes, (i + 1) * bytes), width, height, channels: 3 },
        status: STAIN_STATUS[status[i] as number] as NormalizedTile['status'],
      }));
    };
    const batches = imageBatches(tiles, { signal, onUnreadable });
    yield* oneByOne(orderedMap(batches, BATCHES_IN_FLIGHT, work, signal), signal);
  }

  /**
   * Fits pictures of one slide together, as one source.
   *
   * @throws STAINFOLD_STAIN where their stain cannot be told; STAINFOLD_TILE_UNREADABLE; STAINFOLD_TILES_EMPTY.
   */
  async bind(tiles: TileSource, signal?: AbortSignal): Promise<BoundNormalizer> {
    const native = this.#native;
    const pooled = await fitTogether(native, this.#settings, tiles, { signal });
    if (pooled === undefined) {
      throw new StainfoldError('STAINFOLD_TILES_EMPTY', 'There is no tile to fit the source to');
    }
    const { fit } = pooled;
    const fitted = STAIN_STATUS[fit.status[0] ?? 0] as StainStatus;
    if (fitted !== 'ok') {
      throw new StainfoldError('STAINFOLD_STAIN', `The slide cannot be fitted by ${this.method}: ${fitted}`);
    }
    const settings = nativeOptions(this.#settings);
    let status: StainStatus = 'ok';
    return {
      get status() {
        return status;
      },
      normalize: async (picture) => {
        const { data: pixels, width, height } = ownTile(picture);
        const made = await native.normalize(settings, { pixels, count: 1, width, height }, fit, this.#values);
        if (STAIN_STATUS[made.status[0] ?? 0] === 'clamped') status = 'clamped';
        return made.pixels;
      },
    };
  }

  /** One fit a group. Tiles that cannot be read do not count; the second pass reports them. */
  async #fitGroups(
    tiles: TileSource,
    groups: readonly string[],
    {
      signal,
      onProgress,
    }: { signal?: AbortSignal | undefined; onProgress?: ((done: number) => void) | undefined },
  ): Promise<Map<string, NativeStainFit>> {
    const all: TileInput[] = isTile(tiles) ? [tiles] : Array.isArray(tiles) ? tiles : [];
    if (all.length !== groups.length) {
      throw new StainfoldError('STAINFOLD_OPTION', `groups names ${groups.length} tiles, got ${all.length}`, {
        hint: 'With groups, give an array of tiles and one name for each.',
      });
    }
    const members = new Map<string, TileInput[]>();
    for (const [i, tile] of all.entries()) {
      const name = groups[i] as string;
      const list = members.get(name);
      if (list) list.push(tile);
      else members.set(name, [tile]);
    }
    const fits = new Map<string, NativeStainFit>();
    let done = 0;
    for (const [name, list] of members) {
      const before = done;
      const pooled = await fitTogether(this.#native, this.#settings, list, {
        signal,
        onUnreadable: () => undefined,
        onProgress: (count) => onProgress?.(before + count),
      });
      if (pooled) fits.set(name, pooled.fit);
      done += list.length;
    }
    return fits;
  }
}

/** A normaliser and the fit of one source: for pictures of any part of it. */
export interface BoundNormalizer {
  /** `clamped` once a scale was held. */
  readonly status: StainStatus;
  /** RGB; -> [height,width,3]. */
  normalize(picture: RawTile): Promise<Uint8Array>;
}

/** The stateless functions; `threads` is the process's. */
export async function stainCore(place: {
  libtorch?: string | undefined;
  threads?: number | undefined;
}): Promise<NativeStain> {
  const native = await loadNative(place);
  if (place.threads !== undefined) native.setThreads(place.threads);
  return native.stain;
}

/** Glass is nobody's tissue: methods that would tint it leave it alone, unless the published form is asked for. */
function settingsOf({
  method,
  stains,
  clamp,
  pixels = 'tissue',
  device,
}: Omit<StainSettings, 'pixels'> & { pixels?: StainPixels | undefined }): StainSettings {
  return { method, stains, clamp, pixels, device };
}
