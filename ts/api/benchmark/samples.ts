/** The same few tiles as each row's encoder sees them, for the report. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Tile } from '../../data/tile-set.js';
import { sharp } from '../../files/sharp.js';
import type { NativeAddon } from '../../internal/native.js';
import { encoderSchema, validate } from '../../internal/validate.js';
import type { BenchmarkSamples } from '../../report/benchmark-page.js';
import type { ReportImage } from '../../report/data.js';
import type { RawTile } from '../../types.js';
import { openEncoder } from '../encoder.js';
import type { BenchmarkPlan, Job } from './plan.js';
import { readPrepared, readTile } from './prepare.js';
import { runFolder } from './records.js';

/** Columns of the picture: twelve at most, two of each site at least. */
const MAX_TILES = 12;
/** Side of a sample, pixels: about twice its size on the page. */
const SIDE = 144;

/** Originals first, then every row that alters tiles, then what LMC's decoder draws. Rows that are not done are left out. */
export async function collectSamples(native: NativeAddon, plan: BenchmarkPlan): Promise<BenchmarkSamples> {
  const chosen: { tile: Tile; raw: RawTile }[] = [];
  for (const tile of chooseTiles(plan)) {
    const raw = await readTile(tile, plan.tileSize);
    if (raw !== undefined) chosen.push({ tile, raw });
  }
  const rows: BenchmarkSamples['rows'] = [];
  const add = async (title: string, note: string, tiles: readonly RawTile[] | undefined): Promise<void> => {
    if (tiles !== undefined) rows.push({ title, note, images: await Promise.all(tiles.map(jpeg)) });
  };
  const originals = chosen.map(({ raw }) => raw);
  await add('As scanned', '', originals);
  for (const job of firstOfEachRow(plan)) {
    if (job.tiles === undefined) continue;
    const altered = await readAltered(plan, job.tiles.key, chosen);
    await add(job.spec.title, '', altered);
  }
  await add('LMC, decoded', 'from the embedding alone', await readDrawn(native, plan, originals));
  const { batchColumn, labelColumn } = plan.settings;
  return {
    tiles: chosen.map(({ tile: { labels } }) => ({
      site: labels[batchColumn] as string,
      label: (labelColumn && labels[labelColumn]) || null,
    })),
    rows,
  };
}

/** The same number of each site, its labels in turn. */
function chooseTiles({ tiles, sites, settings }: BenchmarkPlan): Tile[] {
  const { batchColumn, labelColumn } = settings;
  const shown = sites.slice(0, MAX_TILES / 2);
  const each = Math.floor(MAX_TILES / shown.length);
  return shown.flatMap((site) => {
    const own = tiles.filter(({ labels }) => labels[batchColumn] === site);
    const byLabel = new Map<string, Tile[]>();
    for (const tile of own) {
      const label = labelColumn === undefined ? '' : (tile.labels[labelColumn] as string);
      const list = byLabel.get(label) ?? [];
      byLabel.set(label, list);
      list.push(tile);
    }
    const lists = [...byLabel].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, list]) => list);
    return Array.from({ length: each }, (_, i) => {
      const list = lists[i % lists.length] ?? [];
      // From all over the site, not its first slide.
      return list[Math.floor(((i + 0.5) * list.length) / each)];
    }).filter((tile) => tile !== undefined);
  });
}

function firstOfEachRow({ jobs }: BenchmarkPlan): Job[] {
  return jobs.filter(({ row }, i) => jobs.findIndex((job) => job.row === row) === i);
}

async function readAltered(
  plan: BenchmarkPlan,
  key: string,
  chosen: readonly { tile: Tile }[],
): Promise<RawTile[] | undefined> {
  const pathAt = await readPrepared(plan, key);
  if (pathAt === undefined) return undefined;
  const read = await Promise.all(
    chosen.map(({ tile }) => readTile({ ...tile, path: pathAt(plan.tiles.indexOf(tile)) }, plan.tileSize)),
  );
  return read.every((tile) => tile !== undefined) ? read : undefined;
}

async function readDrawn(
  native: NativeAddon,
  { jobs, settings }: BenchmarkPlan,
  tiles: RawTile[],
): Promise<RawTile[] | undefined> {
  const job = jobs.find(({ row }) => row === 'lmc');
  const model = job && join(runFolder(settings.out, job), 'model.safetensors');
  if (model === undefined || !existsSync(model)) return undefined;
  const { device, precision } = settings;
  const encoder = await openEncoder(
    async () => native,
    model,
    validate(encoderSchema, { device, precision }),
  );
  try {
    return await encoder.reconstruct(tiles);
  } finally {
    await encoder.dispose();
  }
}

async function jpeg({ data, width, height }: RawTile): Promise<ReportImage> {
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const small = width > SIDE ? image.resize(SIDE) : image;
  return { mime: 'image/jpeg', data: await small.jpeg({ quality: 86 }).toBuffer() };
}
