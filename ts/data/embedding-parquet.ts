/** Parquet: a column of lists, or a column of numbers for each dimension; a row group at a time. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AsyncBuffer, FileMetaData, SchemaTree } from 'hyparquet';
import { type EmbeddingFile, FILE_NAMES, MATRIX_NAMES, unfit } from './embedding-file.js';
import { checkPages } from './parquet-pages.js';

type Library = typeof import('hyparquet');

interface Source {
  library: Library;
  path: string;
  file: AsyncBuffer;
  metadata: FileMetaData;
}

export async function openParquet(path: string): Promise<EmbeddingFile> {
  const library = await import('hyparquet');
  const file = await library.asyncBufferFromFile(path);
  const metadata = await library.parquetMetadataAsync(file);
  const source = { library, path, file, metadata };
  const { children } = library.parquetSchema(metadata);
  const rows = Number(metadata.num_rows);
  await checkPages(file, metadata, new Set(children.filter(isRead).map(({ element }) => element.name)));
  const nameColumn = FILE_NAMES.find((name) =>
    children.some(({ element }) => element.name === name && isText(element)),
  );
  const names = nameColumn === undefined ? undefined : await readNames(source, nameColumn);
  const beside = { coords: () => readCoords(source, rows), attributes: async () => keyValues(metadata) };
  const list = findList(children, path);
  if (list !== undefined) {
    const columns = rows === 0 ? 0 : await listLength(source, list);
    return { rows, columns, names, ...beside, read: () => readLists(source, list, rows, columns) };
  }
  const numbers = children.filter(({ element }) => isNumber(element)).map(({ element }) => element.name);
  const dimensions = dimensionColumns(numbers);
  if (dimensions.length === 0) {
    throw unfit(
      path,
      `no column is a list or is named z0, z1, … (it has ${children.map((c) => c.element.name)})`,
    );
  }
  const read = () => readColumns(source, dimensions, rows);
  return { rows, columns: dimensions.length, names, ...beside, read };
}

/** The columns x and y. */
async function readCoords(source: Source, rows: number): Promise<Float64Array | undefined> {
  const { children } = source.library.parquetSchema(source.metadata);
  const columns = ['x', 'y'].filter((name) => children.some(({ element }) => element.name === name));
  if (columns.length < 2) return undefined;
  const data = new Float64Array(2 * rows);
  await eachGroup(source, columns, (first, group) => {
    for (const [i, { x, y }] of group.entries()) data.set([Number(x), Number(y)], 2 * (first + i));
  });
  return data;
}

/** What writers keep under ARROW: and the like is their own. */
function keyValues({ key_value_metadata }: FileMetaData): Record<string, string> {
  const own = (key_value_metadata ?? []).filter(({ key }) => !/^(ARROW:|pandas$)/.test(key));
  return Object.fromEntries(own.map(({ key, value }) => [key, value ?? '']));
}

type Element = SchemaTree['element'];
const isText = (element: Element): boolean => element.type === 'BYTE_ARRAY';
const isNumber = ({ type }: Element): boolean => type === 'FLOAT' || type === 'DOUBLE';
const isList = ({ element, children }: SchemaTree): boolean =>
  element.converted_type === 'LIST' ||
  element.logical_type?.type === 'LIST' ||
  (children.length === 0 && element.repetition_type === 'REPEATED');

/** Whether a column may be asked for: names, coordinates and features. */
const isRead = (column: SchemaTree): boolean =>
  isList(column) || isText(column.element) || isNumber(column.element) || /^[xy]$/.test(column.element.name);

function findList(children: readonly SchemaTree[], path: string): string | undefined {
  const lists = children.filter(isList).map(({ element }) => element.name);
  const known = MATRIX_NAMES.find((name) => lists.includes(name));
  if (known === undefined && lists.length > 1) {
    throw unfit(path, `it has the lists ${lists.join(', ')}, none named ${MATRIX_NAMES.join(', ')}`);
  }
  return known ?? lists[0];
}

/** Columns of one name and a number, all numbers from 0 or 1 on: `z0, z1, …`, `feature_1, feature_2, …`. The longest such series. */
function dimensionColumns(names: readonly string[]): string[] {
  const series = new Map<string, Map<number, string>>();
  for (const name of names) {
    const [, stem, digits] = /^(.*?)(\d+)$/.exec(name) ?? [];
    if (stem === undefined || digits === undefined) continue;
    const of = series.get(stem) ?? new Map<number, string>();
    series.set(stem, of.set(Number(digits), name));
  }
  const runs = [...series.values()].map((of) => {
    const start = of.has(0) ? 0 : 1;
    const run: string[] = [];
    for (let i = start; of.has(i); i++) run.push(of.get(i) as string);
    return run;
  });
  return runs.sort((a, b) => b.length - a.length)[0] ?? [];
}

/** The rows of each row group, columns in the order asked for. */
async function eachGroup(
  { library, file, metadata }: Source,
  columns: string[],
  visit: (first: number, rows: Record<string, unknown>[]) => void,
): Promise<void> {
  let first = 0;
  for (const group of metadata.row_groups) {
    const last = first + Number(group.num_rows);
    const rows = await library.parquetReadObjects({ file, metadata, columns, rowStart: first, rowEnd: last });
    visit(first, rows);
    first = last;
    await nextTurn();
  }
}

async function readNames(source: Source, column: string): Promise<string[]> {
  const names: string[] = [];
  await eachGroup(source, [column], (_, rows) => {
    for (const row of rows) names.push(String(row[column] ?? ''));
  });
  return names;
}

async function listLength({ library, file, metadata, path }: Source, column: string): Promise<number> {
  const [row] = await library.parquetReadObjects({
    file,
    metadata,
    columns: [column],
    rowStart: 0,
    rowEnd: 1,
  });
  const list = row?.[column];
  if (!isNumbers(list)) throw unfit(path, `column '${column}' does not hold lists of numbers`);
  return list.length;
}

async function readLists(
  source: Source,
  column: string,
  rows: number,
  columns: number,
): Promise<Float32Array> {
  const data = new Float32Array(rows * columns);
  await eachGroup(source, [column], (first, group) => {
    for (const [i, row] of group.entries()) {
      const list = row[column];
      if (!isNumbers(list) || list.length !== columns) {
        const got = isNumbers(list) ? `${list.length} numbers` : 'no list of numbers';
        throw unfit(
          source.path,
          `row ${first + i} of column '${column}' has ${got}, the first row ${columns}`,
        );
      }
      data.set(list, (first + i) * columns);
    }
  });
  return data;
}

async function readColumns(source: Source, columns: string[], rows: number): Promise<Float32Array> {
  const data = new Float32Array(rows * columns.length);
  await eachGroup(source, columns, (first, group) => {
    for (const [i, row] of group.entries()) {
      for (const [c, name] of columns.entries()) {
        // A missing value becomes NaN, which is refused by row.
        data[(first + i) * columns.length + c] = (row[name] ?? Number.NaN) as number;
      }
    }
  });
  return data;
}

function isNumbers(value: unknown): value is ArrayLike<number> {
  return (
    ArrayBuffer.isView(value) || (Array.isArray(value) && value.every((entry) => typeof entry === 'number'))
  );
}
