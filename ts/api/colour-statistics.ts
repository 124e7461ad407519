/** How the colours of tiles vary from tile to tile: what RandStainNA draws its templates from. */
import { DECODE_CONCURRENCY, decodeTile } from '../data/decode.js';
import { orderedMap } from '../data/ordered-map.js';
import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon } from '../internal/native.js';
import { colourStatisticsSchema, validate } from '../internal/validate.js';
import type { ManifoldSettings } from '../internal/validate-manifold.js';
import type { ColourStatistics, ColourStatisticsOptions, TileInput } from '../types.js';
import type { TrainPlan } from './train-plan.js';

/** Tiles a native call. */
const BATCH = 32;
/** Tiles that a run looks at: their spreads are then known to 4 %. */
const ENOUGH_TILES = 512;

/**
 * Means and spreads of the tiles' colours in CIELAB: the `statistics` of a `randstainna` manifold.
 *
 * @example
 * const statistics = await fitColourStatistics(['a.png', 'b.png']);
 *
 * @throws STAINFOLD_TILES_EMPTY for fewer than two tiles; STAINFOLD_TILE_UNREADABLE, STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function fitColourStatistics(
  tiles: readonly TileInput[],
  options: ColourStatisticsOptions = {},
): Promise<ColourStatistics> {
  const settings = validate(colourStatisticsSchema, options);
  settings.signal?.throwIfAborted();
  const native = await loadNative(settings);
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  return fitStatistics(native, tiles, settings.tileSize, settings.signal);
}

async function fitStatistics(
  native: NativeAddon,
  tiles: readonly TileInput[],
  tileSize: number,
  signal: AbortSignal | undefined,
  skipUnreadable = false,
): Promise<ColourStatistics> {
  const rows: Float64Array[] = [];
  const tileBytes = tileSize * tileSize * 3;
  const batch = new Uint8Array(BATCH * tileBytes);
  let filled = 0;
  const measure = async (): Promise<void> => {
    if (filled === 0) return;
    rows.push(await native.labStatistics(batch.subarray(0, filled * tileBytes), filled, tileSize));
    filled = 0;
  };
  const decode = async (tile: TileInput): Promise<Uint8Array | undefined> => {
    try {
      return await decodeTile(tile, tileSize);
    } catch (error) {
      if (skipUnreadable && error instanceof StainfoldError) return undefined;
      throw error;
    }
  };
  for await (const pixels of orderedMap(tiles, DECODE_CONCURRENCY, decode, signal)) {
    if (pixels === undefined) continue;
    batch.set(pixels, filled++ * tileBytes);
    if (filled === BATCH) await measure();
  }
  await measure();
  const values = rows.flatMap((row) => Array.from(row));
  const count = values.length / 6;
  if (count < 2) {
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', `Colours vary between 2 tiles at least, got ${count}`, {
      hint: 'Give more tiles, or `statistics`.',
    });
  }
  const column = (k: number): { mean: number; spread: number } => {
    const numbers = Array.from({ length: count }, (_, i) => values[6 * i + k] as number);
    const mean = numbers.reduce((sum, x) => sum + x, 0) / count;
    const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (count - 1);
    return { mean, spread: Math.sqrt(variance) };
  };
  const three = (first: number, part: 'mean' | 'spread'): [number, number, number] => [
    column(first)[part],
    column(first + 1)[part],
    column(first + 2)[part],
  ];
  return {
    mean: three(0, 'mean'),
    meanSpread: three(0, 'spread'),
    deviation: three(3, 'mean'),
    deviationSpread: three(3, 'spread'),
  };
}

/** The manifold, its statistics fitted to the tiles where it needs some and has none. */
export async function fittedManifold(
  native: NativeAddon,
  manifold: ManifoldSettings,
  tiles: readonly TileInput[],
  tileSize: number,
  signal: AbortSignal | undefined,
): Promise<ManifoldSettings> {
  if (manifold.kind !== 'randstainna' || manifold.statistics !== undefined) return manifold;
  const stride = Math.max(1, Math.floor(tiles.length / ENOUGH_TILES));
  const sample = tiles.filter((_, i) => i % stride === 0).slice(0, ENOUGH_TILES);
  return { ...manifold, statistics: await fitStatistics(native, sample, tileSize, signal, true) };
}

export async function withColourStatistics(native: NativeAddon, plan: TrainPlan): Promise<TrainPlan> {
  const { settings, tileSize, stain } = plan;
  const fitted: ManifoldSettings[] = [];
  for (const [i, manifold] of [settings.manifold].flat().entries()) {
    const own = plan.tiles.filter((_, tile) => stain === null || stain[tile] === i).map(({ path }) => path);
    fitted.push(await fittedManifold(native, manifold, own, tileSize, settings.signal));
  }
  const manifold = Array.isArray(settings.manifold) ? fitted : (fitted[0] as ManifoldSettings);
  return { ...plan, settings: { ...settings, manifold } };
}
