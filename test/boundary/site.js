// One small site for the tests of this folder: tiles of phantom tissue, a slide with tissue, raw pixels.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { generatePhantom, listTiles } from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';

/** Of phantom-tiny. */
export const SIDE = 64;
export const MODEL = 'phantom-tiny';

export async function makeSite() {
  const folder = temporaryFolder('boundary');
  const { manifest } = await generatePhantom({
    out: folder,
    tiles: 12,
    labs: 2,
    tileSize: SIDE,
    device: 'cpu',
    threads: 1,
  });
  const paths = (await listTiles({ tiles: manifest })).tiles.map(({ path }) => path);
  const slide = join(folder, 'slide.tif');
  await sharp(paths[0])
    .resize(512, 512)
    .tiff({ tile: true, pyramid: true, xres: 2000, yres: 2000 })
    .toFile(slide);
  return { folder, manifest, paths, slide };
}

/** -> a RawTile with memory of its own. */
export async function rawTile(path) {
  const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height, channels: 3 };
}

export const encoded = (path) => new Uint8Array(readFileSync(path));
