/** A whole slide in a reference's stain: one fit for all of it, written as a pyramid. */
import { resolve } from 'node:path';
import { pickScattered } from '../data/evenly.js';
import { StainfoldError } from '../errors.js';
import { replaceFile } from '../files/atomic.js';
import { sharp } from '../files/sharp.js';
import { loadNative } from '../internal/load.js';
import { validate } from '../internal/validate.js';
import { normalizeSlideSchema } from '../internal/validate-stain.js';
import { countBlocks, pyramidLevels, writePyramid } from '../slides/pyramid.js';
import { PyramidWriter } from '../slides/tiff-writer.js';
import type { NormalizeSlideOptions, NormalizeSlideResult, RawTile, Slide } from '../types.js';
import { openSlide } from './open-slide.js';
import type { StainNormalizer } from './stain-normalizer.js';

/** Of the tiles written. */
const TILE = 256;
/** The overview that tissue is looked for in: pixels of its longer side, one of them a place to sample. */
const OVERVIEW = 96;
/** Least spread of a place's channels, grey levels: glass and shadow have less. */
const LEAST_COLOUR = 15;
const SAMPLES = 64;
/** Side of a sample and its resolution: about a fifth of a millimetre. */
const SAMPLE = 256;
const SAMPLE_MPP = 0.75;

/**
 * Writes a slide in the stain of the normaliser's reference as a pyramidal, tiled BigTIFF that OpenSlide, QuPath and tifffile read;
 * as OME-TIFF where `out` ends in `.ome.tif` or `.ome.tiff`. One fit for the whole slide, from up to 64 places with tissue; memory
 * does not grow with the slide. The file is whole or absent. Label and macro images are left out.
 *
 * @example
 * const normalizer = await StainNormalizer.published();
 * const { levels } = await normalizeSlide(normalizer, { slide: 'slide.svs', out: 'slide.tiff' });
 *
 * @throws STAINFOLD_STAIN where the slide has no tissue or its stain cannot be told; STAINFOLD_SLIDE_READ;
 *   STAINFOLD_FILE_WRITE; STAINFOLD_OPTION, STAINFOLD_OPTION_UNKNOWN; what openSlide throws.
 */
export async function normalizeSlide(
  normalizer: StainNormalizer,
  options: NormalizeSlideOptions,
): Promise<NormalizeSlideResult> {
  const {
    slide: path,
    out: to,
    compression,
    quality,
    open,
    signal,
    onProgress,
  } = validate(normalizeSlideSchema, options);
  const out = resolve(to);
  if (out === resolve(path)) {
    throw new StainfoldError('STAINFOLD_OPTION', `out must be another file than the slide, got ${to}`);
  }
  signal?.throwIfAborted();
  await using slide = await openSlide(path, { ...open, ...(signal && { signal }) });
  const samples = await sampleTissue(slide, { signal });
  const bound = await normalizer.bind(samples, signal);
  const { width, height, mpp } = slide;
  const levels = pyramidLevels(width, height, TILE);
  const ome = /\.ome\.tiff?$/i.test(out);
  const format = {
    tileSize: TILE,
    compression,
    mpp,
    description: ome ? omeXml(width, height, mpp) : `stainfold, normalised by ${normalizer.method}`,
    subDirectories: ome,
  };
  const total = countBlocks({ width, height }, TILE);
  const native = (await loadNative()).slide;
  let done = 0;
  await replaceFile(out, (file) =>
    writePyramid({
      native,
      levels,
      format,
      quality,
      writer: new PyramidWriter(file, levels, format),
      read: async (x, y, side) => {
        const picture = await slide.readRegion({ x, y, width: side, height: side }, signal && { signal });
        return await bound.normalize(picture);
      },
      onBlock: () => onProgress?.(++done, total),
      signal,
    }),
  );
  return { path: out, levels, mpp, method: normalizer.method, status: bound.status, samples: samples.length };
}

/**
 * Up to 64 pictures of places with tissue, spread over a slide: what its stain, or a reference's, is fitted to.
 *
 * @example
 * const normalizer = await StainNormalizer.fit(await sampleTissue('reference.svs'), { method: 'reinhard' });
 *
 * @param slide An open slide, or the path of one.
 * @throws STAINFOLD_STAIN where there is no tissue; STAINFOLD_SLIDE_READ; what openSlide throws.
 */
export async function sampleTissue(
  slide: Slide | string,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<RawTile[]> {
  if (typeof slide === 'string') {
    await using opened = await openSlide(slide, signal && { signal });
    return await sampleTissue(opened, { signal });
  }
  const overview = await slide.thumbnail(4 * OVERVIEW, signal && { signal });
  const raw = { width: overview.width, height: overview.height, channels: 3 as const };
  const width = Math.max(1, Math.round(overview.width / 4));
  const height = Math.max(1, Math.round(overview.height / 4));
  const small = await sharp(overview.data, { raw })
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
  const coloured: number[] = [];
  for (let i = 0; i < width * height; i++) {
    const place = small.subarray(3 * i, 3 * i + 3);
    if (Math.max(...place) - Math.min(...place) >= LEAST_COLOUR) coloured.push(i);
  }
  if (coloured.length === 0) {
    throw new StainfoldError('STAINFOLD_STAIN', `${slide.path} shows no stained tissue to fit to`);
  }
  // Level 0 where its resolution is unknown.
  const downsample = slide.mpp === null ? 1 : Math.max(1, SAMPLE_MPP / slide.mpp);
  const size = Math.min(SAMPLE, Math.max(1, Math.floor(Math.min(slide.width, slide.height) / downsample)));
  const inside = (centre: number, full: number) =>
    Math.max(0, Math.min(full - size * downsample, centre - (size * downsample) / 2));
  const samples: RawTile[] = [];
  for (const i of pickScattered(coloured, SAMPLES)) {
    const [column, row] = [i % width, Math.floor(i / width)];
    const x = Math.round(inside(((column + 0.5) * slide.width) / width, slide.width));
    const y = Math.round(inside(((row + 0.5) * slide.height) / height, slide.height));
    const scale = slide.mpp === null ? {} : { mpp: slide.mpp * downsample };
    samples.push(await slide.readRegion({ x, y, width: size, height: size, ...scale }, signal && { signal }));
  }
  return samples;
}

function omeXml(width: number, height: number, mpp: number | null): string {
  const physical =
    mpp === null
      ? ''
      : ` PhysicalSizeX="${mpp}" PhysicalSizeXUnit="µm" PhysicalSizeY="${mpp}" PhysicalSizeYUnit="µm"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" Creator="stainfold">',
    '<Image ID="Image:0">',
    `<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" Interleaved="true" SizeX="${width}" SizeY="${height}" SizeC="3" SizeZ="1" SizeT="1"${physical}>`,
    '<Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="1"/>',
    '</Pixels></Image></OME>',
  ].join('');
}
