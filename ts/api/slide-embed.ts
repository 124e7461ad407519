/** One slide through an encoder: opened, tiled, read and embedded. */
import { StainfoldError } from '../errors.js';
import type {
  EmbedSlideOptions,
  RejectedTile,
  Slide,
  SlideChunk,
  SlideOptions,
  SlideTile,
  SlideTilesOptions,
  SlideTiling,
  TileOutliers,
  TilingOptions,
} from '../types.js';
import { streamTiles } from './slide-stream.js';

/** What embedding needs of the slide reader. */
export interface SlideReader {
  openSlide(path: string, options?: SlideOptions): Promise<Slide>;
  tileSlide(slide: Slide, options?: TilingOptions): Promise<SlideTiling>;
  slideTiles(slide: Slide, tiling: SlideTiling, options?: SlideTilesOptions): AsyncIterable<SlideTile>;
}

/** What it needs of the encoder. */
export interface TileEmbedder {
  tileSize: number;
  dimensions: number;
  batchSize: number;
  /** -> [tiles.length,dimensions]. */
  embed(tiles: readonly Uint8Array[]): Promise<Float32Array>;
  /** Of tiles and what `embed` gave for them. Undefined without statistics in the model. */
  score: ((tiles: readonly Uint8Array[], features: Float32Array) => Promise<TileOutliers>) | undefined;
}

type Settings = Required<Pick<EmbedSlideOptions, 'chunkTiles' | 'from' | 'quality' | 'unreadable'>> &
  EmbedSlideOptions;

/** Batches read ahead of the encoder. */
const BATCHES_AHEAD = 2;
const MOST_AHEAD = 256;

export async function* embedSlideWith(
  reader: SlideReader,
  embedder: TileEmbedder,
  source: string | Slide,
  settings: Settings,
): AsyncGenerator<SlideChunk, void, undefined> {
  const { signal } = settings;
  signal?.throwIfAborted();
  if (typeof source !== 'string') {
    yield* embedOpened(reader, embedder, source, settings);
    return;
  }
  const slide = await reader.openSlide(source, { ...settings.slide, ...(signal && { signal }) });
  try {
    yield* embedOpened(reader, embedder, slide, settings);
  } finally {
    await slide.dispose();
  }
}

async function* embedOpened(
  reader: SlideReader,
  embedder: TileEmbedder,
  slide: Slide,
  settings: Settings,
): AsyncGenerator<SlideChunk, void, undefined> {
  const { from, quality, unreadable: fate, signal, onProgress } = settings;
  const tiling = await tilingOf(reader, slide, settings, embedder.tileSize);
  settings.onTiling?.(tiling, slide);
  if (from > tiling.count) {
    throw new StainfoldError('STAINFOLD_OPTION', `from must be at most ${tiling.count}, got ${from}`, {
      hint: 'Give the `next` of a chunk of the same tiling.',
    });
  }
  if (from === tiling.count) return;
  const { tileSize: encoderSize, batchSize, dimensions } = embedder;
  const unreadable: RejectedTile[] = [];
  const tiles = reader.slideTiles(slide, tiling, {
    quality,
    rejected: true,
    from,
    ahead: Math.min(MOST_AHEAD, BATCHES_AHEAD * batchSize),
    ...(signal && { signal }),
    ...(fate === 'skip' && {
      onUnreadable: (index, reason) => void unreadable.push({ index, status: 'unreadable', reason }),
    }),
  });
  yield* streamTiles(tiles, {
    tileSize: tiling.tileSize,
    encoderSize,
    batchSize,
    chunkBatches: Math.ceil(settings.chunkTiles / batchSize),
    dimensions,
    from,
    count: tiling.count,
    unreadable,
    embed: embedder.embed,
    score: settings.scores ? embedder.score : undefined,
    signal,
    onProgress,
  });
}

/** Whether a tile is glass, blurred or inked is seen when it is read, once: not while tiling. */
export async function tilingOf(
  reader: SlideReader,
  slide: Slide,
  { tiling, signal }: Pick<EmbedSlideOptions, 'tiling' | 'signal'>,
  tileSize: number,
): Promise<SlideTiling> {
  if (tiling !== undefined && 'coords' in tiling) return tiling;
  return reader.tileSlide(slide, { tileSize, ...tiling, quality: false, ...(signal && { signal }) });
}
