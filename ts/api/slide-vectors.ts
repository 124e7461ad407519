import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { csvLine } from '../data/csv.js';
import { openEmbeddingFile } from '../data/embedding-file.js';
import { readError } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { type FolderLock, lockFolder } from '../files/lock.js';
import { type Mark, readMarks, stateFolder } from '../stores/marks.js';
import { parquetVectors } from '../stores/parquet.js';
import type { SlideMatch, SlidePooling, SlideVectors } from '../types.js';

const VECTORS = 'slides.parquet';
const REJECTED = ['background', 'blur', 'pen', 'fold', 'unreadable'] as const;

/**
 * A vector for each slide that `embedSlides` embedded: its slides.parquet.
 *
 * @param source The folder that the files of features lie in, or slides.parquet itself.
 * @throws STAINFOLD_FILE_NOT_FOUND, STAINFOLD_EMBEDDINGS.
 */
export async function readSlideVectors(source: string): Promise<SlideVectors> {
  const entry = await stat(source).catch((cause: unknown) => {
    throw readError(source, cause);
  });
  const path = entry.isDirectory() ? join(source, VECTORS) : source;
  const file = await openEmbeddingFile(path);
  if (file.names === undefined) {
    throw new StainfoldError(
      'STAINFOLD_EMBEDDINGS',
      `${path} does not name its rows: it holds no vectors of slides`,
    );
  }
  return { names: file.names, data: await file.read(), shape: [file.rows, file.columns] };
}

/**
 * The slides most like one of them, by the cosine of their vectors, the nearest first.
 *
 * @example
 * const vectors = await readSlideVectors('features');
 * console.log(nearestSlides(vectors, 'a', 5)); // [ { slide: 'c', similarity: 0.98 }, ... ]
 *
 * @param slide A name among `vectors.names`, or a vector.
 * @param count At most so many. Default 10.
 * @throws STAINFOLD_OPTION for a name that is not there; STAINFOLD_SHAPE for a vector of other dimensions.
 */
export function nearestSlides(
  { names, data, shape }: SlideVectors,
  slide: string | Float32Array,
  count = 10,
): SlideMatch[] {
  const columns = shape[1];
  const rowOf = (row: number): Float32Array => data.subarray(row * columns, (row + 1) * columns);
  const own = typeof slide === 'string' ? names.indexOf(slide) : -1;
  if (typeof slide === 'string' && own === -1) {
    throw new StainfoldError('STAINFOLD_OPTION', `There is no slide '${slide}' among ${names.length}`, {
      hint: `The names are ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}.`,
    });
  }
  const query = typeof slide === 'string' ? rowOf(own) : slide;
  if (query.length !== columns) {
    throw new StainfoldError(
      'STAINFOLD_SHAPE',
      `The slides have ${columns} dimensions, got ${query.length}`,
      {
        hint: 'Give a vector of the same model and pooling.',
      },
    );
  }
  const matches = names.map((name, row) => ({ slide: name, similarity: cosine(query, rowOf(row)) }));
  if (own !== -1) matches.splice(own, 1);
  return matches.sort((a, b) => b.similarity - a.similarity).slice(0, count);
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    const y = b[i] as number;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / Math.max(Math.sqrt(aa * bb), Number.MIN_VALUE);
}

/**
 * slides.csv, a line for each complete slide in the folder, and slides.parquet, its vector. Whoever finishes last, of several
 * processes, lists all.
 */
export async function writeSlideTables(
  home: string,
  pooling: SlidePooling,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  using _lock = await lockTables(home, signal);
  const marks = await readMarks(home);
  if (marks.length === 0) return [];
  const csv = join(home, 'slides.csv');
  await writeFileAtomic(csv, table(marks));
  const alike = marks.filter((mark) => mark.pooling === pooling);
  const columns = alike.length === 0 ? 0 : vectorOf(alike.at(-1) as Mark).length;
  const rows = alike
    .map((mark) => ({ name: mark.slide, tiles: mark.tiles, vector: vectorOf(mark) }))
    .filter(({ vector }) => vector.length === columns);
  const vectors = join(home, VECTORS);
  if (rows.length === 0) return [csv];
  await writeFileAtomic(vectors, await parquetVectors(rows, { pooling }));
  return [csv, vectors];
}

function table(marks: readonly Mark[]): string {
  const lines = marks.map(({ slide, files, tiles, dimensions, rejected, seconds }) =>
    csvLine([
      slide,
      files[0]?.path ?? '',
      tiles,
      dimensions,
      ...REJECTED.map((status) => rejected[status] ?? 0),
      seconds.toFixed(3),
    ]),
  );
  return [csvLine(['slide', 'file', 'tiles', 'dimensions', ...REJECTED, 'seconds']), ...lines].join('');
}

function vectorOf({ pooled }: Mark): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(pooled, 'base64'));
  return new Float32Array(bytes.buffer);
}

async function lockTables(home: string, signal: AbortSignal | undefined): Promise<FolderLock> {
  for (;;) {
    try {
      return await lockFolder(stateFolder(home), '.tables.lock');
    } catch (error) {
      if (!(error instanceof StainfoldError) || error.code !== 'STAINFOLD_LOCKED') throw error;
      await sleep(20, undefined, signal && { signal }); // another process is at the same few files
    }
  }
}
