import { probeTile } from '../data/decode.js';
import { pickEvenly } from '../data/evenly.js';
import { openTileSet, type Tile } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { loadNative } from '../internal/load.js';
import { nativeManifold } from '../internal/manifold-kinds.js';
import type { NativeManifoldOptions } from '../internal/native.js';
import { validate } from '../internal/validate.js';
import { auditSchema } from '../internal/validate-audit.js';
import type { Audit, AuditOptions, AuditSite, AuditSpread, UnreadableTile } from '../types.js';
import {
  COLUMNS,
  column,
  deviation,
  mean,
  measure,
  median,
  QUANTITIES,
  robustDeviation,
  rowsOf,
  share,
} from './audit-features.js';
import { warningsOf } from './audit-warnings.js';

/** Tiles on which each virtual lab is measured. */
const LAB_TILES = 32;
/** Of their renderings, all labs together: fewer tiles where they are large. */
const LAB_BYTES = 256 * 2 ** 20;
/** Deviations within which a value lies: where the manifold's prior is cut off. */
const REACH = 2;
const ESTIMATED = 0;
const BLANK = 2;

/**
 * Looks at a source's tiles before anyone trains on them: how diverse their stain is, beside what the manifold adds to it; which
 * other sites, real or virtual, lie outside; and what should be put right first.
 *
 * @example
 * const { spread, sites, warnings } = await audit({ tiles: 'tiles.csv', where: { site: 'A' }, againstColumn: 'site' });
 *
 * @throws STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; STAINFOLD_MANIFEST, STAINFOLD_TILES_EMPTY, STAINFOLD_FILE_NOT_FOUND,
 *   STAINFOLD_TILE_UNREADABLE (strict); and what loading the core throws.
 */
