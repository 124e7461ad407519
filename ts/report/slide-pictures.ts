/** Pictures of a slide: what was tiled, and what the tiles are like, over a pale slide, with a legend below. */
import type { OverlayOptions } from 'sharp';
import { sharp } from '../files/sharp.js';
import type { SlideTileStatus, TissueMask } from '../types.js';
import { cividis, type Range, type Rgb } from './colour-scale.js';
import { cellColours, outline, type SlideGrid } from './slide-grid.js';

/** RGB, as large as the grid's picture. */
export type SlideImage = Uint8Array;

/** Opacity of what was left out, 0 to 255. */
const TINT = 140;
/** Pixels from tile to tile. */
const LEAST_OUTLINED = 4;
const LINE = 24;
/** Of a legend on a picture of this width, where it is drawn at its own size; wider pictures are shown smaller. */
const LEGEND = 40;
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
  const names = status.map((one) => (one === 'unchecked' ? 'ok' : one));
  const seen = [...new Set(names)];
  // Tiles too small for an outline are tinted.
  const outlined = grid.step >= LEAST_OUTLINED;
  const tint = (tile: number): Rgb | undefined => {
    const name = names[tile] as SlideTileStatus;
    return name === 'ok' && outlined ? undefined : rgbOf(STATUS_COLOURS[name]);
  };
  const outlines = seen.map(
    (name) =>
      `<path d="${outline(grid, (tile) => names[tile] === name)}" fill="none" stroke="${STATUS_COLOURS[name]}"/>`,
  );
  const picture = await sharp(slide, rawOf(grid))
    .composite([
      { input: await blocks(grid, tint, TINT) },
      ...(outlined ? [{ input: Buffer.from(svg(grid.width, grid.height, outlines.join(''))) }] : []),
      await contour(grid, mask),
    ])
    .removeAlpha()
    .raw()
    .toBuffer();
  const counts = seen.map((name) => ({
    name: `${STATUS_NAMES[name]} (${names.filter((one) => one === name).length})`,
    colour: STATUS_COLOURS[name],
    filled: name !== 'ok' || !outlined,
  }));
  return withLegend(grid, picture, keys([{ name: 'tissue', colour: '#009E73', filled: true }, ...counts]));
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
  const markup = `<defs><linearGradient id="s">${stops.join('')}</linearGradient></defs><text x="2" y="23" ${FONT}>≤ ${low}</text><rect x="${from}" y="12" width="140" height="14" fill="url(#s)"/><text x="${from + 148}" y="23" ${FONT}>≥ ${high}   ${unit}</text>`;
  return withLegend(grid, await heat(grid, slide, colour), { markup, lines: 1 });
}

/** A colour for each tile, with a legend in words. */
export async function colourPicture(
  grid: SlideGrid,
  slide: SlideImage,
  colour: (tile: number) => Rgb | undefined,
  legend: readonly { colour: string; name: string }[],
): Promise<Buffer> {
  const drawn = legend.map((key) => ({ ...key, filled: true }));
  return withLegend(grid, await heat(grid, slide, colour), keys(drawn));
}

/** Tiles as blocks of colour over the slide, grey and pale. */
async function heat(
  grid: SlideGrid,
  slide: SlideImage,
  colour: (tile: number) => Rgb | undefined,
): Promise<Buffer> {
  const pale = await sharp(slide, rawOf(grid))
    .greyscale()
    .linear(0.45, 140)
    .toColourspace('srgb')
    .png()
    .toBuffer();
  return await sharp(pale)
    .composite([{ input: await blocks(grid, colour, 255) }])
    .removeAlpha()
    .raw()
    .toBuffer();
}

/** Each tile a square of its colour, the rest clear: a PNG as large as the picture. */
async function blocks(
  grid: SlideGrid,
  colour: (tile: number) => Rgb | undefined,
  alpha: number,
): Promise<Buffer> {
  const { columns, rows, step, inset, width, height } = grid;
  const cells = { width: columns, height: rows, channels: 4 as const };
  // Enlarged by a whole number, then cut to the slide's picture.
  const { data, info } = await sharp(cellColours(grid, colour, alpha), { raw: cells })
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
  return await sharp(data, { raw: { ...sizeOf(info), channels: 4 } })
    .extract({ left: 0, top: 0, width, height })
    .png()
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

interface Legend {
  markup: string;
  lines: number;
}

/** Squares of colour with their names, in as many lines as they need. */
function keys(list: readonly { name: string; colour: string; filled: boolean }[]): Legend {
  let x = 2;
  let y = 0;
  const items = list.map(({ name, colour, filled }) => {
    const width = 38 + 7.5 * name.length;
    if (x > 2 && x + width > LEGEND_WIDTH) {
      x = 2;
      y += LINE;
    }
    const item = `<rect x="${x + 1}" y="${y + 12}" width="13" height="13" stroke="${colour}" stroke-width="2" fill="${filled ? colour : 'none'}"/><text x="${x + 21}" y="${y + 23}" ${FONT}>${name}</text>`;
    x += width;
    return item;
  });
  return { markup: items.join(''), lines: 1 + y / LINE };
}

async function withLegend(grid: SlideGrid, picture: Buffer, { markup, lines }: Legend): Promise<Buffer> {
  const width = Math.max(grid.width, LEGEND_WIDTH);
  const times = width / LEGEND_WIDTH;
  const high = Math.round((LEGEND + (lines - 1) * LINE) * times);
  return await sharp({ create: { width, height: grid.height + high, channels: 3, background: '#fff' } })
    .composite([
      { input: picture, ...rawOf(grid), left: 0, top: 0 },
      {
        input: Buffer.from(svg(width, high, `<g transform="scale(${times})">${markup}</g>`)),
        left: 0,
        top: grid.height,
      },
    ])
    .removeAlpha()
    .png()
    .toBuffer();
}

const rgbOf = (hex: string): Rgb =>
  [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)) as unknown as Rgb;

const sizeOf = ({ width, height }: { width: number; height: number }) => ({ width, height });

const svg = (width: number, height: number, inside: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${inside}</svg>`;
