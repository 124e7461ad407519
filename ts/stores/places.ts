/** Where a slide's files go in the folder of the features: flat, or as the tool of a layout looks for them. */
import { join } from 'node:path';
import type { FeatureFormat, FeatureLayout } from '../types.js';
import { magnification } from './layouts.js';
import { EXTENSIONS } from './write.js';

export interface Places {
  /** Of the features, relative to the folder. */
  features: string;
  /** Of the coordinates alone, which TRIDENT and CLAM draw heatmaps by. */
  patches: string | undefined;
}

export interface PlaceOptions {
  format: FeatureFormat;
  layout: FeatureLayout;
  encoder: string;
  /** Of the model: 8 digits of it tell STAMP's folders apart. */
  digest: string;
  tileSize: number;
  tileMpp: number;
  overlap: number;
}

export function placesOf(slide: string, options: PlaceOptions): Places {
  const { format, layout, encoder, digest, tileSize, tileMpp, overlap } = options;
  const file = `${slide}${EXTENSIONS[format]}`;
  if (layout === 'trident') {
    const tiling = `${magnification(tileMpp)}x_${tileSize}px_${overlap}px_overlap`;
    return {
      features: join(tiling, `features_${encoder}`, file),
      patches: join(tiling, 'patches', `${slide}_patches.h5`),
    };
  }
  if (layout === 'clam') return { features: join('h5_files', file), patches: join('patches', file) };
  if (layout === 'stamp') {
    return { features: join(`${encoder}-${digest.slice(0, 8)}`, file), patches: undefined };
  }
  return { features: file, patches: undefined };
}