export async function audit(options: AuditOptions): Promise<Audit> {
  const settings = validate(auditSchema, options);
  const { signal, limit, onProgress, strict } = settings;
  const manifold = nativeManifold(settings.manifold);
  const prior = priorOf(manifold);
  signal?.throwIfAborted();
  const set = await openTileSet(settings, signal);
  const source = pickEvenly(set.tiles, limit);
  const others = await otherSites(settings, source, signal);
  const tileSize = settings.tileSize ?? (await sideOf(source[0] as Tile));
  const slideColumn = settings.slideColumn ?? (set.columns.includes('slide') ? 'slide' : undefined);
  if (slideColumn !== undefined && !set.columns.includes(slideColumn)) {
    throw new StainfoldError('STAINFOLD_MANIFEST', `There is no column '${slideColumn}' of slides`);
  }

  const native = await loadNative(settings);
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const unreadable: UnreadableTile[] = [];
  const total = source.length + [...others.values()].reduce((sum, tiles) => sum + tiles.length, 0);
  let before = 0;
  const look = async (tiles: readonly Tile[], onPixels?: (pixels: Uint8Array, count: number) => void) => {
    const measured = await measure(native, tiles, tileSize, {
      signal,
      onUnreadable: ({ file }, reason) => {
        if (strict) throw new StainfoldError('STAINFOLD_TILE_UNREADABLE', `${file}: ${reason}`);
        unreadable.push({ file, reason });
      },
      onProgress: (done) => onProgress?.(before + done, total),
      ...(onPixels && { onPixels }),
    });
    before += tiles.length;
    return measured;
  };

  const shown: Uint8Array[] = [];
  const tileBytes = tileSize * tileSize * 3;
  const most = Math.max(2, Math.min(LAB_TILES, Math.floor(LAB_BYTES / (tileBytes * manifold.labs))));
  const every = Math.max(1, Math.floor(source.length / most));
  let seen = 0;
  const own = await look(source, (pixels, count) => {
    for (let i = 0; i < count; i++) {
      if (seen++ % every !== 0 || shown.length >= most) continue;
      shown.push(pixels.slice(i * tileBytes, (i + 1) * tileBytes));
    }
  });
  const stained = own.rows.filter((row) => row[COLUMNS.status] === ESTIMATED);
  const centre = QUANTITIES.map((_, q) => (stained.length > 0 ? median(column(stained, q)) : 0));
  const widths = QUANTITIES.map((_, q) => (stained.length > 0 ? robustDeviation(column(stained, q)) : 0));

  const slides =
    slideColumn === undefined ? undefined : own.tiles.map(({ labels }) => labels[slideColumn] ?? '');
  const spread = QUANTITIES.map((quantity, q): AuditSpread => {
    const values = column(stained, q);
    return {
      quantity,
      tiles: widths[q] as number,
      slides: slideSpread(own.rows, slides, q),
      prior: prior[q] as number,
      within: share(
        values.map((value) => Math.abs(value - (centre[q] as number)) <= REACH * (prior[q] as number)),
      ),
    };
  });

  const beside = (name: string, rows: readonly Float32Array[], from = centre): AuditSite => {
    const some = rows.filter((row) => row[COLUMNS.status] === ESTIMATED);
    const shift = QUANTITIES.map((_, q) =>
      some.length === 0 ? Number.NaN : median(column(some, q)) - (from[q] as number),
    );
    const scaled = (by: readonly number[]) =>
      Object.fromEntries(
        QUANTITIES.map((name, q) => [name, (shift[q] as number) / Math.max(1e-9, by[q] as number)]),
      ) as AuditSite['inPrior'];
    const [inSource, inPrior] = [scaled(widths), scaled(prior)];
    const beyond = (in_: AuditSite['inPrior']) => Object.values(in_).some((x) => !(Math.abs(x) <= REACH));
    return {
      name,
      tiles: rows.length,
      inSource,
      inPrior,
      outsideSource: beyond(inSource),
      outsidePrior: beyond(inPrior),
      lab: [0, 1, 2].map((c) => mean(column(rows, COLUMNS.lab + c))) as [number, number, number],
    };
  };
  const sites: AuditSite[] = [];
  for (const [name, tiles] of others) sites.push(beside(name, (await look(tiles)).rows));

  const pixels = Buffer.concat(shown);
  const drawn = await native.renderManifold(
    { ...manifold, seed: settings.seed },
    pixels,
    shown.length,
    tileSize,
  );
  // Against the same tiles as they came: another choice of tiles is no other lab.
  const plain = rowsOf(await native.auditTiles(pixels, shown.length, tileSize));
  const plainStained = plain.filter((row) => row[COLUMNS.status] === ESTIMATED);
  const plainCentre = QUANTITIES.map((_, q) =>
    plainStained.length === 0 ? 0 : median(column(plainStained, q)),
  );
  const virtualLabs: AuditSite[] = [];
  for (let lab = 0; lab < manifold.labs; lab++) {
    signal?.throwIfAborted();
    const part = drawn.subarray(lab * pixels.length, (lab + 1) * pixels.length);
    const rows = rowsOf(await native.auditTiles(part, shown.length, tileSize));
    virtualLabs.push(beside(`virtual lab ${lab}`, rows, plainCentre));
  }

  const sharpness = column(own.rows, COLUMNS.sharpness);
  const typical = median(sharpness);
  const three = (of: (values: number[]) => number) =>
    [0, 1, 2].map((c) => of(column(own.rows, COLUMNS.lab + c))) as [number, number, number];
  const found: Omit<Audit, 'warnings'> = {
    tiles: own.rows.length,
    slides: slides === undefined ? null : new Set(slides).size,
    tileSize,
    fallback: share(own.rows.map((row) => row[COLUMNS.status] === 1)),
    blank: share(own.rows.map((row) => row[COLUMNS.status] === BLANK)),
    white: share(own.rows.map((row) => (row[COLUMNS.white] as number) > 0.5)),
    spread,
    lab: { mean: three(mean), spread: three(deviation) },
    sharpness: { median: typical, blurred: share(sharpness.map((value) => value < typical / 3)) },
    duplicates: duplicatesOf(own.tiles, own.rows),
    sites,
    virtualLabs,
    unreadable,
  };
  return { ...found, warnings: warningsOf(found) };
}

