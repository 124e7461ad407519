/** Everything a run is determined by, worked out before anything native is touched. */
import { decodeTile, probeTile } from '../data/decode.js';
import { Loader } from '../data/loader.js';
import { affordableCache } from '../data/tile-cache.js';
import { digestTiles, openTileSet, type Tile, type TileSet } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { nativeManifold } from '../internal/manifold-kinds.js';
import type { NativeTrainOptions } from '../internal/native.js';
import type { trainSchema, validate } from '../internal/validate.js';
import type { UnreadableTile } from '../types.js';

export type TrainSettings = ReturnType<typeof validate<typeof trainSchema>>;

export interface TrainPlan {
  settings: TrainSettings;
  /** By name: a run does not depend on the manifest's order. */
  tiles: Tile[];
  tileSize: number;
  dataDigest: string;
  /** Per tile, or null. */
  realLab: Int32Array | null;
  realLabs: number;
  group: Int32Array | null;
  /** Index into the list of manifolds, per tile, or null where there is one. */
  stain: Int32Array | null;
}

export async function planTraining(settings: TrainSettings): Promise<TrainPlan> {
  const set = await openTileSet(settings, settings.signal);
  const tiles = set.tiles.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  if (tiles.length < 2) {
    throw new StainfoldError(
      'STAINFOLD_TILES_EMPTY',
      `${settings.tiles} holds 1 tile, training needs 2 at least`,
      {
        hint: 'Give more tiles, or check --where.',
      },
    );
  }
  const columns = [settings.labColumn, settings.groupColumn, settings.stainColumn].filter(
    (name) => name !== undefined,
  );
  const labs = settings.labColumn === undefined ? null : labIndices(set, 'labColumn', settings.labColumn);
  const group =
    settings.groupColumn === undefined ? null : groupIndices(set, 'groupColumn', settings.groupColumn);
  return {
    settings,
    tiles,
    tileSize: settings.tileSize ?? (await firstTileSize(tiles)),
    dataDigest: digestTiles(tiles, columns),
    realLab: labs,
    realLabs: labs === null ? 0 : labs.reduce((most, lab) => Math.max(most, lab + 1), 0),
    group,
    stain: stainIndices(set, settings),
  };
}

export function createLoader(plan: TrainPlan, unreadable: readonly UnreadableTile[]): Loader {
  const { batchSize, epochs, seed, strict, profile } = plan.settings;
  const { tiles, tileSize } = plan;
  const cacheBytes = plan.settings.cacheBytes ?? affordableCache();
  return new Loader({ tiles, tileSize, batchSize, epochs, seed, cacheBytes, strict, profile }, unreadable);
}

export function nativeTrainOptions(plan: TrainPlan, latent: number, steps: number): NativeTrainOptions {
  const { settings } = plan;
  const [manifold, ...further] = [settings.manifold].flat().map(nativeManifold);
  return {
    model: { size: settings.size, latent, tileSize: plan.tileSize },
    manifold: manifold as NonNullable<typeof manifold>,
    furtherStains: further,
    weights: settings.weights,
    compaction: settings.compaction,
    temperature: settings.temperature,
    lambda: CROSS_CORRELATION_LAMBDA,
    views: settings.views,
    viewTurn: settings.viewTurn,
    viewCrop: settings.viewCrop,
    realLabs: plan.realLabs,
    totalSteps: steps,
    warmupSteps: Math.round(settings.warmup * steps),
    learningRate: settings.learningRate,
    weightDecay: settings.weightDecay,
    clipNorm: settings.clipNorm,
    seed: settings.seed,
    device: settings.device,
    precision: settings.precision,
  };
}

/** Of the off-diagonal (Zbontar et al., Barlow Twins, ICML 2021). */
const CROSS_CORRELATION_LAMBDA = 0.005;

/**
 * The options that the result depends on, as a checkpoint records them. Paths are left out: they tell nothing of the model
 * and may name people. Device and precision are in the provenance, resolved.
 */
