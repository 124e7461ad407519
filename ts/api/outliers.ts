/** Out-of-distribution statistics: fitted on training tiles and their renderings, kept in the model's file as tensors "ood.*". */
import { resolve } from 'node:path';
import { csvLine } from '../data/csv.js';
import { pickScattered } from '../data/evenly.js';
import { tensorBytes, writeSafetensors } from '../data/safetensors.js';
import { openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { lockFolder } from '../files/lock.js';
import { loadNative } from '../internal/load.js';
import { nativeManifold } from '../internal/manifold-kinds.js';
import type {
  NativeAddon,
  NativeEmbedder,
  NativeManifoldOptions,
  NativeTensorSpec,
} from '../internal/native.js';
import { validate } from '../internal/validate.js';
import type { ManifoldSettings } from '../internal/validate-manifold.js';
import { fitOutliersSchema } from '../internal/validate-outliers.js';
import type {
  EmbeddingTile,
  FitOutliersOptions,
  FitOutliersResult,
  ModelInfo,
  TileScores,
  UnreadableTile,
} from '../types.js';
import { isServed, modelMetadata, readModel } from './model-file.js';
import { pixelBatches } from './tile-batches.js';
import { parseRun } from './train-checkpoint.js';

export interface Tensors {
  specs: NativeTensorSpec[];
  data: Uint8Array;
}

/** Renderings of each tile beside the tile itself. */
const VIEWS = 3;
/** Narrower than the 1.5 of training: the labs of AMi-Br lie within, and further out DAB would pass for eosin. */
const STRENGTH = 0.6;
const LABS = 64;
/** Fewer tiles have no percentile to speak of. */
const LEAST_TILES = 20;
const LIMIT = 400;

/** Tiles of one stain, and the manifold whose renderings of them count as known. */
interface KnownStain {
  manifold: NativeManifoldOptions;
  paths: readonly string[];
}

type LabelledTile = Pick<Tile, 'path' | 'labels'>;

/** The model's manifold, without blur and re-compression: with them in what is known, a tile out of focus would be known too. */
function knownManifold(own: ManifoldSettings | undefined, strength: number): NativeManifoldOptions {
  const given = Object.entries(own ?? {}).filter(([, value]) => value !== null);
  const known = { ...Object.fromEntries(given), labs: LABS, geometry: false, strength } as ManifoldSettings;
  const manifold = nativeManifold(known);
  const stain = manifold.transforms.filter(({ type }) => type !== 'blur' && type !== 'jpeg');
  return { ...manifold, transforms: stain };
}

/** Of a model of several stains each tile is rendered by the manifold of its own. */
function knownStains(
  options: Record<string, unknown>,
  tiles: readonly LabelledTile[],
  strength = STRENGTH,
): KnownStain[] {
  const manifolds = [(options.manifold ?? {}) as ManifoldSettings | ManifoldSettings[]].flat();
  const column = options.stainColumn as string | undefined;
  const all = tiles.map(({ path }) => path);
  if (column === undefined || manifolds.length < 2) {
    return [{ manifold: knownManifold(manifolds[0], strength), paths: all }];
  }
  const names = manifolds.map(({ stain, kind }) => stain ?? kind);
  const stranger = tiles.find(({ labels }) => !names.includes(labels[column] ?? ''));
  if (stranger !== undefined) {
    throw new StainfoldError(
      'STAINFOLD_MANIFEST',
      `${stranger.path} has the ${column} '${stranger.labels[column] ?? ''}'; the model knows ${names.join(', ')}`,
      { hint: `Name the stain of each tile in the manifest's column '${column}'.` },
    );
  }
  return manifolds.map((own, i) => ({
    manifold: knownManifold(own, strength),
    paths: tiles.filter(({ labels }) => labels[column] === names[i]).map(({ path }) => path),
  }));
}

interface Collection {
  native: NativeAddon;
  embedder: NativeEmbedder;
  info: ModelInfo;
  batchSize: number;
  signal?: AbortSignal | undefined;
  onUnreadable: (path: string, reason: string) => void;
  onProgress?: ((done: number) => void) | undefined;
}

/** Tensors "ood.*" from the readable tiles of all stains; undefined where these are too few. */
async function fitFrom(stains: readonly KnownStain[], collection: Collection): Promise<Tensors | undefined> {
  const { native, embedder, info, batchSize, signal, onProgress } = collection;
  const { tileSize, latent } = info;
  const parts: Float32Array[] = [];
  const tile: number[] = [];
  let done = 0;
  let step = 0;
  for (const { paths, ...stain } of stains) {
    const manifold = { ...stain.manifold, seed: info.provenance.seed };
    const onUnreadable = (index: number, reason: string) =>
      collection.onUnreadable(paths[index] ?? '', reason);
    for await (const { pixels, count } of pixelBatches(paths, {
      tileSize,
      batchSize,
      signal,
      onUnreadable,
    })) {
      parts.push(await embedder.outlierFeatures(pixels, count, manifold, VIEWS, step++));
      for (let row = 0; row < (1 + VIEWS) * count; row++) tile.push(done + (row % count));
      done += count;
      onProgress?.(done);
    }
  }
  if (done < LEAST_TILES) return undefined;
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    data.set(part, offset);
    offset += part.length;
  }
  const columns = data.length / tile.length;
  if (columns <= latent) throw new StainfoldError('STAINFOLD_INTERNAL', `${columns} features of a tile`);
  return native.outliers.fit({ data, rows: tile.length, columns }, Int32Array.from(tile));
}

