/** Slides as pictures: what was tiled and what the tiles are like, as one page and as PNG files. */
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { composeSheet, type SheetCell } from '../data/sheet.js';
import { StainfoldError } from '../errors.js';
import { writeFailure, writeFileAtomic } from '../files/atomic.js';
import { sharp } from '../files/sharp.js';
import { loadNative } from '../internal/load.js';
import type { NativeAddon } from '../internal/native.js';
import { validate } from '../internal/validate.js';
import { slideReportSchema } from '../internal/validate-slide-report.js';
import { rangeOf, threeColours, within } from '../report/colour-scale.js';
import { layGrid, type SlideGrid } from '../report/slide-grid.js';
import { type PageSlide, renderSlidePage } from '../report/slide-page.js';
import { colourPicture, tilesPicture, valuePicture } from '../report/slide-pictures.js';
import type {
  Encoder,
  RawTile,
  ReportedSlide,
  Slide,
  SlidePictureName,
  SlideReport,
  SlideReportOptions,
} from '../types.js';
import { openSlide } from './open-slide.js';
import { type Look, type LookSettings, likeness, lookAt } from './slide-look.js';

/** Fewer tiles have no components to speak of. */
const LEAST_TILES = 4;
const MONTAGE = 8;
/** The same for all slides: what is flagged lies about 1 and above. */
const OOD_RANGE = { low: 0, high: 3 };
const MONTAGE_SIDE = 112;
const THUMBNAIL = 600;

interface Picture {
  name: SlidePictureName;
  title: string;
  about: string;
  png: Buffer;
  wide?: boolean;
}

/**
 * Pictures of slides as one HTML page that needs nothing else: the slide with its tissue and tiles; over the tiles, the first three
 * principal components of z, the out-of-distribution score, the likeness to one tile and a probe's score; the nearest and the
 * farthest tiles. The tiles are read again. A slide that fails is told in its section, the others go on.
 *
 * @param path Of the page. Its folder must exist.
 *
 * @example
 * await writeSlideReport('report.html', encoder, { slides: ['a.svs'], features: ['features/a.h5'], pictures: 'pictures' });
 *
 * @throws STAINFOLD_FILE_WRITE; STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; STAINFOLD_SHAPE where a probe has other dimensions.
 */
export async function writeSlideReport(
  path: string,
  encoder: Encoder,
  options: SlideReportOptions,
): Promise<SlideReport> {
  const settings = validate(slideReportSchema, options);
  const { slides, features, title, command, signal, probe } = settings;
  const { latent, size, tileSize, provenance } = encoder.info;
  if (probe && !features && probe.weights.length !== latent) {
    throw new StainfoldError(
      'STAINFOLD_SHAPE',
      `The probe has ${probe.weights.length} weights, z has ${latent} dimensions`,
    );
  }
  signal?.throwIfAborted();
  const native = await loadNative();
  const page: PageSlide[] = [];
  const reported: ReportedSlide[] = [];
  for (const [i, slide] of slides.entries()) {
    signal?.throwIfAborted();
    const name = basename(slide);
    const onProgress = (done: number, total: number) =>
      settings.onProgress?.({ slide: i, slides: slides.length, name, done, total });
    const made = await reportOne(native, slide, encoder, features?.[i], settings, onProgress);
    page.push(made.page);
    reported.push(made.reported);
  }
  const failed = reported.filter(({ error }) => error !== undefined).length;
  const tiles = reported.reduce((sum, one) => sum + one.tiles, 0);
  const flagged = reported.reduce((sum, one) => sum + (one.flagged ?? 0), 0);
  const scored = reported.some((one) => one.flagged !== null);
  const verdict = [
    `${tiles.toLocaleString('en-US')} tiles of ${slides.length - failed} ${slides.length - failed === 1 ? 'slide' : 'slides'} are used`,
    scored
      ? `; ${flagged.toLocaleString('en-US')} of them are unlike what the encoder was trained on (p < 0.01)`
      : '',
    failed > 0 ? `; ${failed} failed` : '',
  ].join('');
  const facts: [string, string][] = [
    ['Model', `${size}, ${latent} dimensions, tiles of ${tileSize} px, trained on ${provenance.tiles} tiles`],
    ['Device', `${encoder.device}, ${encoder.precision}`],
  ];
  await writeFileAtomic(
    path,
    renderSlidePage({ title, created: new Date(), verdict: `${verdict}.`, command, facts, slides: page }),
  );
  return { path: resolve(path), slides: reported };
}

