// Slides without a reader and an encoder without a model: what a tile's features are follows from its place, and from the batch
// it is embedded in, so that a tile done twice, left out, or embedded in another company than before shows in the bytes.
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { embedSlideWith } from '../../lib/api/slide-embed.js';
import { StainfoldError } from '../../lib/index.js';
import { validate } from '../../lib/internal/validate.js';
import { embedSlideSchema } from '../../lib/internal/validate-slide-features.js';

const SIDE = 32;
export const DIMENSIONS = 6;

/** What becomes of a tile, by its index: every 7th is glass, every 31st blurred. */
export const statusOf = (index) => (index % 7 === 3 ? 'background' : index % 31 === 5 ? 'blur' : 'ok');

/**
 * A slide is a file named `<tiles>-whatever.svs`; `<tiles>-bad<n>.svs` cannot be read at tile n.
 *
 * @param script { readMs, events, onRead(index) }
 */
export function fakeReader({ readMs = 0, events = [], onRead } = {}) {
  return {
    async openSlide(path, { mpp = 0.25 } = {}) {
      await stat(path);
      const name = basename(path, '.svs');
      if (/nompp/.test(name)) throw new StainfoldError('STAINFOLD_SLIDE_MPP', `${path} does not say its mpp`);
      events.push(['open', name]);
      const dispose = async () => void events.push(['close', name]);
      const slide = { name, path: resolve(path), width: 40_000, height: 20_000, mpp, dispose };
      return { ...slide, [Symbol.asyncDispose]: dispose };
    },
    async tileSlide(slide, { tileSize, mpp = 0.5, overlap = 0, quality }) {
      if (quality !== false) throw new Error('tiles are checked as they are read, not before');
      const count = Number(slide.name.split('-')[0]);
      if (count === 0) throw new StainfoldError('STAINFOLD_SLIDE_EMPTY', `${slide.path} has no tissue`);
      const coords = Int32Array.from({ length: 2 * count }, (_, i) => (i % 2 ? i >> 1 : 64 * (i >> 1)));
      return { tileSize, mpp, overlap, minTissue: 0.5, slideMpp: slide.mpp, sizeLevel0: 64, count, coords };
    },
    async *slideTiles(slide, { count, coords, tileSize }, { from = 0, quality = true, onUnreadable }) {
      const bad = Number(/bad(\d+)/.exec(slide.name)?.[1] ?? -1);
      for (let index = from; index < count; index++) {
        if (readMs > 0) await sleep(readMs);
        onRead?.(index);
        if (index === bad) {
          if (onUnreadable === undefined)
            throw new StainfoldError('STAINFOLD_SLIDE_READ', `${slide.path} is damaged at tile ${index}`);
          onUnreadable(index, 'damaged');
          continue;
        }
        const pixels = new Uint8Array(tileSize * tileSize * 3).fill(index & 255);
        pixels[0] = index >> 8;
        const status = quality ? statusOf(index) : 'unchecked';
        yield { index, x: coords[2 * index], y: coords[2 * index + 1], status, pixels };
      }
    },
  };
}

/** @param script { batchSize, embedMs, latent, seed } */
export function fakeEncoder(reader, { batchSize = 8, embedMs = 0, seed = 1 } = {}) {
  const calls = [];
  const embed = async (tiles) => {
    if (embedMs > 0) await sleep(embedMs);
    calls.push(tiles.length);
    const company = createHash('sha256');
    for (const pixels of tiles) company.update(pixels);
    const [digit] = company.digest();
    return Float32Array.from(
      tiles.flatMap((pixels) => {
        const index = pixels[0] * 256 + pixels[1];
        return [index, digit, tiles.length, seed, -index, 1];
      }),
    );
  };
  const embedder = { tileSize: SIDE, dimensions: DIMENSIONS, batchSize, embed };
  return {
    info: { tileSize: SIDE, latent: DIMENSIONS, seed },
    device: 'cpu',
    precision: 'fp32',
    calls,
    embedSlide: (slide, options) =>
      embedSlideWith(reader, embedder, slide, validate(embedSlideSchema, options)),
  };
}
