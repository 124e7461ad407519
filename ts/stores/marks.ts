/**
 * Marks of completeness: a slide is done when its mark says so and the files it names are there with the bytes it names. A mark is
 * the last thing that is written; that a file exists means nothing.
 */
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../files/atomic.js';
import type { RejectedStatus, SlidePooling } from '../types.js';

/** Where marks, locks and parts are, in the folder of the features. */
export const stateFolder = (home: string): string => join(home, '.stainfold');

export interface Mark {
  version: 1;
  slide: string;
  /** What the features follow from: a difference means that they are another's. */
  plan: unknown;
  /** Relative to the folder of the features; the features first. `bytes` null: a folder, or a file that others write, too. */
  files: { path: string; bytes: number | null }[];
  tiles: number;
  dimensions: number;
  rejected: Partial<Record<RejectedStatus, number>>;
  seconds: number;
  pooling: SlidePooling;
  /** float32, little-endian, base64. */
  pooled: string;
}

const count = z.int().min(0);
/** A vector of no or half a float is another's. */
const vector = z.base64().refine((text) => text.length > 0 && Buffer.from(text, 'base64').length % 4 === 0);
const schema = z.object({
  version: z.literal(1),
  slide: z.string(),
  plan: z.unknown(),
  files: z.array(z.object({ path: z.string(), bytes: count.nullable() })),
  tiles: count,
  dimensions: count,
  rejected: z.record(z.string(), count),
  seconds: z.number(),
  pooling: z.string(),
  pooled: vector,
});

const markPath = (home: string, slide: string): string => join(stateFolder(home), `${slide}.json`);
export const partPath = (home: string, slide: string): string => join(stateFolder(home), `${slide}.part`);

export async function writeMark(
  home: string,
  { files, ...mark }: Omit<Mark, 'version' | 'files'> & { files: string[] },
): Promise<void> {
  await mkdir(stateFolder(home), { recursive: true });
  const sized = await Promise.all(
    files.map(async (path) => ({ path, bytes: await bytesOf(join(home, path)) })),
  );
  const whole: Mark = {
    version: 1,
    ...mark,
    // Beside the features of one encoder, those of another have the same file of coordinates.
    files: sized.map(({ path, bytes }) => ({ path, bytes: path.startsWith('..') ? null : (bytes ?? null) })),
  };
  await writeFileAtomic(markPath(home, mark.slide), JSON.stringify(whole));
}

/** Undefined where there is none, or it is of files that are not there as it says. */
export async function readMark(home: string, slide: string): Promise<Mark | undefined> {
  const mark = await parse(markPath(home, slide));
  if (mark === undefined) return undefined;
  for (const { path, bytes } of mark.files) {
    const found = await bytesOf(join(home, path));
    if (found === undefined || (bytes !== null && found !== bytes)) return undefined;
  }
  return mark;
}

export async function removeMark(home: string, slide: string): Promise<void> {
  await rm(markPath(home, slide), { force: true });
}

/** Of all slides that are complete, by name. */
export async function readMarks(home: string): Promise<Mark[]> {
  const names = await readdir(stateFolder(home)).catch(() => []);
  const slides = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
  const marks = await Promise.all(slides.sort().map((slide) => readMark(home, slide)));
  return marks.filter((mark) => mark !== undefined);
}

async function parse(path: string): Promise<Mark | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8'))) as Mark;
  } catch {
    return undefined; // none, damaged, or of another version: the slide is not known to be complete
  }
}

/** Null for a folder, undefined for nothing. */
async function bytesOf(path: string): Promise<number | null | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  return found.isDirectory() ? null : found.size;
}
