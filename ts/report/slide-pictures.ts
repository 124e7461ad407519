/** Pictures of a slide: what was tiled, and what the tiles are like, over a pale slide, with a legend below. */
import sharp, { type OverlayOptions } from 'sharp';
import type { SlideTileStatus, TissueMask } from '../types.js';
import { cividis, type Range, type Rgb } from './colour-scale.js';
import { cellColours, outline, type SlideGrid } from './slide-grid.js';

/** RGB, as large as the grid's picture. */
export type SlideImage = Uint8Array;

/** Of a legend on a picture of this width, where it is drawn at its own size; wider pictures are shown smaller. */
const LEGEND = 46;
const LEGEND_WIDTH = 440;
const FONT = 'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#222"';

/** Okabe and Ito's colours; what is used has an outline alone. */
const STATUS_COLOURS: Record<SlideTileStatus, string> = {
  ok: '#0072B2',
  unchecked: '#0072B2',
  blur: '#E69F00',
  pen: '#CC79A7',
  fold: '#D55E00',
  background: '#8A8A8A',
  unreadable: '#000000',
};
const STATUS_NAMES: Record<SlideTileStatus, string> = {
  ok: 'used',
  unchecked: 'used',
  blur: 'blur',
  pen: 'pen',
  fold: 'fold',
  background: 'glass',
  unreadable: 'unreadable',
};

const rawOf = ({ width, height }: SlideGrid) => ({ raw: { width, height, channels: 3 as const } });

/** The slide with its tissue's contour and its tiles. */
export async function tilesPicture(
  grid: SlideGrid,
  slide: SlideImage,
  mask: TissueMask,
  status: readonly SlideTileStatus[],
): Promise<Buffer> {
  const shapes: string[] = [];
  const seen = [...new Set(status.map((one) => (one === 'unchecked' ? 'ok' : one)))];
  for (const name of seen) {
    const path = outline(grid, (tile) => (status[tile] === 'unchecked' ? 'ok' : status[tile]) === name);
    const colour = STATUS_COLOURS[name];
    const fill = name === 'ok' ? 'fill="none"' : `fill="${colour}" fill-opacity="0.55"`;
    const stroke = grid.step >= 4 ? `stroke="${colour}" stroke-width="1"` : '';
    shapes.push(
      `<path d="${path}" ${grid.step < 4 && name === 'ok' ? `fill="${colour}" fill-opacity="0.25"` : fill} ${stroke}/>`,
    );
  }
  const picture = await sharp(slide, rawOf(grid))
    .composite([
      { input: Buffer.from(svg(grid.width, grid.height, shapes.join(''))) },
      await contour(grid, mask),
    ])
    .removeAlpha()
    .raw()
    .toBuffer();
  const counts = seen.map((name) => ({
    name: `${STATUS_NAMES[name]} (${status.filter((one) => one === name || (name === 'ok' && one === 'unchecked')).length})`,
    colour: STATUS_COLOURS[name],
    filled: name !== 'ok',
  }));
  let x = 2;
  const items = [{ name: 'tissue', colour: '#009E73', filled: true }, ...counts].map(
    ({ name, colour, filled }) => {
      const item = `<rect x="${x + 1}" y="15" width="13" height="13" stroke="${colour}" stroke-width="2" fill="${filled ? colour : 'none'}"/><text x="${x + 21}" y="26" ${FONT}>${name}</text>`;
      x += 38 + 7.5 * name.length;
      return item;
    },
  );
  return withLegend(grid, picture, items.join(''));
}

/** A number of each tile, from the dark end of the scale to the light one. NaN: no tile there. */
export async function valuePicture(
  grid: SlideGrid,
  slide: SlideImage,
  values: (tile: number) => number,
  range: Range,
  unit: string,
  share: (value: number) => number,
): Promise<Buffer> {
  const colour = (tile: number): Rgb | undefined => {
    const value = values(tile);
    return Number.isFinite(value) ? cividis(share(value)) : undefined;
  };
  const stops = Array.from(
    { length: 11 },
    (_, i) => `<stop offset="${i * 10}%" stop-color="rgb(${cividis(i / 10).join(',')})"/>`,
  );
  const [low, high] = [range.low, range.high].map((end) => end.toFixed(2)) as [string, string];
  const from = 8 * low.length + 18;
  const legend = `<defs><linearGradient id="s">${stops.join('')}</linearGradient></defs><text x="2" y="26" ${FONT}>≤ ${low}</text><rect x="${from}" y="15" width="140" height="14" fill="url(#s)"/><text x="${from + 148}" y="26" ${FONT}>≥ ${high}   ${unit}</text>`;
  return withLegend(grid, await heat(grid, slide, colour), legend);
}

