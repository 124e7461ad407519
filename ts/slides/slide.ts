/** A slide: levels chosen, regions split where they are large, the end of its life kept. */
import { basename, extname } from 'node:path';
import { StainfoldError } from '../errors.js';
import type { NativeSlideGeometry } from '../internal/native-slide.js';
import type { RawTile, Slide, SlideLevel, SlideReadOptions, SlideRegion } from '../types.js';
import type { Backend } from './backend.js';
import { toSrgb } from './icc.js';

/** A level may be this much coarser than what is asked for: magnified by 2 % it saves reading 4 or 16 times the pixels. */
const MOST_MAGNIFIED = 1.02;
/** Level pixels that one render rests on: 48 MiB, and as much again for the tiles that they come from. */
const MOST_SOURCE_PIXELS = 2 ** 24;

/** Width, height of the output in pixels and its corner and scale, all in level-0 pixels. */
interface View {
  x: number;
  y: number;
  /** Level-0 pixels per output pixel. */
  downsample: number;
  width: number;
  height: number;
}

export class OpenedSlide implements Slide {
  readonly path: string;
  readonly name: string;
  readonly mpp: number | null;
  readonly mppSource: Slide['mppSource'];
  readonly #backend: Backend;
  readonly #icc: boolean;
  readonly #reads = new Set<Promise<unknown>>();
  #disposal: Promise<void> | undefined;

  constructor(
    path: string,
    backend: Backend,
    { mpp, icc }: { mpp: { value: number; source: 'option' | 'csv' } | undefined; icc: boolean },
  ) {
    this.path = path;
    this.name = basename(path, extname(path));
    this.mpp = mpp?.value ?? backend.mpp;
    this.mppSource = mpp?.source ?? (backend.mpp === null ? null : 'file');
    this.#backend = backend;
    this.#icc = icc;
  }

  get backend(): Slide['backend'] {
    return this.#backend.kind;
  }

  get vendor(): string {
    return this.#backend.vendor;
  }

  get levels(): readonly SlideLevel[] {
    return this.#backend.levels;
  }

  get width(): number {
    return (this.levels[0] as SlideLevel).width;
  }

  get height(): number {
    return (this.levels[0] as SlideLevel).height;
  }

  get objectivePower(): number | null {
    return this.#backend.objectivePower;
  }

  get associated(): readonly string[] {
    return this.#backend.associated;
  }

  get hasIccProfile(): boolean {
    return this.#backend.icc !== undefined;
  }

  async readRegion(region: SlideRegion, { signal }: SlideReadOptions = {}): Promise<RawTile> {
    this.#requireOpen();
    checkRegion(region, this.levels.length);
    const { x, y, width, height, mpp, level } = region;
    if (mpp === undefined) {
      const { downsample } = this.levels[level ?? 0] as SlideLevel;
      return this.#view({ x, y, width, height, downsample }, signal, level ?? 0);
    }
    return this.#view({ x, y, width, height, downsample: mpp / requireMpp(this) }, signal);
  }

  async thumbnail(maxSide: number, { signal }: SlideReadOptions = {}): Promise<RawTile> {
    this.#requireOpen();
    if (!(Number.isInteger(maxSide) && maxSide >= 1 && maxSide <= 16_384)) {
      throw new StainfoldError(
        'STAINFOLD_OPTION',
        `maxSide must be an integer from 1 to 16384, got ${maxSide}`,
      );
    }
    const downsample = Math.max(1, Math.max(this.width, this.height) / maxSide);
    const side = (full: number): number => Math.max(1, Math.round(full / downsample));
    return this.#view({ x: 0, y: 0, width: side(this.width), height: side(this.height), downsample }, signal);
  }

  dispose(): Promise<void> {
    this.#disposal ??= Promise.allSettled(this.#reads).then(() => this.#backend.close());
    return this.#disposal;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #requireOpen(): void {
    if (this.#disposal) throw new StainfoldError('STAINFOLD_DISPOSED', `${this.path} was disposed`);
  }

  /** `level`: read from this one; by default from the best. */
  async #view(view: View, signal: AbortSignal | undefined, level = this.#bestLevel(view)): Promise<RawTile> {
    signal?.throwIfAborted();
    const reading = this.#render(view, level, signal);
    this.#reads.add(reading);
    try {
      return await reading;
    } finally {
      this.#reads.delete(reading);
    }
  }

