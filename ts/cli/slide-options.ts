/** Options of the commands that read whole slides. */
import type { Command } from 'commander';
import type { SlideOptions, TilingOptions } from '../index.js';
import { integer, number, oneOf } from './parse.js';

export interface ReadingFlags {
  mpp?: number;
  mppFile?: string;
  backend?: NonNullable<SlideOptions['backend']>;
  icc?: true;
}

export interface TilingFlags {
  tileSize?: number;
  tileMpp?: number;
  overlap?: number;
  minTissue?: number;
  regions?: string;
  limit?: number;
  sample?: number;
  seed?: number;
}

export function addReading(command: Command): Command {
  return command
    .option(
      '--mpp <µm>',
      'micrometres per level-0 pixel, where a slide does not say or says wrong',
      number(0.01, 100),
    )
    .option('--mpp-file <csv>', 'the same for each slide: columns slide and mpp')
    .option(
      '--backend <name>',
      'auto, tiff, openslide or image (default: auto)',
      oneOf('auto', 'tiff', 'openslide', 'image'),
    )
    .option('--icc', "apply the slide's colour profile");
}

/** `size`: what a tile's side is by default. */
export function addTiling(command: Command, size = "the model's"): Command {
  return command
    .option('--tile-size <px>', `side of a tile (default: ${size})`, integer(8, 8192))
    .option('--tile-mpp <µm>', 'micrometres per pixel of the tiles (default: 0.5)', number(0.01, 100))
    .option('--overlap <px>', 'pixels that neighbouring tiles share (default: 0)', integer(0, 8191))
    .option('--min-tissue <share>', 'least share of a tile that is tissue (default: 0.5)', number(0, 1))
    .option(
      '--regions <path>',
      'tile these regions instead of what looks like tissue: a GeoJSON, or a folder of <slide>.geojson',
    )
    .option('--limit <n>', 'tiles of a slide at most, from the top', integer(1))
    .option('--sample <n>', 'tiles of a slide drawn at random', integer(1))
    .option('--seed <n>', 'of --sample (default: 1)', integer(0));
}

export function readingOf({ mpp, mppFile, backend, icc }: ReadingFlags): Omit<SlideOptions, 'signal'> {
  return {
    ...(mpp !== undefined && { mpp }),
    ...(mppFile && { mppFile }),
    ...(backend && { backend }),
    ...(icc && { icc }),
  };
}

export function tilingOf({
  tileMpp,
  ...flags
}: TilingFlags): Omit<TilingOptions, 'signal' | 'onProgress' | 'quality'> {
  const names = ['tileSize', 'overlap', 'minTissue', 'regions', 'limit', 'sample', 'seed'] as const;
  const given = names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]);
  return { ...Object.fromEntries(given), ...(tileMpp !== undefined && { mpp: tileMpp }) };
}
