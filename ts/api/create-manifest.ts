import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { z } from 'zod';
import { adaptCamelyon16, parseReference } from '../data/adapters/camelyon16.js';
import type { Adapted, SkippedFile } from '../data/adapters/layout.js';
import { MIDOG_COLUMNS, type MidogPatch, readMidog } from '../data/adapters/midog.js';
import { cutPatches } from '../data/adapters/patches.js';
import { adaptTcga } from '../data/adapters/tcga.js';
import { csvLine } from '../data/csv.js';
import { readError } from '../data/file-errors.js';
import { openTileSet } from '../data/tile-set.js';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { lockFolder } from '../files/lock.js';
import { callback, choice, must, runtime, text, tileSize } from '../internal/schema.js';
import { validate } from '../internal/validate.js';
import type { CreatedManifest, CreateManifestOptions } from '../types.js';

const createManifestSchema = z.strictObject(
  {
    layout: choice('tcga', 'camelyon16', 'midog'),
    folder: text('the path of a folder'),
    out: text('the path of a CSV file').regex(/\.csv$/i, must('a path that ends in .csv')),
    labels: text('the path of a CSV file').optional(),
    tileSize: tileSize().default(128),
    annotations: text('the path of a JSON file').optional(),
    signal: runtime.signal,
    onProgress: callback<NonNullable<CreateManifestOptions['onProgress']>>().optional(),
  },
  must('an object'),
);

type Settings = ReturnType<typeof validate<typeof createManifestSchema>>;

/**
 * Writes the manifest of a public data set as it lies on disk: file, site, slide, labels. Tiles of TCGA and Camelyon16 must have been
 * extracted from their slides before; MIDOG's patches are cut here.
 *
 * @example
 * await createManifest({ layout: 'camelyon16', folder: 'camelyon16-tiles', out: 'camelyon16.csv' });
 *
 * @throws STAINFOLD_TILES_EMPTY where nothing in the folder is of that layout; STAINFOLD_MANIFEST for labels or annotations that
 *   cannot be used; STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ, STAINFOLD_FILE_WRITE; STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN.
 */
export async function createManifest(options: CreateManifestOptions): Promise<CreatedManifest> {
  const settings = validate(createManifestSchema, options);
  settings.signal?.throwIfAborted();
  const out = resolve(settings.out);
  const { root, adapted } = await adapt(settings, out);
  const joined = settings.labels === undefined ? adapted : await joinLabels(adapted, settings.labels);
  // A tile of no known site is of no use: what is trained on and what is unseen could not be told apart.
  const known = joined.tiles.filter(({ labels }) => labels.site !== '');
  const unknown = joined.tiles.filter(({ labels }) => labels.site === '');
  const skipped = [
    ...joined.skipped,
    ...unknown.map(({ file }) => ({ file, reason: 'its site is unknown: give it in a labels file' })),
  ];
  if (known.length === 0) throw nothingFound(settings, skipped);
  const folder = dirname(out);
  const lines = known.map(({ file, labels }) => {
    const path = relative(folder, join(root, file)).split(sep).join('/');
    return csvLine([path, ...joined.columns.map((column) => labels[column] ?? '')]);
  });
  await writeFileAtomic(out, [csvLine(['file', ...joined.columns]), ...lines].join(''));
  const sites: Record<string, number> = {};
  for (const { labels } of known) {
    const site = labels.site as string;
    sites[site] = (sites[site] ?? 0) + 1;
  }
  return { manifest: out, columns: joined.columns, tiles: known.length, sites, skipped };
}

async function adapt(settings: Settings, out: string): Promise<{ root: string; adapted: Adapted }> {
  const root = resolve(settings.folder);
  if (settings.layout === 'midog') return adaptMidog(settings, root, join(dirname(out), 'patches'));
  const { tiles } = await openTileSet({ tiles: root }, settings.signal);
  const files = tiles.map(({ file }) => file);
  settings.onProgress?.(files.length, files.length);
  if (settings.layout === 'tcga') return { root, adapted: adaptTcga(files) };
  return { root, adapted: adaptCamelyon16(files, await readReference(root)) };
}

/** Absent, the test slides' own label is unknown, and that is all. */
async function readReference(root: string): Promise<Map<string, string>> {
  for (const path of ['testing/reference.csv', 'reference.csv']) {
    try {
      return parseReference(await readFile(join(root, path), 'utf8'));
    } catch {
      // the next place
    }
  }
  return new Map();
}

