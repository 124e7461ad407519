import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { csvLine } from '../data/csv.js';
import { DECODE_CONCURRENCY } from '../data/decode.js';
import { encodePng } from '../data/encode.js';
import { orderedMap } from '../data/ordered-map.js';
import { StainfoldError } from '../errors.js';
import { writeFailure, writeFileAtomic } from '../files/atomic.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon } from '../internal/native.js';
import { phantomSchema, validate } from '../internal/validate.js';
import type { PhantomOptions, PhantomResult, RawTile } from '../types.js';

export type PhantomSettings = ReturnType<typeof validate<typeof phantomSchema>>;

const HEADER = csvLine(['file', 'lab', 'tissue', 'slide', 'place', 'mpp']);
/** Tiles that share a slide. */
const TILES_PER_SLIDE = 10;

/**
 * Writes synthetic H&E-like tiles under several virtual labs, and manifest.csv with the truth about them. The manifest
 * comes last and whole: where it is, all tiles are.
 *
 * @example
 * const { manifest } = await generatePhantom({ out: 'phantom', labs: 3, tiles: 120 });
 *
 * @throws STAINFOLD_OUTPUT_EXISTS where `out` has a manifest.csv that is not a phantom's; STAINFOLD_FILE_WRITE; STAINFOLD_OPTION,
 *   STAINFOLD_OPTION_UNKNOWN; and what loading the core throws.
 */
export async function generatePhantom(options: PhantomOptions): Promise<PhantomResult> {
  const settings = validate(phantomSchema, options);
  settings.signal?.throwIfAborted();
  return phantomWith(() => loadNative(settings), settings);
}

interface Drawing {
  tissue: number;
  seed: number;
  targets: { lab: number; file: string; slide: string; place: string }[];
}

export async function phantomWith(
  load: () => Promise<NativeAddon>,
  settings: PhantomSettings,
): Promise<PhantomResult> {
  const { tileSize, mpp, labs, signal, onProgress } = settings;
  const out = resolve(settings.out);
  const manifest = join(out, 'manifest.csv');
  await checkReplaceable(manifest);
  const native = await load();
  if (settings.threads !== undefined) native.setThreads(settings.threads);
  const tissues = native.phantom.tissues();
  try {
    await mkdir(join(out, 'tiles'), { recursive: true });
  } catch (error) {
    throw writeFailure(out, error);
  }

  const render = async (drawing: Drawing): Promise<string> => {
    const { tissue, seed, targets } = drawing;
    const request = { tissue, size: tileSize, mpp, seed, labs: targets.map(({ lab }) => lab) };
    const pixels = await native.phantom.render(request);
    const tileBytes = tileSize * tileSize * 3;
    await Promise.all(
      targets.map(async ({ file }, i) => {
        const tile = pixels.subarray(i * tileBytes, (i + 1) * tileBytes);
        return writeTile(join(out, file), { data: tile, width: tileSize, height: tileSize, channels: 3 });
      }),
    );
    const name = tissues[tissue] as string;
    return targets
      .map(({ file, lab, slide, place }) => csvLine([file, lab, name, slide, place, mpp]))
      .join('');
  };

  const lines: string[] = [];
  const total = settings.tiles * labs;
  for await (const text of orderedMap(
    drawings(settings, tissues.length),
    DECODE_CONCURRENCY,
    render,
    signal,
  )) {
    lines.push(text);
    onProgress?.(settings.tissue === 'shared' ? lines.length * labs : lines.length, total);
  }
  await writeFileAtomic(manifest, HEADER + lines.join(''));
  return { manifest, tiles: total, labs: Array.from({ length: labs }, (_, lab) => String(lab)), tissues };
}

/** Tissue classes in turn. Shared tissue is drawn once for all labs, as if the same slides went round. */
function* drawings({ tiles, labs, tissue, seed }: PhantomSettings, tissues: number): Generator<Drawing> {
  const shared = tissue === 'shared';
  for (let round = 0; round < (shared ? 1 : labs); round++) {
    for (let tile = 0; tile < tiles; tile++) {
      const place = String(tile).padStart(5, '0');
      const number = String(Math.floor(tile / TILES_PER_SLIDE)).padStart(4, '0');
      const target = (lab: number) => ({
        lab,
        file: `tiles/lab${lab}_${place}.png`,
        slide: shared ? `slide${number}` : `lab${lab}_slide${number}`,
        place: shared ? place : `lab${lab}_${place}`,
      });
      const targets = shared ? Array.from({ length: labs }, (_, lab) => target(lab)) : [target(round)];
      yield { tissue: tile % tissues, seed: tileSeed(seed, round, tile), targets };
    }
  }
}

/** Distinct for every tile of a data set, and for data sets of different seeds; within 2^53. */
function tileSeed(seed: number, round: number, tile: number): number {
  return ((seed % 2 ** 26) * 64 + round) * 2 ** 20 + tile;
}

/** Neither atomic nor synced: no manifest names a tile before all are written. */
async function writeTile(path: string, tile: RawTile): Promise<void> {
  try {
    await writeFile(path, await encodePng(tile));
  } catch (error) {
    throw writeFailure(path, error);
  }
}

/** An older phantom is replaced; somebody's own manifest is not. */
async function checkReplaceable(manifest: string): Promise<void> {
  const existing = await readFile(manifest, 'utf8').catch(() => HEADER);
  if (existing.startsWith('file,lab,tissue,')) return;
  throw new StainfoldError('STAINFOLD_OUTPUT_EXISTS', `${manifest} is not a phantom's manifest`, {
    hint: 'Choose another folder.',
  });
}