async function reportOne(
  native: NativeAddon,
  path: string,
  encoder: Encoder,
  features: string | undefined,
  settings: LookSettings,
  onProgress: (done: number, total: number) => void,
): Promise<{ page: PageSlide; reported: ReportedSlide }> {
  const { signal } = settings;
  const reported: ReportedSlide = {
    slide: basename(path),
    path: resolve(path),
    tiles: 0,
    flagged: null,
    pictures: {},
    error: undefined,
  };
  const page: PageSlide = { name: basename(path), facts: [], pictures: [], error: undefined };
  try {
    await using slide = await openSlide(path, { ...settings.slide, ...(signal && { signal }) });
    page.facts = factsOf(slide);
    page.pictures = [await thumbnailOf(slide, signal)];
    const look = await lookAt(slide, encoder, features, settings, onProgress);
    page.facts = [...page.facts, ...countsOf(look)];
    reported.tiles = look.rows.length;
    reported.flagged = look.ood?.flagged ?? null;
    const pictures = await picturesOf(native, slide, look, settings);
    page.pictures = await Promise.all(
      pictures.map(async ({ title, about, png, wide }) => ({
        title,
        about,
        alt: `${slide.name}: ${title}`,
        jpeg: await sharp(png).jpeg({ quality: 86, chromaSubsampling: '4:4:4' }).toBuffer(),
        ...(wide && { wide }),
      })),
    );
    if (settings.pictures !== undefined) {
      const folder = join(resolve(settings.pictures), slide.name);
      await mkdir(folder, { recursive: true }).catch((error: unknown) => {
        throw writeFailure(folder, error);
      });
      for (const { name, png } of pictures) {
        reported.pictures[name] = join(folder, `${name}.png`);
        await writeFileAtomic(reported.pictures[name] as string, png);
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof StainfoldError) || error.code === 'STAINFOLD_DISPOSED') throw error;
    if (error.code === 'STAINFOLD_FILE_WRITE') throw error;
    reported.error = { code: error.code, message: error.message };
    page.error = reported.error;
  }
  return { page, reported };
}

function factsOf({ width, height, mpp, objectivePower, vendor, backend }: Slide): [string, string][] {
  const micrometres = (px: number) => ((px * (mpp ?? 0)) / 1000).toFixed(1);
  const area = mpp === null ? '' : `, ${micrometres(width)} × ${micrometres(height)} mm`;
  const power = objectivePower === null ? '' : `, ${objectivePower}×`;
  return [
    ['Slide', `${width.toLocaleString('en-US')} × ${height.toLocaleString('en-US')} px${area}`],
    [
      'Pixel size',
      mpp === null ? 'unknown' : `${Number(mpp.toPrecision(4))} µm${power} (${vendor}, read by ${backend})`,
    ],
  ];
}

function countsOf({ tiling, status, rows, ood }: Look): [string, string][] {
  const counts = new Map<string, number>();
  for (const one of status)
    if (one !== 'ok' && one !== 'unchecked') counts.set(one, (counts.get(one) ?? 0) + 1);
  const rejected = [...counts].map(([name, n]) => `${n} ${name === 'background' ? 'glass' : name}`);
  const { tileSize, mpp, overlap, mask } = tiling;
  const flagged = ood
    ? [['Unlike training', `${ood.flagged} of ${rows.length} tiles at p < 0.01`] as [string, string]]
    : [];
  return [
    ['Tissue', `${(100 * mask.share).toFixed(1)} % of the slide`],
    [
      'Tiles',
      `${rows.length} of ${tiling.count} used, ${tileSize} px at ${mpp} µm${overlap > 0 ? `, ${overlap} px shared` : ''}${rejected.length > 0 ? `; left out: ${rejected.join(', ')}` : ''}`,
    ],
    ...flagged,
  ];
}