async function adaptMidog(
  settings: Settings,
  root: string,
  patches: string,
): Promise<{ root: string; adapted: Adapted }> {
  const { tileSize: side, signal, onProgress } = settings;
  const path = settings.annotations ?? (await findAnnotations(root));
  const wanted = readMidog(path, await readText(path));
  const byImage = new Map<string, MidogPatch[]>();
  for (const patch of wanted) {
    const list = byImage.get(patch.image) ?? [];
    byImage.set(patch.image, list);
    list.push(patch);
  }
  const images = await findImages(root);
  using _lock = await lockFolder(patches);
  const adapted: Adapted = { columns: [...MIDOG_COLUMNS], tiles: [], skipped: [] };
  let done = 0;
  for (const [image, cuts] of byImage) {
    signal?.throwIfAborted();
    const file = images.get(image.toLowerCase());
    const reason =
      file === undefined ? 'there is no such image' : await cutPatches(file, cuts, side, patches, signal);
    if (reason === undefined) {
      adapted.tiles.push(...cuts.map(({ name, labels }) => ({ file: `${name}.png`, labels })));
    } else {
      adapted.skipped.push({ file: image, reason });
    }
    onProgress?.(++done, byImage.size);
  }
  return { root: patches, adapted };
}

async function findAnnotations(root: string): Promise<string> {
  for (const folder of [root, join(root, 'databases')]) {
    const names = await readdir(folder).catch(() => []);
    const found = names.filter((name) => /^MIDOG.*\.json$/i.test(name)).sort();
    if (found.length > 1) {
      throw new StainfoldError('STAINFOLD_MANIFEST', `${folder} holds ${found.join(' and ')}`, {
        hint: 'Say which with the annotations option.',
      });
    }
    if (found[0] !== undefined) return join(folder, found[0]);
  }
  throw new StainfoldError(
    'STAINFOLD_FILE_NOT_FOUND',
    `There is no MIDOG*.json in ${root} or its databases`,
    {
      hint: 'Give its path with the annotations option.',
    },
  );
}

async function findImages(root: string): Promise<Map<string, string>> {
  const images = new Map<string, string>();
  for (const folder of [root, join(root, 'images')]) {
    for (const name of await readdir(folder).catch(() => [])) {
      if (/\.tiff?$/i.test(name)) images.set(name.toLowerCase(), join(folder, name));
    }
  }
  return images;
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
  } catch (cause) {
    throw readError(path, cause);
  }
}

/** Columns of a CSV, joined by slide, or by patient. */
async function joinLabels({ columns, tiles, skipped }: Adapted, path: string): Promise<Adapted> {
  const fail = (detail: string, cause?: unknown): StainfoldError =>
    new StainfoldError('STAINFOLD_MANIFEST', `${path}: ${detail}`, {
      hint: 'Give a CSV with a header line and a slide or patient column.',
      cause,
    });
  let rows: Record<string, string>[];
  const content = await readText(path);
  try {
    rows = parse(content, { columns: true, skip_empty_lines: true, trim: true });
  } catch (cause) {
    throw cause instanceof CsvError ? fail(cause.message, cause) : cause;
  }
  const named = Object.keys(rows[0] ?? {});
  const key = ['slide', 'patient'].find((column) => named.includes(column) && columns.includes(column));
  if (key === undefined) throw fail(`it has no slide or patient column to join by, only ${named.join(', ')}`);
  const added = named.filter((column) => column !== key && column !== 'file');
  const byKey = new Map(rows.map((row) => [row[key] as string, row]));
  return {
    columns: [...columns, ...added.filter((column) => !columns.includes(column))],
    tiles: tiles.map(({ file, labels }) => {
      const row = byKey.get(labels[key] as string);
      const extra = row === undefined ? [] : added.map((column) => [column, row[column] ?? ''] as const);
      return { file, labels: { ...labels, ...Object.fromEntries(extra) } };
    }),
    skipped,
  };
}

const EXPECTED: Record<Settings['layout'], string> = {
  tcga: 'tiles whose name, or a folder of whose path, holds the slide’s barcode (TCGA-A2-A0CQ-01Z-00-DX1)',
  camelyon16: 'tiles whose name, or a folder of whose path, holds normal_NNN, tumor_NNN or test_NNN',
  midog: 'regions NNN.tiff, in the folder or in its images',
};

function nothingFound({ layout, folder }: Settings, skipped: readonly SkippedFile[]): StainfoldError {
  const [first] = skipped;
  const why = first === undefined ? '' : ` (${basename(first.file)}: ${first.reason})`;
  return new StainfoldError(
    'STAINFOLD_TILES_EMPTY',
    `${folder} holds nothing of the layout '${layout}'${why}`,
    {
      hint: `Expected are ${EXPECTED[layout]}; docs/benchmark.md says more.`,
    },
  );
}
