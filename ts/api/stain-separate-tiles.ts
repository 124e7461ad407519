import { join, resolve } from 'node:path';
import { csvLine } from '../data/csv.js';
import { DECODE_CONCURRENCY } from '../data/decode.js';
import { encodeGrey16, encodePng } from '../data/encode.js';
import { orderedMap } from '../data/ordered-map.js';
import { openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { validate } from '../internal/validate.js';
import { separateTilesSchema } from '../internal/validate-stain.js';
import type { SeparatedTile, SeparateTilesOptions, SeparateTilesResult, UnreadableTile } from '../types.js';
import { noStatuses } from './stain-fit.js';
import { stainCore } from './stain-normalizer.js';
import { checkOutput, namesBelow, STATUS_COLUMN, writePicture } from './stain-output.js';
import { separate, stainNames } from './stain-separate.js';

interface Entry {
  file: string;
  status: string;
  /** Red, green, blue by stain. */
  stains: Record<string, number[]>;
}

/**
 * Separates a folder or manifest: stains.csv and stains.json with each tile's stains, concentrations/ with a 16-bit picture of each
 * concentration (10000 a unit of optical density), images/ with each stain alone. The tables come last and whole.
 *
 * @throws STAINFOLD_OUTPUT_EXISTS where `out` has a stains.csv of something else; STAINFOLD_MANIFEST; STAINFOLD_TILES_EMPTY;
 *   STAINFOLD_FILE_WRITE; STAINFOLD_TILE_UNREADABLE with `strict`; STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function separateTiles(options: SeparateTilesOptions): Promise<SeparateTilesResult> {
  const {
    tiles: source,
    where,
    strict,
    out: folder,
    onProgress,
    ...settings
  } = validate(separateTilesSchema, options);
  const { signal, method, stains } = settings;
  signal?.throwIfAborted();
  const { columns, tiles } = await openTileSet({ tiles: source, where }, signal);
  const out = resolve(folder);
  const table = join(out, 'stains.csv');
  const names = stainNames(await stainCore(settings), { method, stains });
  const places = namesBelow(tiles.map(({ file }) => file));
  const pictures = (place: string) =>
    names.map((name) => ({
      map: `concentrations/${place}-${slug(name)}.png`,
      image: `images/${place}-${slug(name)}.png`,
    }));
  const written = places.flatMap((place) => pictures(place).flatMap(({ map, image }) => [map, image]));
  await checkOutput(
    table,
    written.map((file) => join(out, file)),
    source,
    tiles,
  );

  const statuses = noStatuses();
  const unreadable: UnreadableTile[] = [];
  const labels = columns.filter((column) => column !== STATUS_COLUMN);
  const heads = names.flatMap((name) => ['r', 'g', 'b'].map((channel) => `${slug(name)}_${channel}`));
  const lines = [csvLine(['file', ...labels, STATUS_COLUMN, ...heads])];
  const entries: Entry[] = [];
  const found = separate(
    tiles.map(({ path }) => path),
    {
      ...definite(settings),
      images: true,
      ...(!strict && {
        onUnreadable: (index: number, reason: string) =>
          void unreadable.push({ file: (tiles[index] as Tile).file, reason }),
      }),
    },
  );
  const write = async (tile: SeparatedTile): Promise<SeparatedTile> => {
    const { index, width, height, maps = [], images = [] } = tile;
    for (const [s, { map, image }] of pictures(places[index] as string).entries()) {
      await writePicture(out, map, await encodeGrey16(maps[s] as Uint16Array, width, height));
      const drawn = images[s];
      if (drawn) await writePicture(out, image, await encodePng(drawn));
    }
    return tile;
  };
  for await (const { index, matrix, status } of orderedMap(found, DECODE_CONCURRENCY, write, signal)) {
    const { file, labels: values } = tiles[index] as Tile;
    const vectors = names.map((_, s) => matrix.map((row) => round(row[s] ?? 0)));
    lines.push(csvLine([file, ...labels.map((column) => values[column] ?? ''), status, ...vectors.flat()]));
    entries.push({
      file,
      status,
      stains: Object.fromEntries(names.map((name, s) => [name, vectors[s] ?? []])),
    });
    statuses[status]++;
    onProgress?.(Math.min(entries.length + unreadable.length, tiles.length), tiles.length);
  }
  if (entries.length === 0)
    throw new StainfoldError('STAINFOLD_TILES_EMPTY', `None of the ${tiles.length} files can be read`);
  const rows = entries.map((entry) => `    ${JSON.stringify(entry)}`).join(',\n');
  const head = JSON.stringify({ method, stains: names }).slice(1, -1);
  await writeFileAtomic(join(out, 'stains.json'), `{\n  ${head},\n  "tiles": [\n${rows}\n  ]\n}\n`);
  await writeFileAtomic(table, lines.join(''));
  return { table, tiles: entries.length, statuses, unreadable };
}

const slug = (name: string): string => name.replaceAll(' ', '-');
/** Six decimals: what float32 holds of a number below 1. */
const round = (value: number): number => Number(value.toFixed(6));

/** Without the members that are undefined, for exact optional types. */
function definite<Options extends object>(
  options: Options,
): { [Key in keyof Options]: NonNullable<Options[Key]> } {
  const members = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members) as { [Key in keyof Options]: NonNullable<Options[Key]> };
}
