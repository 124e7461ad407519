/**
 * One slide looked at: its tiles' statuses, embeddings and scores, as they were seen when it was embedded, else read again in one
 * pass; rows are the tiles that are used.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { StainfoldError } from '../errors.js';
import type { validate } from '../internal/validate.js';
import type { slideReportSchema } from '../internal/validate-slide-report.js';
import { digestOf, readSeen, type SeenTiles } from '../stores/seen-tiles.js';
import type { Encoder, RawTile, Slide, SlideTileStatus, SlideTiling } from '../types.js';
import { readFeatures } from './features.js';
import { modelDigest } from './model-file.js';
import { statisticsOf } from './outlier-statistics.js';
import { slideTiles, tileSlide } from './tile-slide.js';

export type LookSettings = ReturnType<typeof validate<typeof slideReportSchema>>;

export interface Look {
  tiling: SlideTiling;
  status: SlideTileStatus[];
  /** Of each row, into the tiling. */
  rows: Int32Array;
  /** [rows,columns]. */
  z: Float32Array;
  columns: number;
  /** Out-of-distribution score of each row, and whether it is flagged; undefined without statistics in the model. */
  ood: { score: Float64Array; flagged: number } | undefined;
}

const BATCH = 64;
/** p-values below are flagged: the default of `encoder.score`. */
const FLAGGED = 0.01;

export async function lookAt(
  slide: Slide,
  encoder: Encoder,
  file: string | undefined,
  { tiling: asked, quality, signal }: LookSettings,
  onProgress: (done: number, total: number) => void,
): Promise<Look> {
  const { regions } = asked;
  const folder = typeof regions === 'string' && (await stat(regions).catch(() => undefined))?.isDirectory();
  const tiling = await tileSlide(slide, {
    tileSize: encoder.info.tileSize,
    ...asked,
    ...(folder && { regions: join(regions as string, `${slide.name}.geojson`) }),
    quality: false,
    ...(signal && { signal }),
  });
  const stored = file === undefined ? undefined : await storedRows(file, tiling);
  const scored = await canScore(encoder);
  const seen = file === undefined ? undefined : await seenBefore(file, tiling, encoder, quality);
  if (stored && seen && (seen.scores || !scored)) {
    onProgress(tiling.count, tiling.count);
    return { tiling, ...recalled(tiling, stored, seen) };
  }
  return {
    tiling,
    ...(await lookAgain(slide, encoder, tiling, stored, scored, quality, signal, onProgress)),
  };
}

type Seen = Omit<Look, 'tiling'>;

/** Without reading a tile. */
function recalled({ count }: SlideTiling, stored: StoredRows, { rejected, scores }: SeenTiles): Seen {
  const status: SlideTileStatus[] = Array.from({ length: count }, () => 'ok');
  for (const { index, status: why } of rejected) status[index] = why;
  const rows = Array.from(status.keys()).filter((tile) => stored.row(tile) !== undefined);
  const z = joined(rows.map((tile) => stored.row(tile) as Float32Array));
  const ood = scores && {
    score: Float64Array.from(scores.score),
    flagged: scores.p.filter((p) => p < FLAGGED).length,
  };
  return { status, rows: Int32Array.from(rows), z, columns: stored.columns, ood };
}

async function lookAgain(
  slide: Slide,
  encoder: Encoder,
  tiling: SlideTiling,
  stored: StoredRows | undefined,
  scored: boolean,
  quality: boolean,
  signal: AbortSignal | undefined,
  onProgress: (done: number, total: number) => void,
): Promise<Seen> {
  const status: SlideTileStatus[] = tiling.status.map(() => 'unreadable');
  const rows: number[] = [];
  const parts: Float32Array[] = [];
  const scores: number[] = [];
  let flagged = 0;
  let batch: { index: number; tile: RawTile }[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const tiles = batch.map(({ tile }) => tile);
    if (scored) {
      const found = await encoder.score(tiles, { level: FLAGGED, ...(signal && { signal }) });
      scores.push(...found.score);
      flagged += found.flagged.filter(Boolean).length;
    }
    if (stored) for (const { index } of batch) parts.push(stored.row(index) as Float32Array);
    else parts.push((await encoder.embed(tiles, signal && { signal })).data);
    for (const { index } of batch) rows.push(index);
    batch = [];
  };
  const read = { quality, rejected: true, onUnreadable: () => undefined, ...(signal && { signal }) };
  for await (const { index, pixels, status: found } of slideTiles(slide, tiling, read)) {
    status[index] = found;
    onProgress(index + 1, tiling.count);
    const used = (found === 'ok' || found === 'unchecked') && (stored === undefined || stored.row(index));
    if (!used) continue;
    const { tileSize } = tiling;
    batch.push({ index, tile: { data: pixels, width: tileSize, height: tileSize, channels: 3 } });
    if (batch.length === BATCH) await flush();
  }
  await flush();
  const columns = stored?.columns ?? encoder.info.latent;
  const ood = scored ? { score: Float64Array.from(scores), flagged } : undefined;
  return { status, rows: Int32Array.from(rows), z: joined(parts), columns, ood };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const z = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    z.set(part, offset);
    offset += part.length;
  }
  return z;
}

