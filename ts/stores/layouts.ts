/**
 * The HDF5 files of TRIDENT, CLAM and STAMP: datasets, types, shapes and attributes as those tools write them, so that what
 * reads theirs reads ours. docs/slides.md has the table.
 */
import { StainfoldError } from '../errors.js';
import type { FeatureLayout, FeaturePrecision, TileGeometry } from '../types.js';
import { type Hdf5Dataset, hdf5File } from './hdf5.js';
import type { Hdf5Attribute } from './hdf5-messages.js';
import { type FeatureSource, featureBytes, plainCoords, scaledCoords, wideCoords } from './source.js';

/** What a file of features says beside them. */
export interface Description {
  layout: FeatureLayout;
  precision: FeaturePrecision;
  geometry: TileGeometry | undefined;
  encoder: string;
  /** Where the file is put: two of the layouts say it. */
  folder: string;
  attributes: Record<string, string | number>;
}

/** The newest release whose files these are like: STAMP refuses files of a release newer than itself. */
const STAMP_VERSION = '2.3.0';

/** What a layout holds, where it leaves no choice. */
const PRECISIONS: Readonly<Record<FeatureLayout, FeaturePrecision | undefined>> = {
  plain: undefined,
  trident: undefined, // the encoder's own
  clam: 'fp32',
  stamp: 'fp16',
};

/** @throws STAINFOLD_OPTION where the layout has another precision than the one asked for. */
export function precisionOf(layout: FeatureLayout, wanted: FeaturePrecision | undefined): FeaturePrecision {
  const fixed = PRECISIONS[layout];
  if (fixed === undefined || wanted === undefined || wanted === fixed) return wanted ?? fixed ?? 'fp32';
  throw new StainfoldError('STAINFOLD_OPTION', `Layout ${layout} holds ${fixed}, not ${wanted}`, {
    hint: `Leave precision out, or choose layout plain or trident.`,
  });
}

/** Side of a tile in level-0 pixels. */
export const level0Size = ({ tileSize, tileMpp, mpp }: TileGeometry): number =>
  Math.round((tileSize * tileMpp) / mpp);

/** The objective's power that scanners mean by a pixel size, as TRIDENT tells it. */
export function magnification(mpp: number): number {
  const steps = [
    [0.16, 80],
    [0.2, 60],
    [0.3, 40],
    [0.6, 20],
    [1.2, 10],
  ] as const;
  return steps.find(([below]) => mpp < below)?.[1] ?? 5;
}

export function hdf5Features(source: FeatureSource, description: Description): AsyncIterable<Uint8Array> {
  const { layout } = description;
  if (layout === 'plain') return plain(source, description);
  const { geometry } = description;
  if (geometry === undefined) {
    throw new StainfoldError('STAINFOLD_OPTION', `Layout ${layout} needs geometry, how the slide was tiled`, {
      hint: 'Give geometry (slide, width, height, mpp, tileSize, tileMpp), or choose layout plain.',
    });
  }
  return { trident, clam, stamp }[layout](source, { ...description, geometry });
}

type Located = Description & { geometry: TileGeometry };

function features(
  source: FeatureSource,
  { precision }: Pick<Description, 'precision'>,
  name = 'features',
  chunked = true,
): Hdf5Dataset {
  const type = precision === 'fp16' ? 'f2' : 'f4';
  const data = () => featureBytes(source, precision);
  return { name, type, shape: [source.rows, source.columns], chunked, data };
}

const coords = (source: FeatureSource): Hdf5Dataset => ({
  name: 'coords',
  type: 'i8',
  shape: [source.rows, 2],
  chunked: true,
  data: () => wideCoords(source),
});

function plain(source: FeatureSource, description: Description): AsyncIterable<Uint8Array> {
  const facts = Object.entries(description.attributes).map(([name, value]): [string, Hdf5Attribute] => [
    name,
    typeof value === 'string' ? value : Number.isInteger(value) ? { int: value } : { real: value },
  ]);
  return hdf5File([features(source, description), coords(source)], Object.fromEntries(facts));
}

function trident(source: FeatureSource, description: Located): AsyncIterable<Uint8Array> {
  const { geometry, encoder, folder } = description;
  const of = { name: geometry.slide, savetodir: folder, encoder };
  return hdf5File([
    { ...features(source, description), attributes: of },
    { ...coords(source), attributes: tridentCoords(geometry) },
  ]);
}

function tridentCoords(geometry: TileGeometry): Record<string, Hdf5Attribute> {
  return {
    patch_size: { int: geometry.tileSize },
    patch_size_level0: { int: level0Size(geometry) },
    level0_magnification: { int: magnification(geometry.mpp) },
    target_magnification: { int: magnification(geometry.tileMpp) },
    overlap: { int: geometry.overlap ?? 0 },
    name: geometry.slide,
    level0_width: { int: geometry.width },
    level0_height: { int: geometry.height },
  };
}

function clam(source: FeatureSource, description: Located): AsyncIterable<Uint8Array> {
  const narrow: Hdf5Dataset = { ...coords(source), type: 'i4', data: () => plainCoords(source) };
  return hdf5File([features(source, description), narrow]);
}

function stamp(source: FeatureSource, description: Located): AsyncIterable<Uint8Array> {
  const { geometry, encoder } = description;
  const micrometres: Hdf5Dataset = {
    ...coords(source),
    type: 'f4',
    chunked: false,
    data: () => scaledCoords(source, geometry.mpp),
  };
  return hdf5File([features(source, description, 'feats', false), micrometres], {
    stamp_version: STAMP_VERSION,
    extractor: encoder,
    unit: 'um',
    tile_size_um: { real: geometry.tileSize * geometry.tileMpp },
    tile_size_px: { int: geometry.tileSize },
    code_hash: String(description.attributes.model_digest ?? ''),
    feat_type: 'tile',
  });
}

/**
 * The file of coordinates alone that TRIDENT and CLAM keep beside the features, for their heatmaps; undefined for other layouts.
 * `folder`: where it is put.
 */
export function hdf5Patches(
  source: FeatureSource,
  { layout, geometry }: Pick<Description, 'layout' | 'geometry'>,
  folder: string,
): AsyncIterable<Uint8Array> | undefined {
  if (geometry === undefined) return undefined;
  if (layout === 'trident') return hdf5File([{ ...coords(source), attributes: tridentCoords(geometry) }]);
  if (layout !== 'clam') return undefined;
  const { slide, width, height } = geometry;
  const attributes: Record<string, Hdf5Attribute> = {
    // Seldom has a level the target's pixel size; on level 0 tiles are whole pixels.
    patch_size: { int: level0Size(geometry) },
    patch_level: { int: 0 },
    downsample: { real: [1, 1] },
    downsampled_level_dim: { int: [width, height] },
    level_dim: { int: [width, height] },
    name: slide,
    save_path: folder,
  };
  const narrow: Hdf5Dataset = { ...coords(source), type: 'i4', data: () => plainCoords(source), attributes };
  return hdf5File([narrow]);
}