export function recordedOptions(plan: TrainPlan, latent: number): Record<string, unknown> {
  const { settings } = plan;
  return {
    size: settings.size,
    latent,
    tileSize: plan.tileSize,
    epochs: settings.epochs,
    batchSize: settings.batchSize,
    views: settings.views,
    viewTurn: settings.viewTurn,
    viewCrop: settings.viewCrop,
    learningRate: settings.learningRate,
    weightDecay: settings.weightDecay,
    warmup: settings.warmup,
    clipNorm: settings.clipNorm,
    temperature: settings.temperature,
    compaction: settings.compaction,
    weights: settings.weights,
    manifold: settings.manifold,
    labColumn: settings.labColumn ?? null,
    groupColumn: settings.groupColumn ?? null,
    ...(settings.stainColumn !== undefined && { stainColumn: settings.stainColumn }),
    where: settings.where,
    seed: settings.seed,
  };
}

/** Side of the first readable tile, rounded down to a multiple of 32. */
export async function firstTileSize(tiles: readonly Tile[]): Promise<number> {
  let first: unknown;
  for (const { path } of tiles) {
    try {
      const { width, height } = await probeTile(path);
      const side = Math.min(1024, Math.max(32, Math.floor(Math.min(width, height) / 32) * 32));
      // A header may promise what the pixels do not keep; a tile that training would skip must not set the size.
      await decodeTile(path, side);
      return side;
    } catch (error) {
      first ??= error;
    }
  }
  throw new StainfoldError('STAINFOLD_TILES_EMPTY', `None of ${tiles.length} tiles can be read`, {
    hint: 'Repair the tiles, or give others.',
    cause: first,
  });
}

/** Values of a column as indices, in the order of their names. */
function labIndices({ columns, tiles }: TileSet, option: string, column: string): Int32Array {
  requireColumn(columns, option, column);
  const names = [...new Set(tiles.map(({ labels }) => labels[column] as string))].sort();
  const index = new Map(names.map((name, i) => [name, i]));
  return Int32Array.from(tiles, ({ labels }) => index.get(labels[column] as string) as number);
}

/** Which manifold renders each tile. */
function stainIndices(
  { columns, tiles }: TileSet,
  { manifold, stainColumn }: TrainSettings,
): Int32Array | null {
  const refuse = (detail: string): StainfoldError => new StainfoldError('STAINFOLD_OPTION', detail);
  if (!Array.isArray(manifold)) {
    if (stainColumn === undefined) return null;
    throw refuse(`stainColumn must come with a list of manifolds, got '${stainColumn}' with one`);
  }
  if (stainColumn === undefined) {
    if (manifold.length === 1) return null;
    throw refuse(`stainColumn must be given with a list of ${manifold.length} manifolds, got undefined`);
  }
  requireColumn(columns, 'stainColumn', stainColumn);
  const names = manifold.map(({ stain, kind }) => stain ?? kind);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw refuse(`manifold must name each stain once, got '${twice}' twice`);
  const indices = Int32Array.from(tiles, ({ labels, file }) => {
    const index = names.indexOf(labels[stainColumn] as string);
    if (index < 0) {
      throw new StainfoldError(
        'STAINFOLD_MANIFEST',
        `${file} has the stain '${labels[stainColumn]}', which is none of ${names.join(', ')}`,
        { hint: 'Give each manifold the `stain` whose tiles it renders.' },
      );
    }
    return index;
  });
  return manifold.length === 1 ? null : indices;
}

/** As labIndices; a tile without a value is a group of its own. */
function groupIndices(set: TileSet, option: string, column: string): Int32Array {
  const groups = labIndices(set, option, column);
  return groups.map((group, i) => (set.tiles[i]?.labels[column] === '' ? set.tiles.length + i : group));
}

export function requireColumn(columns: readonly string[], option: string, column: string): void {
  if (columns.includes(column)) return;
  const known = columns.length === 0 ? 'there are none in a folder' : `it has ${columns.join(', ')}`;
  throw new StainfoldError(
    'STAINFOLD_OPTION',
    `${option} must be a column of the manifest (${known}), got '${column}'`,
  );
}