/** What training leaves in the model beside its weights; nothing for too few tiles. */
export async function calibrateOutliers(
  native: NativeAddon,
  info: ModelInfo,
  model: Tensors,
  tiles: readonly LabelledTile[],
  runtime: { device: string; precision: string },
): Promise<Tensors> {
  const nothing = { specs: [], data: new Uint8Array(0) };
  if (tiles.length < LEAST_TILES) return nothing;
  const { size, latent, tileSize } = info;
  const served = pick(model, isServed);
  const embedder = new native.Embedder({ model: { size, latent, tileSize }, ...runtime, seed: 0 });
  try {
    const { hasDecoder } = await embedder.open(served.specs, served.data);
    if (!hasDecoder) return nothing;
    const fitted = await fitFrom(knownStains(info.options, pickScattered(tiles, LIMIT)), {
      native,
      embedder,
      info,
      batchSize: 32,
      onUnreadable: () => undefined,
    });
    return fitted ?? nothing;
  } finally {
    await embedder.dispose();
  }
}

/**
 * Fits out-of-distribution statistics on tiles that are known to be in order, and writes them into the model's file. Training
 * does so at its end; this is for models without them, and for other tiles to calibrate on.
 *
 * @example
 * await fitOutliers({ model: 'run/model.safetensors', tiles: 'tiles.csv', where: { site: 'A' } });
 *
 * @throws STAINFOLD_TILES_EMPTY for fewer than 20 tiles; STAINFOLD_LOCKED; what loadEncoder and listTiles throw; STAINFOLD_FILE_WRITE.
 */
export async function fitOutliers(options: FitOutliersOptions): Promise<FitOutliersResult> {
  const settings = validate(fitOutliersSchema, options);
  const { model, limit, batchSize, signal, onProgress, strict, device, precision } = settings;
  signal?.throwIfAborted();
  const path = resolve(model);
  using _lock = await lockFolder(resolve(path, '..'));
  const file = await readModel(path, () => true);
  const { tiles } = await openTileSet(settings, signal);
  const chosen = pickScattered(tiles, limit);
  const native = await loadNative(settings);
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const { size, latent, tileSize } = file.info;
  const weights = pick(file, ({ name }) => !name.startsWith('ood.'));
  const served = pick(weights, isServed);
  const unreadable: UnreadableTile[] = [];
  const embedder = new native.Embedder({ model: { size, latent, tileSize }, device, precision, seed: 0 });
  try {
    await embedder.open(served.specs, served.data);
    const names = new Map(chosen.map((tile) => [tile.path, tile.file]));
    const fitted = await fitFrom(knownStains(file.info.options, chosen, settings.strength), {
      native,
      embedder,
      info: file.info,
      batchSize,
      signal,
      onUnreadable: (tilePath, reason) => {
        const name = names.get(tilePath) ?? tilePath;
        if (strict) throw new StainfoldError('STAINFOLD_TILE_UNREADABLE', `${name}: ${reason}`);
        unreadable.push({ file: name, reason });
      },
      onProgress: (done) => onProgress?.(done, chosen.length),
    });
    if (fitted === undefined) {
      const left = chosen.length - unreadable.length;
      throw new StainfoldError(
        'STAINFOLD_TILES_EMPTY',
        `${settings.tiles} holds ${left} tiles, out-of-distribution statistics need ${LEAST_TILES} at least`,
      );
    }
    const metadata = modelMetadata(file.info, file.run === undefined ? undefined : parseRun(path, file.run));
    await writeSafetensors(path, [...weights.specs, ...fitted.specs], [weights.data, fitted.data], metadata);
    return { model: path, tiles: chosen.length - unreadable.length, unreadable };
  } finally {
    await embedder.dispose();
  }
}

/** Those of the tensors whose name is wanted. */
function pick({ specs, data }: Tensors, wanted: (spec: NativeTensorSpec) => boolean): Tensors {
  const kept: NativeTensorSpec[] = [];
  const pieces: Uint8Array[] = [];
  let offset = 0;
  for (const spec of specs) {
    const end = offset + tensorBytes(spec);
    if (wanted(spec)) {
      kept.push(spec);
      pieces.push(data.subarray(offset, end));
    }
    offset = end;
  }
  return { specs: kept, data: Buffer.concat(pieces) };
}

/**
 * Scores as a CSV table: file, labels, flagged, part, p, score, distance, reconstruction, stain, density, blur. What was not
 * judged is empty.
 *
 * @throws STAINFOLD_SHAPE where tiles and scores differ in number; STAINFOLD_FILE_WRITE.
 */
export async function writeScores(
  path: string,
  scores: TileScores,
  names: readonly (string | EmbeddingTile)[],
): Promise<void> {
  if (names.length !== scores.p.length) {
    throw new StainfoldError('STAINFOLD_SHAPE', `${scores.p.length} scores belong to ${names.length} tiles`, {
      hint: 'Give one tile for each score.',
    });
  }
  const tiles = names.map((name) => (typeof name === 'string' ? { file: name, labels: {} } : name));
  const columns = [...new Set(tiles.flatMap(({ labels }) => Object.keys(labels ?? {})))];
  const values = ['p', 'score', 'distance', 'reconstruction', 'stain', 'density', 'blur'] as const;
  const written = (value: number) => (Number.isNaN(value) ? '' : value.toPrecision(6));
  const lines = tiles.map(({ file, labels }, i) =>
    csvLine([
      file,
      ...columns.map((column) => labels?.[column] ?? ''),
      scores.flagged[i] ? 1 : 0,
      scores.part[i] as string,
      ...values.map((name) => written(scores[name][i] as number)),
    ]),
  );
  await writeFileAtomic(path, csvLine(['file', ...columns, 'flagged', 'part', ...values]) + lines.join(''));
}
