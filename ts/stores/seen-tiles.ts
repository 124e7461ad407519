/**
 * What was seen of a slide's tiles when they were embedded: which were left out and why, and, where they were asked for, their
 * out-of-distribution scores. With it a report needs to read no tile. It lies beside the slide's mark.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../files/atomic.js';
import type { RejectedTile } from '../types.js';
import { stateFolder } from './marks.js';

export interface KeptScores {
  /** Digest of the statistics that the model had. */
  statistics: string;
  /** Of each row of the features. */
  score: number[];
  p: number[];
}

export interface SeenTiles {
  /** Digest of the tiling's corners. */
  tiles: string;
  /** Whether glass, blur, pen and folds were left out. */
  quality: boolean;
  /** Of the model. */
  digest: string;
  rejected: RejectedTile[];
  scores?: KeptScores | undefined;
}

const seenPath = (home: string, slide: string): string => join(stateFolder(home), `${slide}.seen`);

export const digestOf = (coords: Int32Array): string =>
  createHash('sha256')
    .update(new Uint8Array(coords.buffer, coords.byteOffset, coords.byteLength))
    .digest('hex');

export async function writeSeen(home: string, slide: string, seen: SeenTiles): Promise<void> {
  const path = seenPath(home, slide);
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, JSON.stringify({ version: 1, ...seen }));
}

/** Undefined where there is none, or one of other tiles or another model. */
export async function readSeen(
  home: string,
  slide: string,
  { tiles, quality, digest }: Pick<SeenTiles, 'tiles' | 'quality' | 'digest'>,
): Promise<SeenTiles | undefined> {
  try {
    const seen = JSON.parse(await readFile(seenPath(home, slide), 'utf8')) as SeenTiles & { version: number };
    const same = seen.tiles === tiles && seen.quality === quality && seen.digest === digest;
    return seen.version === 1 && same ? seen : undefined;
  } catch {
    return undefined; // the tiles are read again
  }
}