/** Of the call that wrote the features. */
async function seenBefore(
  features: string,
  { coords }: SlideTiling,
  encoder: Encoder,
  quality: boolean,
): Promise<SeenTiles | undefined> {
  const name = basename(features, extname(features));
  const digest = modelDigest(encoder);
  const seen = await readSeen(dirname(features), name, { tiles: digestOf(coords), quality, digest });
  if (seen?.scores?.statistics === statisticsOf(encoder)) return seen;
  return seen && { ...seen, scores: undefined };
}

interface StoredRows {
  columns: number;
  row: (tile: number) => Float32Array | undefined;
}

/** Rows of a file by the tiles that they are of. */
async function storedRows(file: string, { coords, count, slideMpp }: SlideTiling): Promise<StoredRows> {
  const { data, shape, coords: places, attributes } = await readFeatures(file);
  const [rows, columns] = shape;
  if (places === undefined) throw new StainfoldError('STAINFOLD_EMBEDDINGS', `${file} has no coordinates`);
  // Micrometres, as STAMP has them, are rounded back to the pixel that they came from.
  const scale = attributes.unit === 'um' ? 1 / slideMpp : 1;
  const at = new Map<string, number>();
  for (let i = 0; i < rows; i++) {
    const [x, y] = [places[2 * i] as number, places[2 * i + 1] as number];
    at.set(`${Math.round(x * scale)},${Math.round(y * scale)}`, i);
  }
  const index = Array.from({ length: count }, (_, i) => at.get(`${coords[2 * i]},${coords[2 * i + 1]}`));
  if (!index.some((i) => i !== undefined)) {
    throw new StainfoldError('STAINFOLD_EMBEDDINGS', `No tile of ${file} lies where this tiling has one`, {
      hint: 'Give the tile size, resolution and overlap that the features were made with.',
    });
  }
  return {
    columns,
    row: (tile) => {
      const i = index[tile];
      return i === undefined ? undefined : data.subarray(i * columns, (i + 1) * columns);
    },
  };
}

async function canScore(encoder: Encoder): Promise<boolean> {
  try {
    await encoder.score([]);
    return true;
  } catch (error) {
    if (error instanceof StainfoldError && error.code === 'STAINFOLD_STATE') return false;
    throw error;
  }
}

/** Cosine of each row with one, and that row: the one at `place` (level 0), else the most typical, nearest to the mean. */
export function likeness(
  { z, columns, rows, tiling }: Look,
  place: { x: number; y: number } | undefined,
): { chosen: number; cosine: Float64Array } {
  const norms = Float64Array.from(
    rows,
    (_, i) => Math.hypot(...z.subarray(i * columns, (i + 1) * columns)) || 1,
  );
  const against = (vector: ArrayLike<number>, length: number): Float64Array =>
    Float64Array.from(rows, (_, i) => {
      let dot = 0;
      for (let k = 0; k < columns; k++) dot += (z[i * columns + k] as number) * (vector[k] as number);
      return dot / ((norms[i] as number) * length);
    });
  let chosen = place === undefined ? -1 : rows.findIndex((tile) => covers(tiling, tile, place));
  if (place !== undefined && chosen < 0) {
    throw new StainfoldError('STAINFOLD_OPTION', `No tile that is used lies at ${place.x}, ${place.y}`);
  }
  if (chosen < 0) {
    const mean = new Float64Array(columns);
    for (let i = 0; i < rows.length; i++)
      for (let k = 0; k < columns; k++)
        mean[k] = (mean[k] as number) + (z[i * columns + k] as number) / (norms[i] as number);
    const typical = against(mean, Math.hypot(...mean) || 1);
    chosen = typical.reduce((best, value, i) => (value > (typical[best] as number) ? i : best), 0);
  }
  const own = z.subarray(chosen * columns, (chosen + 1) * columns);
  return { chosen, cosine: against(own, norms[chosen] as number) };
}

function covers(
  { coords, sizeLevel0 }: SlideTiling,
  tile: number,
  { x, y }: { x: number; y: number },
): boolean {
  const [left, top] = [coords[2 * tile] as number, coords[2 * tile + 1] as number];
  return x >= left && y >= top && x < left + sizeLevel0 && y < top + sizeLevel0;
}
