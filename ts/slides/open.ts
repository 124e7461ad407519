/** Which backend reads a slide. */
import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { readError } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';
import type { NativeSlides } from '../internal/native-slide.js';
import type { SlideBackend } from '../types.js';
import '../data/decode.js'; // sharp's threads and cache are set there
import type { Backend } from './backend.js';
import { openImage } from './image-backend.js';
import { openWithOpenSlide } from './openslide-backend.js';
import { openTiff } from './tiff-backend.js';

type Kind = 'tiff' | 'picture' | 'dicom' | 'other';

/** Throws STAINFOLD_SLIDE_FORMAT, STAINFOLD_SLIDE_READ, STAINFOLD_OPENSLIDE_MISSING, STAINFOLD_FILE_NOT_FOUND, STAINFOLD_FILE_READ. */
export async function openBackend(
  path: string,
  native: NativeSlides,
  wanted: 'auto' | SlideBackend,
  cacheBytes: number,
): Promise<Backend> {
  const kind = await sniff(path);
  if (wanted === 'openslide') return openslide(path, native, cacheBytes, kind);
  if (wanted === 'image') return openImage(path, native);
  if (kind === 'tiff') {
    const opened = await openTiff(path, native, cacheBytes);
    if ('backend' in opened) return opened.backend;
    const { reason, strips } = opened.refusal;
    if (wanted === 'tiff') {
      throw new StainfoldError('STAINFOLD_SLIDE_FORMAT', `${path} cannot be read as tiled TIFF: ${reason}`);
    }
    if (strips) return openImage(path, native);
    return openslide(path, native, cacheBytes, kind, reason);
  }
  if (wanted === 'tiff') throw new StainfoldError('STAINFOLD_SLIDE_FORMAT', `${path} is no TIFF`);
  return kind === 'picture' ? openImage(path, native) : openslide(path, native, cacheBytes, kind);
}

/** OpenSlide's refusals, said with what we know of the file. */
async function openslide(
  path: string,
  native: NativeSlides,
  cacheBytes: number,
  kind: Kind,
  reason?: string,
): Promise<Backend> {
  try {
    return await openWithOpenSlide(path, native, cacheBytes);
  } catch (error) {
    if (!(error instanceof StainfoldError)) throw error;
    if (error.code === 'STAINFOLD_OPENSLIDE_MISSING') {
      const needs = `${path} needs OpenSlide${reason ? `, since ${reason}` : ''}`;
      throw new StainfoldError(error.code, `${needs}; ${withoutHint(error)}`, { cause: error });
    }
    if (error.code !== 'STAINFOLD_SLIDE_FORMAT') throw error;
    if (kind === 'dicom') {
      throw new StainfoldError(
        error.code,
        `${path} is DICOM, which OpenSlide reads from version 4.0 on; ${withoutHint(error)}`,
        {
          cause: error,
          hint: 'Install OpenSlide 4 (openslide.org); STAINFOLD_OPENSLIDE names its library.',
        },
      );
    }
    if (reason === undefined) throw error;
    throw new StainfoldError(error.code, `${path} cannot be read: ${reason}; ${withoutHint(error)}`, {
      cause: error,
    });
  }
}

const withoutHint = ({ message, hint }: StainfoldError): string =>
  message.endsWith(hint) ? message.slice(0, -hint.length).replace(/[.\s]+$/, '') : message;

const PICTURES: readonly (readonly [offset: number, bytes: string])[] = [
  [0, '\xff\xd8\xff'], // JPEG
  [0, '\x89PNG\r\n'],
  [8, 'WEBP'],
  [0, 'GIF8'],
];

async function sniff(path: string): Promise<Kind> {
  const head = Buffer.alloc(132);
  try {
    const file = await open(path, 'r');
    try {
      if ((await file.stat()).isDirectory()) throw new Error('it is a folder');
      await file.read(head, 0, head.length, 0);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw readError(path, cause);
  }
  const says = (offset: number, bytes: string): boolean =>
    head.toString('latin1', offset, offset + bytes.length) === bytes;
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((bytes) => says(0, bytes))) return 'tiff';
  if (says(128, 'DICM') || extname(path).toLowerCase() === '.dcm') return 'dicom';
  return PICTURES.some(([offset, bytes]) => says(offset, bytes)) ? 'picture' : 'other';
}
