/** Slides that OpenSlide reads. */
import { StainfoldError } from '../errors.js';
import type {
  NativeOpenSlide,
  NativeOpenSlideDescription,
  NativeSlideGeometry,
  NativeSlides,
} from '../internal/native-slide.js';
import type { SlideLevel } from '../types.js';
import { type Backend, downsampleOf, plausibleMpp, plausiblePower } from './backend.js';

/** STAINFOLD_OPENSLIDE, or what the dynamic linker finds: OpenSlide 4, then 3.4. */
export function openSlideLibraries(): string[] {
  const given = process.env.STAINFOLD_OPENSLIDE;
  if (given) return [given];
  if (process.platform === 'darwin') {
    return ['libopenslide.1.dylib', '/opt/homebrew/lib/libopenslide.1.dylib', 'libopenslide.0.dylib'];
  }
  return ['libopenslide.so.1', 'libopenslide.so.0'];
}

/** Formats of a version, as its documentation lists them. */
export function openSlideFormats(version: string): string {
  const common =
    'Aperio, Hamamatsu (NDPI, VMS, VMU), Leica SCN, MIRAX, Philips TIFF, Sakura, Trestle, Ventana BIF, tiled TIFF';
  return Number.parseInt(version, 10) >= 4 ? `${common}, DICOM, Zeiss CZI` : common;
}

/** Throws STAINFOLD_OPENSLIDE_MISSING; STAINFOLD_SLIDE_FORMAT, STAINFOLD_SLIDE_READ. */
export async function openWithOpenSlide(
  path: string,
  native: NativeSlides,
  cacheBytes: number,
): Promise<Backend> {
  const libraries = openSlideLibraries();
  const slide = new native.OpenSlide({ path, cacheBytes, libraries });
  return new OpenSlideBackend(slide, await slide.open());
}

class OpenSlideBackend implements Backend {
  readonly kind = 'openslide';
  readonly vendor: string;
  readonly levels: readonly SlideLevel[];
  readonly mpp: number | null;
  readonly objectivePower: number | null;
  readonly associated: readonly string[];
  readonly icc: Uint8Array | undefined;
  readonly #slide: NativeOpenSlide;
  readonly #reads = new Set<Promise<unknown>>();

  constructor(slide: NativeOpenSlide, about: NativeOpenSlideDescription) {
    this.vendor = about.vendor;
    const [first] = about.levels as [SlideLevel];
    this.levels = about.levels.map(({ width, height }) => ({
      width,
      height,
      downsample: downsampleOf(first, { width, height }),
    }));
    this.mpp = pixelSize(about.properties);
    this.objectivePower = plausiblePower(Number(about.properties['openslide.objective-power'] ?? Number.NaN));
    this.associated = about.associated;
    this.icc = about.icc.length > 0 ? about.icc : undefined;
    this.#slide = slide;
  }

  async render(level: number, geometry: NativeSlideGeometry): Promise<Uint8Array> {
    if (level >= this.levels.length)
      throw new StainfoldError('STAINFOLD_INTERNAL', `there is no level ${level}`);
    const read = this.#slide.read(level, geometry);
    this.#reads.add(read);
    try {
      return await read;
    } finally {
      this.#reads.delete(read);
    }
  }

  async close(): Promise<void> {
    this.#slide.close();
    await Promise.allSettled(this.#reads);
  }
}

/** OpenSlide's own property, or the resolution of a TIFF, which versions before 4 pass on without drawing the conclusion. */
function pixelSize(properties: Record<string, string>): number | null {
  const number = (name: string): number => Number(properties[name] ?? Number.NaN);
  const stated = (number('openslide.mpp-x') + number('openslide.mpp-y')) / 2;
  if (stated > 0) return plausibleMpp(stated);
  const units: Record<string, number> = { inch: 25_400, centimeter: 10_000 };
  const micrometres = units[properties['tiff.ResolutionUnit'] ?? ''] ?? Number.NaN;
  const across = micrometres / number('tiff.XResolution');
  const down = micrometres / number('tiff.YResolution');
  return plausibleMpp((across + down) / 2);
}
