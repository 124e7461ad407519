/** Attribution of one batch of tiles, and its picture. */
import type { OverlayOptions } from 'sharp';
import { encodePng } from '../data/encode.js';
import { StainfoldError } from '../errors.js';
import { sharp } from '../files/sharp.js';
import type { NativeAddon, NativeEmbedder } from '../internal/native.js';
import type { validate } from '../internal/validate.js';
import type { attributeSchema } from '../internal/validate-attribution.js';
import type { RawTile, SensitivityDirection, TileAttribution } from '../types.js';
import type { PixelBatch } from './tile-batches.js';

export type AttributeSettings = ReturnType<typeof validate<typeof attributeSchema>>;

const DIRECTIONS: readonly SensitivityDirection[] = ['haematoxylin', 'eosin', 'gain', 'gamma'];

/** What the native core needs of a target: its kind, and the vector of kinds that have one. */
export interface NativeTarget {
  kind: 'norm' | 'direction' | 'similarity';
  vector: Float32Array | null;
}

/** Side of the box mean over a map for its picture: gradients are noise from pixel to pixel. */
const SMOOTH = { gradients: 7, cam: 1, sensitivity: 5 } as const;

export interface AttributionParts {
  native: NativeAddon;
  embedder: NativeEmbedder;
  tileSize: number;
  target: NativeTarget;
  settings: AttributeSettings;
}

export async function attributeBatch(
  { pixels, count }: PixelBatch,
  { native, embedder, tileSize, target, settings }: AttributionParts,
): Promise<TileAttribution[]> {
  const { methods, baseline, steps, stage, overlays } = settings;
  const area = tileSize * tileSize;
  const found: TileAttribution[] = Array.from({ length: count }, () => ({}));
  /** One picture a tile, of maps [count,area]. */
  const draw = async (map: Float32Array, diverging: boolean, smooth: number): Promise<RawTile[]> => {
    const drawn = await native.attributionOverlay(pixels, count, tileSize, map, diverging, smooth);
    return found.map((_, i) => ({
      data: drawn.slice(3 * area * i, 3 * area * (i + 1)),
      width: tileSize,
      height: tileSize,
      channels: 3,
    }));
  };
  for (const method of ['gradients', 'cam'] as const) {
    if (!methods.includes(method)) continue;
    const options = { method, target: target.kind, baseline, steps, stage };
    const { map, value, baselineValue } = await embedder.attribute(pixels, count, options, target.vector);
    const pictures = overlays ? await draw(map, method === 'gradients', SMOOTH[method]) : [];
    for (const [i, tile] of found.entries()) {
      const picture = pictures[i];
      const common = {
        map: map.slice(area * i, area * (i + 1)),
        value: value[i] as number,
        ...(picture && { overlay: picture }),
      };
      if (method === 'cam') tile.cam = common;
      else tile.gradients = { ...common, baselineValue: baselineValue[i] as number };
    }
  }
  if (methods.includes('sensitivity')) {
    const { length, norm, maps } = await embedder.sensitivity(pixels, count);
    const parts = found.map(() => ({}) as NonNullable<TileAttribution['sensitivity']>);
    for (const [k, direction] of DIRECTIONS.entries()) {
      const of = (i: number) => maps.slice(area * (4 * i + k), area * (4 * i + k + 1));
      const map = new Float32Array(area * count);
      for (let i = 0; i < count; i++) map.set(of(i), area * i);
      const pictures = overlays ? await draw(map, true, SMOOTH.sensitivity) : [];
      for (const [i, part] of parts.entries()) {
        const picture = pictures[i];
        const size = length[4 * i + k] as number;
        const relative = size / Math.max(norm[i] as number, Number.MIN_VALUE);
        part[direction] = { length: size, relative, map: of(i), ...(picture && { overlay: picture }) };
      }
    }
    for (const [i, tile] of found.entries()) tile.sensitivity = parts[i] as (typeof parts)[number];
  }
  return found;
}

/** Colours of the legend's bars: the knots of native/src/infer/overlay.cpp. */
const DIVERGING = ['#2166ac', '#67a9cf', '#d1e5f0', '#f7f7f7', '#fddbc7', '#ef8a62', '#b2182b'];
const SEQUENTIAL = [
  '#440154',
  '#482878',
  '#3e4a89',
  '#31688e',
  '#26828e',
  '#1f9e89',
  '#35b779',
  '#6dcd59',
  '#b4de2c',
  '#fde725',
];
const GAP = 6;
const HEAD = 22;
const LEGEND = 40;
const LEAST_CELL = 128;