/** Deviations of the prior: of ln(concentration), of the angle about the red axis, and about the others. */
function priorOf({ transforms }: NativeManifoldOptions): number[] {
  const stain = transforms.find(({ type }) => type === 'stain');
  if (stain?.type !== 'stain') {
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      'This manifold changes no stain vectors to compare a source with',
      {
        hint: "Give one of kind 'he' or 'hdab', or one of your own with a transform of type 'stain'.",
      },
    );
  }
  // native/src/stain/virtual_lab.cpp: off the red axis the vectors turn 0.45 as far.
  const [hue, tilt] = [stain.rotation, 0.45 * stain.rotation];
  return [stain.concentration, stain.concentration, hue, tilt, hue, tilt];
}

async function otherSites(
  settings: ReturnType<typeof validate<typeof auditSchema>>,
  source: readonly Tile[],
  signal: AbortSignal | undefined,
): Promise<Map<string, Tile[]>> {
  const { againstColumn, againstTiles, where, limit } = settings;
  const others = new Map<string, Tile[]>();
  if (againstColumn !== undefined) {
    if (where[againstColumn] === undefined) {
      throw new StainfoldError(
        'STAINFOLD_OPTION',
        `againstColumn is '${againstColumn}', but where names no source in it`,
        {
          hint: `Say which site is the source: where: { ${againstColumn}: '...' }.`,
        },
      );
    }
    const { [againstColumn]: own, ...rest } = where;
    const all = await openTileSet({ tiles: settings.tiles, where: rest }, signal);
    const by = new Map<string, Tile[]>();
    for (const tile of all.tiles) {
      const name = tile.labels[againstColumn] ?? '';
      if (name === own) continue;
      by.set(name, [...(by.get(name) ?? []), tile]);
    }
    for (const [name, tiles] of by) others.set(name, pickEvenly(tiles, limit));
  }
  if (againstTiles !== undefined) {
    const { tiles } = await openTileSet({ tiles: againstTiles, where: {} }, signal);
    const known = new Set(source.map(({ path }) => path));
    const fresh = tiles.filter(({ path }) => !known.has(path));
    others.set(againstTiles, pickEvenly(fresh, limit));
  }
  return others;
}

async function sideOf({ path }: Tile): Promise<number> {
  const { width, height } = await probeTile(path);
  return Math.max(32, Math.min(1024, Math.floor(Math.min(width, height) / 32) * 32));
}

/** Deviation of the medians of slides; null where there are fewer than three. */
function slideSpread(
  rows: readonly Float32Array[],
  slides: readonly string[] | undefined,
  q: number,
): number | null {
  if (slides === undefined) return null;
  const by = new Map<string, number[]>();
  for (const [i, row] of rows.entries()) {
    if (row[COLUMNS.status] !== ESTIMATED) continue;
    const slide = slides[i] as string;
    const values = by.get(slide) ?? [];
    values.push(row[q] as number);
    by.set(slide, values);
  }
  return by.size < 3 ? null : robustDeviation([...by.values()].map(median));
}

/** Files of equal difference hash, glass left out: that is alike everywhere. */
function duplicatesOf(tiles: readonly Tile[], rows: readonly Float32Array[]): string[][] {
  const by = new Map<string, string[]>();
  for (const [i, row] of rows.entries()) {
    if (row[COLUMNS.status] === BLANK) continue;
    const key = row.subarray(COLUMNS.hash, COLUMNS.hash + 4).join(',');
    by.set(key, [...(by.get(key) ?? []), (tiles[i] as Tile).file]);
  }
  return [...by.values()].filter((files) => files.length > 1);
}