  async #render(view: View, level: number, signal: AbortSignal | undefined): Promise<RawTile> {
    const { downsample: from } = this.levels[level] as SlideLevel;
    const { width, height } = view;
    const scale = view.downsample / from;
    const geometry = { x: view.x / from, y: view.y / from, scale: nearlyOne(scale), width, height };
    const data = await this.#inBlocks(level, geometry, signal);
    const image: RawTile = { data, width, height, channels: 3 };
    const profile = this.#icc ? this.#backend.icc : undefined;
    return profile ? toSrgb(image, profile, this.path) : image;
  }

  /** A region that rests on more pixels than memory should hold is made of blocks, one after the other. */
  async #inBlocks(
    level: number,
    geometry: NativeSlideGeometry,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const { x, y, scale, width, height } = geometry;
    const side = Math.max(1, Math.floor(Math.sqrt(MOST_SOURCE_PIXELS) / Math.max(1, scale)));
    if (width * height <= side * side) return this.#backend.render(level, geometry);
    const into = new Uint8Array(width * height * 3);
    for (let top = 0; top < height; top += side) {
      for (let left = 0; left < width; left += side) {
        signal?.throwIfAborted();
        const size = { width: Math.min(side, width - left), height: Math.min(side, height - top) };
        const block = await this.#backend.render(level, {
          x: x + left * scale,
          y: y + top * scale,
          scale,
          ...size,
        });
        for (let row = 0; row < size.height; row++) {
          const line = block.subarray(row * size.width * 3, (row + 1) * size.width * 3);
          into.set(line, ((top + row) * width + left) * 3);
        }
      }
    }
    return into;
  }

  /** The coarsest that need not be magnified. */
  #bestLevel({ downsample }: View): number {
    let best = 0;
    for (const [index, level] of this.levels.entries()) {
      if (level.downsample <= downsample * MOST_MAGNIFIED) best = index;
    }
    return best;
  }
}

/** The slide's micrometres per level-0 pixel. Throws STAINFOLD_SLIDE_MPP. */
export function requireMpp({ path, mpp }: Pick<Slide, 'path' | 'mpp'>): number {
  if (mpp !== null) return mpp;
  throw new StainfoldError('STAINFOLD_SLIDE_MPP', `${path} does not say how large its pixels are`);
}

/** A wanted resolution that is a level's but for rounding is read without resampling. */
function nearlyOne(scale: number): number {
  return Math.abs(scale - 1) < 1e-5 ? 1 : scale;
}

const KEYS = new Set(['x', 'y', 'width', 'height', 'mpp', 'level']);

function checkRegion(region: SlideRegion, levels: number): void {
  const refuse = (detail: string): never => {
    throw new StainfoldError('STAINFOLD_OPTION', detail);
  };
  const unknown = Object.keys(region).find((key) => !KEYS.has(key));
  if (unknown !== undefined) {
    throw new StainfoldError('STAINFOLD_OPTION_UNKNOWN', `There is no option '${unknown}' of a region`);
  }
  const { x, y, width, height, mpp, level } = region;
  if (!Number.isFinite(x) || !Number.isFinite(y))
    refuse(`x and y must be finite numbers, got ${String(x)}, ${String(y)}`);
  for (const [name, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (!(Number.isInteger(side) && side >= 1 && side <= 32_768))
      refuse(`${name} must be an integer from 1 to 32768, got ${String(side)}`);
  }
  if (mpp !== undefined && level !== undefined) refuse('mpp and level were both given: one of them says it');
  if (mpp !== undefined && !(mpp > 0 && Number.isFinite(mpp)))
    refuse(`mpp must be a number above 0, got ${String(mpp)}`);
  if (level !== undefined && !(Number.isInteger(level) && level >= 0 && level < levels))
    refuse(`level must be an integer from 0 to ${levels - 1}, got ${String(level)}`);
}
