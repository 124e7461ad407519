/** One slide to its files: resumed where a part of it is there, whole or absent in the end. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { readError } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import { writeFailure, writeFileAtomic } from '../files/atomic.js';
import { sha256File } from '../files/digest.js';
import type { validate } from '../internal/validate.js';
import type { embedSlidesSchema } from '../internal/validate-slide-features.js';
import { ChunkLog } from '../stores/chunk-log.js';
import { facts } from '../stores/facts.js';
import { hdf5Patches, precisionOf } from '../stores/layouts.js';
import { partPath, readMark, removeMark, writeMark } from '../stores/marks.js';
import { type PlaceOptions, type Places, placesOf } from '../stores/places.js';
import { pool } from '../stores/pooling.js';
import { digestOf, type KeptScores, type SeenTiles, writeSeen } from '../stores/seen-tiles.js';
import { writeStore } from '../stores/write.js';
import type {
  Encoder,
  RejectedTile,
  Slide,
  SlideOutcome,
  SlideProgress,
  SlideTiling,
  TileGeometry,
  TilingOptions,
} from '../types.js';
import { statisticsOf } from './outlier-statistics.js';
import type { SlideReader } from './slide-embed.js';
import { tilingOf } from './slide-embed.js';

export type SlidesSettings = ReturnType<typeof validate<typeof embedSlidesSchema>>;

export interface SlideJob {
  reader: SlideReader;
  encoder: Encoder;
  settings: SlidesSettings;
  /** Of the model. */
  digest: string;
  /** Folder that the features of all slides lie in, with their marks. */
  home: string;
  onProgress(progress: SlideProgress | undefined): void;
}

/** What of a chunk is not features. */
interface Note {
  next: number;
  rejected: RejectedTile[];
  scores?: KeptScores;
}

type Result = Omit<SlideOutcome, 'slide' | 'path' | 'seconds' | 'error'>;

/** The slide must be locked. */
export async function embedSlideFiles(job: SlideJob, slide: { name: string; path: string }): Promise<Result> {
  const { reader, settings } = job;
  const { out, overwrite, signal } = settings;
  const { home, digest } = job;
  const options = await tilingOptions(job, slide.name);
  const places = placesOf(slide.name, placing(job.encoder, settings, digest));
  const plan = await planOf(job, slide.path, options);
  const mark = await readMark(home, slide.name);
  if (mark !== undefined && !overwrite) {
    if (JSON.stringify(mark.plan) !== JSON.stringify(plan)) throw another(slide.name, home, mark.plan, plan);
    const files = mark.files.map(({ path }) => join(home, path));
    return { state: 'present', files, tiles: mark.tiles, rejected: mark.rejected, ...NOTHING_DONE };
  }
  const part = partPath(home, slide.name);
  if (mark === undefined && !overwrite) await refuseForeign(join(out, places.features), part);
  await sweep(join(out, places.features));

  const open = { ...settings.slide, ...(signal && { signal }) };
  await using opened = await reader.openSlide(slide.path, open);
  const tiling = await tilingOf(
    reader,
    opened,
    { tiling: options, ...(signal && { signal }) },
    options.tileSize,
  );
  const tiles = digestOf(tiling.coords);
  await using log = await ChunkLog.open<Note>(part, { ...plan, tiles }, job.encoder.info.latent);
  const resumed = log.notes().at(-1)?.next ?? 0;
  const streamed = await fill(log, job, opened, tiling, resumed);
  const rejected = countRejected(log.notes());
  if (log.rows === 0) throw nothingLeft(slide.path, tiling.count, rejected);

  const seen = { tiles, quality: settings.quality, digest, ...seenIn(log.notes()) };
  // Until the new mark is there, no old one speaks for new files.
  await removeMark(home, slide.name);
  const files = await store(log, job, places, geometryOf(opened, tiling));
  await writeSeen(home, slide.name, seen);
  await writeMark(home, {
    slide: slide.name,
    plan,
    files: files.map((file) => relative(home, file)),
    tiles: log.rows,
    dimensions: log.columns,
    rejected,
    seconds: streamed.seconds,
    pooling: settings.pooling,
    pooled: base64(await pool(log, settings.pooling)),
  });
  await rm(part, { force: true });
  const { tilesPerSecond, bottleneck } = streamed;
  return { state: 'written', files, tiles: log.rows, rejected, resumed, tilesPerSecond, bottleneck };
}