/** A colour for each tile, with a legend in words. */
export async function colourPicture(
  grid: SlideGrid,
  slide: SlideImage,
  colour: (tile: number) => Rgb | undefined,
  legend: readonly { colour: string; name: string }[],
): Promise<Buffer> {
  let x = 2;
  const items = legend.map(({ name, colour: fill }) => {
    const item = `<rect x="${x}" y="15" width="14" height="14" fill="${fill}"/><text x="${x + 20}" y="26" ${FONT}>${name}</text>`;
    x += 36 + 7.5 * name.length;
    return item;
  });
  return withLegend(grid, await heat(grid, slide, colour), items.join(''));
}

/** Tiles as blocks of colour over the slide, grey and pale. */
async function heat(
  grid: SlideGrid,
  slide: SlideImage,
  colour: (tile: number) => Rgb | undefined,
): Promise<Buffer> {
  const { columns, rows, step, inset, width, height } = grid;
  const cells = sharp(cellColours(grid, colour), { raw: { width: columns, height: rows, channels: 4 } });
  // Enlarged by a whole number, then cut to the slide's picture.
  const blocks = await cells
    .resize(columns * step, rows * step, { kernel: 'nearest', fit: 'fill' })
    .extend({
      left: inset,
      top: inset,
      right: width,
      bottom: height,
      background: { r: 0, g: 0, b: 0, alpha: 0 },
    })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const cut = await sharp(blocks.data, {
    raw: { width: blocks.info.width, height: blocks.info.height, channels: 4 },
  })
    .extract({ left: 0, top: 0, width, height })
    .png()
    .toBuffer();
  const pale = await sharp(slide, rawOf(grid))
    .greyscale()
    .linear(0.45, 140)
    .toColourspace('srgb')
    .png()
    .toBuffer();
  return await sharp(pale)
    .composite([{ input: cut }])
    .removeAlpha()
    .raw()
    .toBuffer();
}

/** The mask's edge, about three pixels wide. */
async function contour(grid: SlideGrid, { data, width, height, scale }: TissueMask): Promise<OverlayOptions> {
  const [wide, high] = [width, height].map((side) => Math.max(1, Math.round(side * scale * grid.scale))) as [
    number,
    number,
  ];
  // sharp has an order of its own within a pipeline: what must come after something gets a pipeline of its own.
  const white = await sharp(
    data.map((tissue) => 255 * tissue),
    { raw: { width, height, channels: 1 } },
  )
    .resize(wide, high, { kernel: 'cubic', fit: 'fill' })
    .threshold(128)
    .extractChannel(0)
    .raw()
    .toBuffer();
  const fitted = await sharp(white, { raw: { width: wide, height: high, channels: 1 } })
    .extend({
      right: Math.max(0, grid.width - wide),
      bottom: Math.max(0, grid.height - high),
      background: '#000',
    })
    .extractChannel(0)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const cut = await sharp(fitted.data, { raw: { ...sizeOf(fitted.info), channels: 1 } })
    .extract({ left: 0, top: 0, width: grid.width, height: grid.height })
    .convolve({ width: 3, height: 3, kernel: [-1, -1, -1, -1, 8, -1, -1, -1, -1], scale: 1 })
    .extractChannel(0)
    .raw()
    .toBuffer();
  const one = { raw: { width: grid.width, height: grid.height, channels: 1 as const } };
  const edge = await sharp(cut, one).blur(1).linear(8, 0).extractChannel(0).raw().toBuffer();
  const line = await sharp({
    create: { width: grid.width, height: grid.height, channels: 3, background: '#009E73' },
  })
    .joinChannel(edge, one)
    .png()
    .toBuffer();
  return { input: line };
}

async function withLegend(grid: SlideGrid, picture: Buffer, legend: string): Promise<Buffer> {
  const width = Math.max(grid.width, LEGEND_WIDTH);
  const times = width / LEGEND_WIDTH;
  const high = Math.round(LEGEND * times);
  const scaled = `<g transform="scale(${times})">${legend}</g>`;
  return await sharp({ create: { width, height: grid.height + high, channels: 3, background: '#fff' } })
    .composite([
      { input: picture, ...rawOf(grid), left: 0, top: 0 },
      { input: Buffer.from(svg(width, high, scaled)), left: 0, top: grid.height },
    ])
    .removeAlpha()
    .png()
    .toBuffer();
}

const sizeOf = ({ width, height }: { width: number; height: number }) => ({ width, height });

const svg = (width: number, height: number, inside: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${inside}</svg>`;
