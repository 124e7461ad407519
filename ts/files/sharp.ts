/**
 * The way to sharp, which is loaded when the first picture is touched: where it does not load, `setup` and `doctor` still run, and who
 * needs it gets an error with a remedy.
 */
import { createRequire } from 'node:module';
import type { Sharp, SharpConstructor, SharpInput, SharpOptions } from 'sharp';
import { StainfoldError } from '../errors.js';

const require = createRequire(import.meta.url);

let loaded: SharpConstructor | undefined;

/** As sharp's own function. */
export function sharp(input?: SharpInput | SharpInput[] | SharpOptions, options?: SharpOptions): Sharp {
  return loadSharp()(input as SharpInput, options);
}

/** @throws STAINFOLD_SHARP; a failure is not remembered. */
export function loadSharp(): SharpConstructor {
  if (loaded) return loaded;
  let found: SharpConstructor;
  try {
    const module = require('sharp') as SharpConstructor & { default?: SharpConstructor };
    found = module.default ?? module;
  } catch (error) {
    const said = error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
    throw new StainfoldError('STAINFOLD_SHARP', `sharp cannot be loaded: ${said}`, {
      cause: error,
      ...(process.versions.pnp && { hint: PLUG_AND_PLAY }),
    });
  }
  // Tiles are small: parallelism comes from several images at once, not from threads within one. libvips' cache of open
  // files would grow with the number of tiles and return stale pixels for a file that was replaced.
  found.concurrency(1);
  found.cache(false);
  loaded = found;
  return found;
}

/** sharp looks for its library under the folder name that Yarn gives packages of npm's own registry. */
const PLUG_AND_PLAY =
  "Yarn's Plug'n'Play keeps them apart: put 'nodeLinker: node-modules' into .yarnrc.yml, and run 'yarn install'.";
