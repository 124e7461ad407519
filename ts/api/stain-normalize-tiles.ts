import { join, resolve } from 'node:path';
import { csvLine } from '../data/csv.js';
import { DECODE_CONCURRENCY } from '../data/decode.js';
import { encodeLossless } from '../data/encode.js';
import { orderedMap } from '../data/ordered-map.js';
import { openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { validate } from '../internal/validate.js';
import { normalizeTilesSchema } from '../internal/validate-stain.js';
import type {
  NormalizedTile,
  NormalizeTilesOptions,
  NormalizeTilesResult,
  UnreadableTile,
} from '../types.js';
import { noStatuses } from './stain-fit.js';
import type { StainNormalizer } from './stain-normalizer.js';
import { checkOutput, namesBelow, STATUS_COLUMN, writePicture } from './stain-output.js';

/**
 * Normalises a folder or manifest into a new one with the same labels, which can be trained on and evaluated. The manifest
 * comes last and whole: where it is, all tiles are.
 *
 * @example
 * const { manifest, statuses } = await normalizeTiles(normalizer, { tiles: 'tiles/manifest.csv', out: 'normalized' });
 *
 * @throws STAINFOLD_OUTPUT_EXISTS where `out` has a manifest.csv of something else; STAINFOLD_MANIFEST; STAINFOLD_TILES_EMPTY;
 *   STAINFOLD_FILE_WRITE; STAINFOLD_TILE_UNREADABLE with `strict`; STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN.
 */
export async function normalizeTiles(
  normalizer: StainNormalizer,
  options: NormalizeTilesOptions,
): Promise<NormalizeTilesResult> {
  const {
    tiles: source,
    where,
    strict,
    per,
    slideColumn,
    format,
    signal,
    onProgress,
    ...rest
  } = validate(normalizeTilesSchema, options);
  signal?.throwIfAborted();
  const { columns, tiles } = await openTileSet({ tiles: source, where }, signal);
  const out = resolve(rest.out);
  const manifest = join(out, 'manifest.csv');
  const files = namesBelow(tiles.map(({ file }) => file)).map((name) => `tiles/${name}.${format}`);
  await checkOutput(
    manifest,
    files.map((file) => join(out, file)),
    source,
    tiles,
  );
  const groups = groupsOf(tiles, per, slideColumn, columns);

  const labels = columns.filter((column) => column !== STATUS_COLUMN);
  const lines = [csvLine(['file', ...labels, STATUS_COLUMN])];
  const statuses = noStatuses();
  const unreadable: UnreadableTile[] = [];
  const normalized = normalizer.normalize(
    tiles.map(({ path }) => path),
    {
      ...(groups && { groups }),
      ...(signal && { signal }),
      onFitProgress: (done) => onProgress?.({ stage: 'fitting', done, total: tiles.length }),
      ...(!strict && {
        onUnreadable: (index: number, reason: string) =>
          void unreadable.push({ file: (tiles[index] as Tile).file, reason }),
      }),
    },
  );
  const write = async ({ index, tile, status }: NormalizedTile): Promise<string> => {
    const file = files[index] as string;
    await writePicture(out, file, await encodeLossless(tile, format));
    statuses[status]++;
    const values = (tiles[index] as Tile).labels;
    return csvLine([file, ...labels.map((column) => values[column] ?? ''), status]);
  };
  for await (const line of orderedMap(normalized, DECODE_CONCURRENCY, write, signal)) {
    lines.push(line);
    const done = lines.length - 1 + unreadable.length;
    onProgress?.({ stage: 'normalizing', done: Math.min(done, tiles.length), total: tiles.length });
  }
  if (lines.length === 1)
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', `None of the ${tiles.length} files can be read`);
  await writeFileAtomic(manifest, lines.join(''));
  return { manifest, tiles: lines.length - 1, statuses, unreadable };
}

function groupsOf(
  tiles: readonly Tile[],
  per: 'tile' | 'slide' | 'set',
  column: string,
  columns: readonly string[],
): string[] | undefined {
  if (per === 'tile') return undefined;
  if (per === 'set') return tiles.map(() => 'set');
  if (!columns.includes(column)) {
    throw new StainfoldError('STAINFOLD_MANIFEST', `There is no column '${column}' that names the slides`, {
      hint: `Name one with slideColumn (--slide-column)${columns.length > 0 ? `: ${columns.join(', ')}` : '; a folder has none'}.`,
    });
  }
  return tiles.map(({ labels }) => labels[column] ?? '');
}
