/**
 * Tiles of Camelyon16 slides (Ehteshami Bejnordi et al., JAMA 2017): normal_001, tumor_001 or test_001 stands in the file's name or
 * in a folder's. Radboud UMC gave 100 normal and 70 tumour slides of the training set, UMC Utrecht 60 and 40; the slides are
 * numbered in that order, and tumor_111 is what was normal_086. The test slides' centre is not in their names.
 */
import { type Adapted, type AdaptedTile, innermostFirst, type SkippedFile } from './layout.js';

const SLIDE = /(?:^|[^a-z])(normal|tumou?r|test)_(\d{1,3})(?!\d)/i;
/** The last slide of Radboud UMC. */
const RADBOUD = { normal: 100, tumor: 70 } as const;
const RENAMED = 111;

/**
 * @param reference Of the test slides, by name: `tumor` or `normal`, from testing/reference.csv.
 */
export function adaptCamelyon16(
  files: readonly string[],
  reference: ReadonlyMap<string, string> = new Map(),
): Adapted {
  const tiles: AdaptedTile[] = [];
  const skipped: SkippedFile[] = [];
  for (const file of files) {
    const parts = innermostFirst(file);
    const found = parts.map((part) => SLIDE.exec(part));
    const depth = found.findIndex((match) => match !== null);
    const [, word = '', digits = ''] = found[depth] ?? [];
    if (depth === -1) {
      skipped.push({ file, reason: 'no normal_NNN, tumor_NNN or test_NNN in its name or folders' });
      continue;
    }
    const kind = word.toLowerCase().replace('tumour', 'tumor') as 'normal' | 'tumor' | 'test';
    const number = Number(digits);
    const slide = `${kind}_${String(number).padStart(3, '0')}`;
    const slideLabel = kind === 'test' ? (reference.get(slide) ?? '') : kind;
    tiles.push({
      file,
      labels: {
        site: siteOf(kind, number),
        slide,
        split: kind === 'test' ? 'testing' : 'training',
        slide_label: slideLabel,
        label: labelOf(slideLabel, parts.slice(0, depth + 1), slide),
      },
    });
  }
  return { columns: ['site', 'slide', 'split', 'slide_label', 'label'], tiles, skipped };
}

/** Empty for a test slide: a labels file has to tell. */
function siteOf(kind: 'normal' | 'tumor' | 'test', number: number): string {
  if (kind === 'test') return '';
  return number <= RADBOUD[kind] || (kind === 'tumor' && number === RENAMED) ? 'Radboud' : 'Utrecht';
}

/** A normal slide's tiles are normal. A tumour slide holds both: the tile's own name, or a folder below the slide's, must say which. */
function labelOf(slideLabel: string, parts: readonly string[], slide: string): string {
  if (slideLabel === 'normal') return 'normal';
  for (const part of parts) {
    const rest = part.toLowerCase().replace(slide, '').replace(SLIDE, '');
    const said = /(?:^|[^a-z])(tumou?r|metastasis|normal)(?![a-z])/.exec(rest)?.[1];
    if (said !== undefined) return said === 'normal' ? 'normal' : 'tumor';
  }
  return '';
}

/** testing/reference.csv: `test_001,Tumor,...` a line. Other lines are passed over. */
export function parseReference(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, number, label] = /^\W*test_(\d+)(?:\.tiff?)?\W*,\W*(tumor|normal)/i.exec(line) ?? [];
    if (number === undefined || label === undefined) continue;
    found.set(`test_${number.padStart(3, '0')}`, label.toLowerCase());
  }
  return found;
}