/**
 * A contact sheet of attributions with overlays: a row for each tile, the tile itself first, then a column for each map, and
 * a legend.
 *
 * @returns A PNG image.
 *
 * @throws STAINFOLD_OPTION where there are no tiles, or no overlays (`attribute(tiles, { overlays: true })`).
 */
export async function attributionSheet(
  tiles: readonly RawTile[],
  attributions: readonly TileAttribution[],
): Promise<Uint8Array> {
  const rows = attributions.map((tile) => columnsOf(tile));
  const [first] = rows;
  if (
    first === undefined ||
    tiles.length !== rows.length ||
    first.some(({ picture }) => picture === undefined)
  ) {
    throw new StainfoldError(
      'STAINFOLD_OPTION',
      `A sheet needs as many tiles as attributions, with overlays; got ${tiles.length} and ${rows.length}`,
      { hint: 'Call attribute(tiles, { overlays: true }) on the same tiles.' },
    );
  }
  const side = Math.max(LEAST_CELL, (tiles[0] as RawTile).width);
  const titles = ['tile', ...first.map(({ title }) => title)];
  const width = titles.length * (side + GAP) + GAP;
  const height = HEAD + rows.length * (side + GAP) + LEGEND;
  const place = async (picture: RawTile, column: number, row: number): Promise<OverlayOptions> => ({
    input: await sharp(await encodePng(picture))
      .resize(side, side, { kernel: 'nearest' })
      .png()
      .toBuffer(),
    left: GAP + column * (side + GAP),
    top: HEAD + row * (side + GAP),
  });
  const placed = await Promise.all(
    rows.flatMap((row, r) => [
      place(tiles[r] as RawTile, 0, r),
      ...row.map(({ picture }, c) => place(picture as RawTile, c + 1, r)),
    ]),
  );
  const notes = rows.flatMap((row, r) =>
    row.map(({ note }, c) =>
      note === ''
        ? ''
        : label(note, GAP + (c + 1) * (side + GAP) + 4, HEAD + r * (side + GAP) + side - 5, '#fff', 'stroke'),
    ),
  );
  const bar = (colours: string[], x: number, left: string, right: string) => {
    const y = HEAD + rows.length * (side + GAP) + 6;
    const step = 160 / colours.length;
    const boxes = colours.map(
      (colour, i) =>
        `<rect x="${x + i * step}" y="${y}" width="${step + 0.5}" height="12" fill="${colour}"/>`,
    );
    return boxes.join('') + label(left, x, y + 26) + label(right, x + 160, y + 26, '#222', 'end');
  };
  const words =
    titles.map((title, c) => label(title, GAP + c * (side + GAP), 15)).join('') +
    notes.join('') +
    bar(DIVERGING, GAP, 'lowers', 'raises') +
    bar(SEQUENTIAL, GAP + 200, '0', 'most (Grad-CAM)');
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${words}</svg>`;
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([...placed, { input: Buffer.from(svg), left: 0, top: 0 }])
    .png()
    .toBuffer();
}

function columnsOf({ gradients, cam, sensitivity }: TileAttribution) {
  const columns: { title: string; picture: RawTile | undefined; note: string }[] = [];
  if (gradients) columns.push({ title: 'integrated gradients', picture: gradients.overlay, note: '' });
  if (cam) columns.push({ title: 'Grad-CAM', picture: cam.overlay, note: '' });
  if (sensitivity) {
    for (const direction of DIRECTIONS) {
      const { overlay, relative } = sensitivity[direction];
      columns.push({
        title: `d z / d ${direction}`,
        picture: overlay,
        note: `${(100 * relative).toFixed(0)} % of |z|`,
      });
    }
  }
  return columns;
}

function label(
  text: string,
  x: number,
  y: number,
  fill = '#222',
  style: 'plain' | 'end' | 'stroke' = 'plain',
): string {
  const anchor = style === 'end' ? ' text-anchor="end"' : '';
  const stroke = style === 'stroke' ? ' stroke="#000" stroke-width="2.5" paint-order="stroke"' : '';
  return `<text x="${x}" y="${y}" font-family="DejaVu Sans, Helvetica, sans-serif" font-size="11" fill="${fill}"${anchor}${stroke}>${text}</text>`;
}
