/**
 * Packs that are read. A tile of a pack has a path, too: the pack's and its own name behind it, `tiles.pack/a/b.png`, so that it
 * goes wherever a tile's path goes.
 */
import { close, fstat, open, read, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { RawTile } from '../types.js';
import { readError } from './file-errors.js';
import {
  decodePackHeader,
  decodePackManifest,
  HEADER_BYTES,
  type PackManifest,
  packError,
  pixelBytes,
} from './pack-format.js';

export const PACK_EXTENSION = '.pack';

class Pack {
  readonly path: string;
  readonly manifest: PackManifest;
  readonly #file: number;
  readonly #identity: string;
  readonly #places: Map<string, number>;
  /** Tiles whose pixels have been found to be what was written: once is enough. */
  readonly #checked: Uint8Array;
  #reads = 0;
  #replaced = false;

  private constructor(path: string, file: number, identity: string, manifest: PackManifest) {
    this.path = path;
    this.manifest = manifest;
    this.#file = file;
    this.#identity = identity;
    this.#places = new Map(manifest.tiles.file.map((name, i) => [name, i]));
    this.#checked = new Uint8Array(manifest.tiles.file.length);
  }

  static async open(path: string): Promise<Pack> {
    let file: number | undefined;
    try {
      file = await promisify(open)(path, 'r');
      const stats = await promisify(fstat)(file);
      const header = await readExactly(path, file, new Uint8Array(Math.min(HEADER_BYTES, stats.size)), 0);
      const { offset, length, digest } = decodePackHeader(path, header, stats.size);
      const json = await readExactly(path, file, new Uint8Array(length), offset);
      return new Pack(path, file, identityOf(stats), decodePackManifest(path, json, digest, offset));
    } catch (cause) {
      if (file !== undefined) await promisify(close)(file);
      throw readError(path, cause);
    }
  }

  /** The file is still the one that was opened. */
  is(stats: Stats): boolean {
    return this.#identity === identityOf(stats);
  }

  pathOf(file: string): string {
    return `${this.path}${sep}${file}`;
  }

  placeOf(file: string): number | undefined {
    return this.#places.get(file);
  }

  sizeOf(place: number): { width: number; height: number } {
    const { width, height } = this.manifest.tiles;
    return { width: width[place] as number, height: height[place] as number };
  }

  /** Into memory of its own. Throws STAINFOLD_PACK where the pixels are not those that were written; `again`: even if they were. */
  async tile(place: number, again = false): Promise<RawTile> {
    const { width, height } = this.sizeOf(place);
    const { offset, crc32: sums, file } = this.manifest.tiles;
    const into = Buffer.allocUnsafeSlow(pixelBytes(width, height));
    const data = await this.#read(into, offset[place] as number);
    if (again || this.#checked[place] === 0) {
      if (crc32(data) !== sums[place]) {
        throw packError(this.path, `the pixels of ${file[place]} are damaged (CRC-32 differs)`);
      }
      this.#checked[place] = 1;
    }
    return { data, width, height, channels: 3 };
  }

  /** Another file has taken its place: the descriptor is given back once nobody reads. */
  replace(): void {
    this.#replaced = true;
    if (this.#reads === 0) close(this.#file, () => undefined);
  }

  async #read(into: Buffer, offset: number): Promise<Buffer> {
    if (this.#replaced) throw packError(this.path, 'it was replaced while it was read');
    this.#reads++;
    try {
      return await readExactly(this.path, this.#file, into, offset);
    } finally {
      this.#reads--;
      if (this.#replaced && this.#reads === 0) close(this.#file, () => undefined);
    }
  }
}

const identityOf = ({ dev, ino, size, mtimeMs }: Stats): string => [dev, ino, size, mtimeMs].join(':');

/** On libuv's pool; a read may bring less than asked for. */
async function readExactly<Memory extends Uint8Array>(
  path: string,
  file: number,
  into: Memory,
  position: number,
): Promise<Memory> {
  let filled = 0;
  while (filled < into.length) {
    const got = await new Promise<number>((done, fail) => {
      read(file, into, filled, into.length - filled, position + filled, (error, bytes) =>
        error === null ? done(bytes) : fail(readError(path, error)),
      );
    });
    if (got === 0) throw packError(path, 'it was cut off while it was read');
    filled += got;
  }
  return into;
}

/** By absolute path. They stay open: a process reads few packs, each many times. */
const packs = new Map<string, Promise<Pack>>();

/** The pack at this path, opened once; again where another file has taken its place. */
export async function openPack(path: string): Promise<Pack> {
  const absolute = resolve(path);
  const known = packs.get(absolute);
  if (known !== undefined) {
    try {
      const [pack, stats] = await Promise.all([known, stat(absolute)]);
      if (pack.is(stats)) return pack;
      if (packs.get(absolute) === known) pack.replace();
    } catch {
      // tried again below, for the error of today
    }
  }
  const opening = Pack.open(absolute);
  packs.set(absolute, opening);
  opening.catch(() => packs.delete(absolute));
  return opening;
}

/** Which tile of which pack a path names; undefined for other paths. */
export async function packedTile(path: string): Promise<{ pack: Pack; place: number } | undefined> {
  for (const end of packEnds(path)) {
    const prefix = path.slice(0, end);
    const pack = await (packs.get(prefix) ?? packAt(prefix));
    if (pack === undefined) continue;
    const place = pack.placeOf(path.slice(end + 1));
    if (place === undefined) throw packError(pack.path, `it holds no tile ${path.slice(end + 1)}`);
    return { pack, place };
  }
  return undefined;
}

/** The path may name a tile of a pack: cheap, and wrong only for folders named like packs. */
export const mayBePacked = (path: string): boolean => path.includes(`${PACK_EXTENSION}${sep}`);

async function packAt(path: string): Promise<Pack | undefined> {
  const isFile = await stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
  return isFile ? openPack(path) : undefined;
}

function* packEnds(path: string): Generator<number> {
  for (let at = path.indexOf(`${PACK_EXTENSION}${sep}`); at >= 0; ) {
    yield at + PACK_EXTENSION.length;
    at = path.indexOf(`${PACK_EXTENSION}${sep}`, at + 1);
  }
}
