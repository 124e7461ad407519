/** What files say of how a slide was tiled and by what it was embedded, under the names that docs/slides.md lists. */
import type { TileGeometry } from '../types.js';
import { level0Size } from './layouts.js';

export function facts(geometry: TileGeometry | undefined, encoder: string): Record<string, string | number> {
  if (geometry === undefined) return { encoder };
  const { slide, width, height, mpp, tileSize, tileMpp, overlap } = geometry;
  return {
    slide,
    width,
    height,
    mpp,
    tile_size: tileSize,
    tile_mpp: tileMpp,
    tile_size_level0: level0Size(geometry),
    overlap: overlap ?? 0,
    encoder,
  };
}
