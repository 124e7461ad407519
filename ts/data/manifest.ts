/** CSV manifests: a header line, a `file` column, any label columns. Quotes, BOM, CRLF and semicolons or tabs for commas are understood. */
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
  const seen = new Map<string, Set<string>>();
  let header: string[] | undefined;
  const parser = parse({
    bom: true,
    info: true,
    skip_empty_lines: true,
    relax_column_count: true,
    trim: true,
    delimiter: await delimiterOf(path),
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
      if (Object.entries(where).some(([name, value]) => labels[name] !== value)) {
        for (const name of Object.keys(where)) note(seen, name, labels[name] as string);
        continue;
      }
      const file = labels.file as string;
      if (file === '') throw fail(`line ${line} has no value in the 'file' column`);
      delete labels.file;
      rows.push({ file, path: resolve(folder, file), labels, line });
    }
  } catch (cause) {
    if (cause instanceof StainfoldError) throw cause;
    if (cause instanceof CsvError) throw fail(printable(cause.message), cause);
    throw readError(path, cause);
  }
  if (header === undefined) throw fail('it is empty');
  if (rows.length === 0 && seen.size > 0) throw noneWith(path, where, seen);
  return { columns: header.filter((name) => name !== 'file'), rows };
}

const MOST_VALUES = 10;

function note(seen: Map<string, Set<string>>, column: string, value: string): void {
  const values = seen.get(column) ?? new Set();
  if (values.size <= MOST_VALUES) values.add(value);
  seen.set(column, values);
}

/** With the values that there are: most often one of them was meant. */
function noneWith(
  path: string,
  where: Record<string, string>,
  seen: ReadonlyMap<string, ReadonlySet<string>>,
): StainfoldError {
  const filters = Object.entries(where).map(([name, value]) => `${name}=${value}`);
  const known = [...seen].map(([name, values]) => {
    const some = [...values].slice(0, MOST_VALUES).map((value) => `'${value}'`);
    return `${name} is ${some.join(', ')}${values.size > MOST_VALUES ? ', …' : ''}`;
  });
  return new StainfoldError(
    'STAINFOLD_TILES_EMPTY',
    `${path} holds no tiles with ${filters.join(' and ')}: ${known.join('; ')}`,
    { hint: 'Correct --where (where).' },
  );
}

/** Spreadsheets in many languages write semicolons for commas. The header tells: it has a column `file`. */
async function delimiterOf(path: string): Promise<string> {
  const input = createReadStream(path, { end: 65_535, encoding: 'utf8' });
  let head = '';
  try {
    for await (const text of input) head += text;
  } catch (cause) {
    throw readError(path, cause);
  }
  const line = head
    .replace(/^\uFEFF/, '')
    .trimStart()
    .split(/[\r\n]/, 1)[0] as string;
  const names = (delimiter: string) =>
    line.split(delimiter).map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
  return (
    [';', '\t'].find((delimiter) => !names(',').includes('file') && names(delimiter).includes('file')) ?? ','
  );
}

/** What a file that is no text holds must not reach a terminal. */
const printable = (text: string): string => text.replace(/[^\P{C} ]/gu, '·');

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
