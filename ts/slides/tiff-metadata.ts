/** What a TIFF says of the microscope: pixel size, magnification, and whose format it is. */
import { plausibleMpp, plausiblePower } from './backend.js';
import { TAG, type TiffFile } from './tiff-file.js';
import type { TiffImage } from './tiff-image.js';

/** Tags and words of formats whose tiles are not simply side by side, or not tiles at all. */
const HAMAMATSU_NDPI = 65420;
const XMP = 700;

/** Whose format it is, where our own reader would misread it. */
export async function foreignFormat(file: TiffFile, first: TiffImage): Promise<string | undefined> {
  if (first.directory.entries.has(HAMAMATSU_NDPI)) return 'Hamamatsu NDPI';
  const [software, make, xmp] = await Promise.all(
    [TAG.software, TAG.make, XMP].map((tag) => file.text(first.directory, tag)),
  );
  if (software?.startsWith('Philips')) return 'Philips TIFF';
  if (software?.startsWith('MedScan')) return 'Trestle TIFF';
  if (/iScan/i.test(xmp ?? '') || /ventana/i.test(make ?? '')) return 'Ventana BIF';
  if (/<scn\b/.test(first.description)) return 'Leica SCN';
  return undefined;
}

export interface Microscope {
  vendor: string;
  mpp: number | null;
  objectivePower: number | null;
}

export async function microscope(file: TiffFile, first: TiffImage): Promise<Microscope> {
  const { description } = first;
  if (description.startsWith('Aperio')) {
    return {
      vendor: 'aperio',
      mpp: plausibleMpp(aperioNumber(description, 'MPP')),
      objectivePower: plausiblePower(aperioNumber(description, 'AppMag')),
    };
  }
  if (isOme(description)) return ome(description);
  return { vendor: 'generic-tiff', mpp: await resolution(file, first), objectivePower: null };
}

export function isOme(description: string): boolean {
  return /<(\w{1,64}:)?OME\b/.test(description);
}

/** `|MPP = 0.4990|`; some exporters write a decimal comma. */
function aperioNumber(description: string, name: string): number {
  const found = description.match(new RegExp(`\\|\\s*${name}\\s*=\\s*([\\d.,]+)`));
  return found ? Number((found[1] as string).replace(',', '.')) : Number.NaN;
}

const MICROMETRES: Record<string, number> = { µm: 1, μm: 1, um: 1, nm: 1e-3, mm: 1e3, cm: 1e4, m: 1e6 };

function ome(xml: string): Microscope {
  const pixels = element(xml, 'Pixels');
  const size = (axis: string): number => {
    const unit = attribute(pixels, `PhysicalSize${axis}Unit`) ?? 'µm';
    return Number(attribute(pixels, `PhysicalSize${axis}`) ?? Number.NaN) * (MICROMETRES[unit] ?? Number.NaN);
  };
  const objective = element(xml, 'Objective');
  return {
    vendor: 'ome',
    mpp: plausibleMpp((size('X') + size('Y')) / 2),
    objectivePower: plausiblePower(Number(attribute(objective, 'NominalMagnification') ?? Number.NaN)),
  };
}

/** Characters of the longest tag that is looked into: the patterns of attributes may take its length squared. */
const MOST_TAG = 4096;

/** The first tag of a name, with any prefix; empty where there is none. */
function element(xml: string, name: string): string {
  const start = xml.search(new RegExp(`<(?:\\w{1,64}:)?${name}\\b`));
  if (start === -1) return '';
  const tag = xml.slice(start, start + MOST_TAG);
  return tag.slice(0, tag.indexOf('>') + 1);
}

function attribute(element: string, name: string): string | undefined {
  const found = element.match(new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`));
  return found?.[1] ?? found?.[2];
}

/** Channels that OME-XML tells of but that lie in directories of their own: fluorescence. */
export function omeChannels(xml: string): number {
  const pixels = element(xml, 'Pixels');
  return Number(attribute(pixels, 'SizeC') ?? 1);
}

/** From pixels per inch (unit 2) or centimetre (unit 3). */
async function resolution(file: TiffFile, { directory }: TiffImage): Promise<number | null> {
  const unit = await file.number(directory, TAG.resolutionUnit, 2);
  const micrometres = unit === 2 ? 25_400 : unit === 3 ? 10_000 : Number.NaN;
  const across = await file.number(directory, TAG.xResolution, Number.NaN);
  const down = await file.number(directory, TAG.yResolution, across);
  return plausibleMpp((micrometres / across + micrometres / down) / 2);
}