const NOTHING_DONE = { resumed: 0, tilesPerSecond: 0, bottleneck: undefined };

type Tiling = Omit<TilingOptions, 'signal' | 'onProgress'> & {
  tileSize: number;
  mpp: number;
  overlap: number;
};

/** Where features go, whatever the slide. */
export function placing(encoder: Encoder, settings: SlidesSettings, digest: string): PlaceOptions {
  const { tileSize, mpp, overlap } = { ...defaults(encoder), ...settings.tiling };
  return { ...settings, tileSize, tileMpp: mpp, overlap, digest };
}

/** What files and their places must know before a slide is opened; the reader's own defaults, but for the size. */
const defaults = ({ info }: Encoder) => ({ tileSize: info.tileSize, mpp: 0.5, overlap: 0 });

/** With the defaults; regions of this slide, if a folder has them. */
async function tilingOptions({ encoder, settings }: SlideJob, name: string): Promise<Tiling> {
  const { tiling } = settings;
  const { regions } = tiling;
  const folder = typeof regions === 'string' && (await stat(regions).catch(() => undefined))?.isDirectory();
  return {
    ...defaults(encoder),
    ...tiling,
    ...(folder && { regions: join(regions as string, `${name}.geojson`) }),
  };
}

/** All that the features follow from, short of the slide's pixels: the file's size stands for them. */
async function planOf(job: SlideJob, path: string, { regions, ...tiling }: Tiling): Promise<object> {
  const { settings, encoder, digest } = job;
  const { format, layout, pooling, slide, quality, unreadable, chunkTiles } = settings;
  const file = await stat(path).catch((cause: unknown) => {
    throw readError(path, cause);
  });
  const drawn =
    typeof regions === 'string'
      ? await sha256File(regions).catch((cause: unknown) => {
          throw readError(regions, cause);
        })
      : (regions ?? null);
  return {
    slide: basename(path),
    bytes: file.size,
    model: digest,
    name: settings.encoder,
    computed: encoder.precision,
    format,
    layout,
    stored: precisionOf(layout, settings.precision),
    pooling,
    opened: { ...slide, cacheBytes: undefined, libtorch: undefined },
    tiling,
    regions: drawn,
    quality,
    unreadable,
    chunkTiles,
  };
}

/** Of a plan's parts that are called otherwise outside. */
const NAMES: Record<string, string> = {
  slide: 'file',
  bytes: 'size of the file',
  name: 'name of the encoder (encoder, --encoder-name)',
  computed: 'precision of computing (--precision)',
  stored: 'precision of storing (--feature-precision)',
  opened: 'way to open the slide (mpp, mppFile, backend, icc)',
};

function another(slide: string, home: string, before: unknown, now: object): StainfoldError {
  const old = before as Record<string, unknown>;
  const differs = Object.entries(now).find(
    ([key, value]) => JSON.stringify(old[key]) !== JSON.stringify(value),
  );
  return new StainfoldError(
    'STAINFOLD_OUTPUT_EXISTS',
    `${home} has features of '${slide}' made with another ${NAMES[differs?.[0] ?? ''] ?? differs?.[0] ?? 'plan'}`,
    { hint: 'Pass overwrite (--overwrite) to make them again, or choose another folder.' },
  );
}

