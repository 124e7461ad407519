/** Pixel sizes by slide, from a CSV. */
import { readFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { readError } from '../data/file-errors.js';
import { StainfoldError } from '../errors.js';

/** The micrometres per pixel of a slide; undefined where the CSV does not list it. Throws STAINFOLD_MANIFEST naming the line. */
export async function mppFromFile(csv: string, slide: string): Promise<number | undefined> {
  const fail = (detail: string): StainfoldError =>
    new StainfoldError('STAINFOLD_MANIFEST', `${csv}: ${detail}`, {
      hint: 'Give a CSV with the columns slide and mpp: a file name and micrometres per pixel.',
    });
  let rows: Record<string, string>[];
  try {
    const columns = (header: string[]) => {
      if (!header.includes('slide') || !header.includes('mpp')) throw fail('it has no columns slide and mpp');
      return header;
    };
    rows = parse(await readFile(csv), { bom: true, columns, skip_empty_lines: true, trim: true });
  } catch (cause) {
    throw cause instanceof CsvError ? fail(cause.message) : readError(csv, cause);
  }
  const names = new Set([basename(slide), basename(slide, extname(slide))]);
  for (const [index, row] of rows.entries()) {
    if (!names.has(row.slide ?? '')) continue;
    const mpp = Number(row.mpp);
    if (!(mpp >= 0.01 && mpp <= 100))
      throw fail(`line ${index + 2}: '${row.mpp}' is no number of micrometres from 0.01 to 100`);
    return mpp;
  }
  return undefined;
}
