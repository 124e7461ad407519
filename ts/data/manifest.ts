/** CSV manifests: a header line, a `file` column, any label columns. Quotes, BOM and CRLF are understood. */
import { createReadStream } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CsvError, parse } from 'csv-parse';
import { StainfoldError } from '../errors.js';
import { readError } from './file-errors.js';

export interface ManifestRow {
  /** As written. */
  file: string;
  /** Absolute. */
  path: string;
  labels: Record<string, string>;
  /** 1-based line of the CSV. */
  line: number;
}

export interface Manifest {
  /** Label columns, without `file`. */
  columns: string[];
  rows: ManifestRow[];
}

/** Reads the rows that have the values of `where`. Throws STAINFOLD_MANIFEST naming the line. */
export async function readManifest(path: string, where: Record<string, string> = {}): Promise<Manifest> {
  const fail = (detail: string, cause?: unknown): StainfoldError =>
    new StainfoldError('STAINFOLD_MANIFEST', `${path}: ${detail}`, { cause });
  const folder = dirname(resolve(path));
  const rows: ManifestRow[] = [];
  let header: string[] | undefined;
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    trim: true,
  });
  // A chunk is parsed in one go: small ones leave the event loop free.
  const input = createReadStream(path, { highWaterMark: 4096 });
  // An error of the file must end the parser's iteration too; pipe() does not forward it.
  input.on('error', (cause) => parser.destroy(cause));
  try {
    for await (const { record, info } of input.pipe(parser) as AsyncIterable<{
      record: string[];
      info: { lines: number };
    }>) {
      const line = info.lines;
      if (header === undefined) {
        header = checkHeader(record, where, fail);
        continue;
      }
      if (record.length !== header.length) {
        throw fail(`line ${line} has ${record.length} values, the header has ${header.length}`);
      }
      const labels = Object.fromEntries(header.map((name, i) => [name, record[i] as string]));
      if (Object.entries(where).some(([name, value]) => labels[name] !== value)) continue;
      const file = labels.file as string;
      if (file === '') throw fail(`line ${line} has no value in the 'file' column`);
      delete labels.file;
      rows.push({ file, path: resolve(folder, file), labels, line });
    }
  } catch (cause) {
    if (cause instanceof StainfoldError) throw cause;
    if (cause instanceof CsvError) throw fail(cause.message, cause);
    throw readError(path, cause);
  }
  if (header === undefined) throw fail('it is empty');
  return { columns: header.filter((name) => name !== 'file'), rows };
}

function checkHeader(
  header: string[],
  where: Record<string, string>,
  fail: (detail: string) => StainfoldError,
): string[] {
  if (!header.includes('file')) throw fail(`the header has no 'file' column, only ${listed(header)}`);
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw fail(`the header has the column '${twice}' twice`);
  for (const name of Object.keys(where)) {
    if (!header.includes(name))
      throw fail(`there is no column '${name}' to filter by, only ${listed(header)}`);
  }
  return header;
}

const listed = (names: string[]): string => names.map((name) => `'${name}'`).join(', ');