/** A file without a mark and without a part was not written by us, or is not known to be whole. */
async function refuseForeign(features: string, part: string): Promise<void> {
  const there = await Promise.all(
    [features, part].map((path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (!there[0] || there[1]) return;
  throw new StainfoldError('STAINFOLD_OUTPUT_EXISTS', `${features} is there, and not known to be complete`, {
    hint: 'Pass overwrite (--overwrite) to make it again, or choose another folder.',
  });
}

/** Removes what a process that was killed in the middle of a write left behind. */
async function sweep(features: string): Promise<void> {
  const names = await readdir(dirname(features)).catch(() => []);
  const left = names.filter(
    (name) => name.startsWith(`${basename(features)}.`) && /\.tmp(\.old)?$/.test(name),
  );
  await Promise.all(left.map((name) => rm(join(dirname(features), name), { recursive: true, force: true })));
}

/** Reads and embeds what the log does not have. */
async function fill(
  log: ChunkLog<Note>,
  { encoder, settings, onProgress }: SlideJob,
  slide: Slide,
  tiling: SlideTiling,
  from: number,
): Promise<Pick<Result, 'tilesPerSecond' | 'bottleneck'> & { seconds: number }> {
  const { chunkTiles, quality, unreadable, scores, signal } = settings;
  const statistics = statisticsOf(encoder);
  const begun = performance.now();
  let writing = 0;
  let last: SlideProgress | undefined;
  const chunks = encoder.embedSlide(slide, {
    tiling,
    from,
    chunkTiles,
    quality,
    unreadable,
    scores,
    ...(signal && { signal }),
    onProgress: (progress) => {
      last = progress;
      onProgress(progress);
    },
  });
  for await (const { features, coords, next, rejected, scores } of chunks) {
    const before = performance.now();
    const kept = scores && { statistics, score: Array.from(scores.score), p: Array.from(scores.p) };
    await log.append({ note: { next, rejected, ...(kept && { scores: kept }) }, features, coords });
    writing += performance.now() - before;
  }
  const seconds = (performance.now() - begun) / 1000;
  const waited = seconds * (1 - (last?.encoderBusy ?? 1));
  const held = last?.bottleneck === 'reading' && writing / 1000 > waited / 2;
  const bottleneck = held ? 'writing' : last?.bottleneck;
  return { seconds, tilesPerSecond: last?.tilesPerSecond ?? 0, bottleneck };
}

async function store(
  log: ChunkLog<Note>,
  { settings, digest }: SlideJob,
  places: Places,
  geometry: TileGeometry,
): Promise<string[]> {
  const { out, format, layout, encoder } = settings;
  const path = join(out, places.features);
  const folder = dirname(path);
  const precision = precisionOf(layout, settings.precision);
  const attributes = { ...facts(geometry, encoder), model_digest: digest };
  const description = { layout, precision, geometry, encoder, folder, attributes };
  const patches = places.patches && join(out, places.patches);
  try {
    await mkdir(folder, { recursive: true });
    if (patches !== undefined) await mkdir(dirname(patches), { recursive: true });
  } catch (error) {
    throw writeFailure(folder, error);
  }
  const drawn = patches && hdf5Patches(log, description, dirname(patches));
  if (patches && drawn) await writeFileAtomic(patches, drawn);
  const written = await writeStore(path, format, log, description);
  return [...written, ...(patches ? [patches] : [])];
}

const geometryOf = (slide: Slide, { tileSize, mpp, overlap, slideMpp }: SlideTiling): TileGeometry => ({
  slide: slide.name,
  width: slide.width,
  height: slide.height,
  mpp: slideMpp,
  tileSize,
  tileMpp: mpp,
  overlap,
});

function seenIn(notes: readonly Note[]): Pick<SeenTiles, 'rejected' | 'scores'> {
  const rejected = notes.flatMap((note) => note.rejected);
  const parts = notes.map(({ scores }) => scores).filter((scores) => scores !== undefined);
  const statistics = parts[0]?.statistics;
  // A part of the chunks may come from a call that did not ask for scores, or before the statistics were fitted again.
  const whole = parts.length === notes.length && parts.every((part) => part.statistics === statistics);
  if (statistics === undefined || !whole) return { rejected };
  const score = parts.flatMap((part) => part.score);
  return { rejected, scores: { statistics, score, p: parts.flatMap(({ p }) => p) } };
}

function countRejected(notes: readonly Note[]): SlideOutcome['rejected'] {
  const counts: SlideOutcome['rejected'] = {};
  for (const { status } of notes.flatMap(({ rejected }) => rejected))
    counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function nothingLeft(path: string, count: number, rejected: SlideOutcome['rejected']): StainfoldError {
  const why = Object.entries(rejected).map(([status, n]) => `${n} ${status}`);
  return new StainfoldError(
    'STAINFOLD_SLIDE_EMPTY',
    `None of the ${count} tiles of ${path} can be used: ${why.join(', ')}`,
  );
}

const base64 = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');
