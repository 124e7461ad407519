/**
 * Tiles of TCGA slides (TCGA-BRCA and its sisters): every path names its slide by the barcode, in the file's name or in a
 * folder's. TCGA-A2-A0CQ-01Z-00-DX1 is project, tissue source site (the hospital), participant, sample type and vial,
 * portion, slide (GDC, "TCGA Barcode").
 */
import { type Adapted, type AdaptedTile, innermostFirst, type SkippedFile } from './layout.js';

const BARCODE =
  /TCGA-([A-Z0-9]{2})-([A-Z0-9]{4})(?:-(\d{2})([A-Z])(?:-(\d{2})(?:-((?:DX|TS|BS|MS)[A-Z0-9]))?)?)?(?![A-Z0-9])/;

export function adaptTcga(files: readonly string[]): Adapted {
  const tiles: AdaptedTile[] = [];
  const skipped: SkippedFile[] = [];
  for (const file of files) {
    const found = innermostFirst(file)
      .map((part) => BARCODE.exec(part))
      .find((match) => match !== null);
    if (!found) {
      skipped.push({ file, reason: 'no TCGA barcode in its name or folders' });
      continue;
    }
    const [slide, site, participant, sample] = found as unknown as [string, string, string, string?];
    tiles.push({
      file,
      labels: { site, patient: `TCGA-${site}-${participant}`, slide, tissue: tissueOf(sample) },
    });
  }
  return { columns: ['site', 'patient', 'slide', 'tissue'], tiles, skipped };
}

/** GDC's sample types: 01 to 09 are tumours, 10 to 19 normal. Empty where the barcode ends before it. */
function tissueOf(sample: string | undefined): string {
  if (sample === undefined) return '';
  return Number(sample) < 10 ? 'tumor' : Number(sample) < 20 ? 'normal' : 'control';
}