async function picturesOf(
  native: NativeAddon,
  slide: Slide,
  look: Look,
  settings: LookSettings,
): Promise<Picture[]> {
  const { tiling, status, rows, z, columns, ood } = look;
  const { probe, like, signal } = settings;
  const stepLevel0 = ((tiling.tileSize - tiling.overlap) * tiling.mpp) / tiling.slideMpp;
  const { width, height } = slide;
  const grid = layGrid({ width, height, coords: tiling.coords, sizeLevel0: tiling.sizeLevel0, stepLevel0 });
  const overview = await overviewOf(slide, grid, tiling.slideMpp, signal);
  const pictures: Picture[] = [
    {
      name: 'tiles',
      title: 'Tissue and tiles',
      about:
        'The tissue found, and the tiles laid over it. Filled tiles were left out, for the reason of their colour.',
      png: await tilesPicture(grid, overview, tiling.mask, status),
    },
  ];
  if (rows.length === 0) return pictures;
  const rowOf = new Int32Array(tiling.count).fill(-1);
  for (const [row, tile] of rows.entries()) rowOf[tile] = row;
  const valued = (values: ArrayLike<number>) => (tile: number) => {
    const row = rowOf[tile] as number;
    return row < 0 ? Number.NaN : (values[row] as number);
  };
  if (rows.length >= LEAST_TILES) {
    const three = Math.min(3, columns);
    const components = await native.metrics.principalComponents(
      { data: z, rows: rows.length, columns },
      three,
    );
    const colours = threeColours(components, three);
    const legend = ['first', 'second', 'third'].map((name, i) => ({
      colour: ['#f00', '#0f0', '#00f'][i] as string,
      name,
    }));
    pictures.push({
      name: 'components',
      title: 'Principal components',
      about:
        "The first three principal components of this slide's embeddings as red, green and blue, each from its 2nd to its 98th percentile. Like colours are like tissue.",
      png: await colourPicture(grid, overview, (tile) => colours[rowOf[tile] as number], legend),
    });
  }
  const scale = async (values: Float64Array, unit: string, range = rangeOf(values)) =>
    valuePicture(grid, overview, valued(values), range, unit, (value) => within(range, value));
  if (ood) {
    pictures.push({
      name: 'ood',
      title: 'Unlike the training tiles',
      about: `The out-of-distribution score: 0 is the median of the tiles that the model knows, 1 their 99th percentile. ${ood.flagged} of ${rows.length} tiles are flagged at p < 0.01.`,
      png: await scale(ood.score, 'score, no unit', OOD_RANGE),
    });
  }
  const { chosen, cosine } = likeness(look, like);
  const chosenTile = rows[chosen] as number;
  const at = `${tiling.coords[2 * chosenTile]}, ${tiling.coords[2 * chosenTile + 1]}`;
  pictures.push({
    name: 'similarity',
    title: 'Like one tile',
    about: `Cosine of each embedding with that of the tile at ${at}${like ? '' : ', the most typical of the slide'}: the first of the montage.`,
    png: await scale(cosine, 'cosine'),
  });
  if (probe) {
    if (probe.weights.length !== columns) {
      throw new StainfoldError(
        'STAINFOLD_SHAPE',
        `The probe has ${probe.weights.length} weights, z has ${columns} dimensions`,
      );
    }
    const score = Float64Array.from(rows, (_, i) =>
      probe.weights.reduce((sum, weight, k) => sum + weight * (z[i * columns + k] as number), probe.bias),
    );
    pictures.push({
      name: 'probe',
      title: `Score of ${probe.name}`,
      about: 'w·z + b of the linear probe; above 0 it decides for its class.',
      png: await scale(score, 'w·z + b'),
    });
  }
  pictures.push({
    name: 'montage',
    title: 'Nearest and farthest tiles',
    about: `Above: the tile at ${at}, then its nearest by cosine. Below: the farthest.`,
    png: await montage(slide, look, chosen, cosine, signal),
    wide: true,
  });
  return pictures;
}

/** What a slide is shown by that cannot be tiled. */
async function thumbnailOf(slide: Slide, signal?: AbortSignal): Promise<PageSlide['pictures'][number]> {
  const { data, width, height } = await slide.thumbnail(THUMBNAIL, signal && { signal });
  const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 86 })
    .toBuffer();
  return { title: 'The slide', about: 'Nothing of it was tiled.', alt: `${slide.name}: overview`, jpeg };
}

/** The slide at the grid's scale. */
async function overviewOf(
  slide: Slide,
  grid: SlideGrid,
  mpp: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { width, height, scale } = grid;
  const { data } = await slide.readRegion(
    { x: 0, y: 0, width, height, mpp: mpp / scale },
    signal && { signal },
  );
  return data as Uint8Array;
}

async function montage(
  slide: Slide,
  { rows, tiling }: Look,
  chosen: number,
  cosine: Float64Array,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const others = Array.from(rows.keys()).filter((row) => row !== chosen);
  others.sort((a, b) => (cosine[b] as number) - (cosine[a] as number) || a - b);
  const near = [chosen, ...others.slice(0, MONTAGE)];
  const far = others
    .slice(MONTAGE)
    .slice(-MONTAGE - 1)
    .reverse();
  const cell = async (row: number): Promise<SheetCell> => {
    const tile = rows[row] as number;
    const { tileSize: side, mpp, coords } = tiling;
    const region = {
      x: coords[2 * tile] as number,
      y: coords[2 * tile + 1] as number,
      width: side,
      height: side,
      mpp,
    };
    const { data } = await slide.readRegion(region, signal && { signal });
    const small = await sharp(data as Uint8Array, { raw: { width: side, height: side, channels: 3 } })
      .resize(MONTAGE_SIDE, MONTAGE_SIDE)
      .raw()
      .toBuffer();
    const picture: RawTile = { data: small, width: MONTAGE_SIDE, height: MONTAGE_SIDE, channels: 3 };
    return { caption: row === chosen ? 'the tile' : (cosine[row] as number).toFixed(3), picture };
  };
  const sheet: SheetCell[][] = [];
  for (const list of [near, far]) if (list.length > 0) sheet.push(await Promise.all(list.map(cell)));
  return Buffer.from((await composeSheet(sheet)).png);
}
