/** NumPy's .npy (numpy.lib.format, versions 1 to 3): a matrix of floats, in C order or Fortran's. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { type EmbeddingFile, unfit, VALUES_AT_ONCE } from './embedding-file.js';
import { FLOAT_BYTES, type FloatType, toFloat32 } from './numbers.js';

const TYPES: Record<string, FloatType> = { '<f8': 'F64', '<f4': 'F32', '<f2': 'F16' };

interface Header {
  type: FloatType;
  fortran: boolean;
  rows: number;
  columns: number;
  start: number;
}

/** Rows are named by `<name>.tiles.csv` beside it, which writeEmbeddings writes. */
export async function openNpy(path: string): Promise<EmbeddingFile> {
  const header = await withFile(path, (file) => readHeader(file, path));
  const { rows, columns } = header;
  return {
    rows,
    columns,
    names: await readNames(path),
    read: () => withFile(path, (f) => readValues(f, header)),
    coords: () => readCoords(path, rows),
    attributes: () => readFacts(path),
  };
}

/** `<name>.coords.npy` beside it, int64, which writeFeatures writes. */
async function readCoords(path: string, rows: number): Promise<Float64Array | undefined> {
  const bytes = await readFile(path.replace(/\.npy$/i, '.coords.npy')).catch(() => undefined);
  const start = 10 + (bytes?.length === undefined || bytes.length < 10 ? 0 : bytes.readUInt16LE(8));
  const header = bytes?.toString('latin1', 0, start) ?? '';
  if (!header.startsWith('\x93NUMPY\x01') || !header.includes("'<i8'")) return undefined;
  if (bytes?.length !== start + rows * 16) return undefined;
  return Float64Array.from(new BigInt64Array(new Uint8Array(bytes.subarray(start)).buffer), Number);
}

/** `<name>.json` beside it. */
async function readFacts(path: string): Promise<Record<string, string | number>> {
  try {
    const facts: unknown = JSON.parse(await readFile(path.replace(/\.npy$/i, '.json'), 'utf8'));
    const entries = Object.entries(facts as object).filter(([, value]) => /string|number/.test(typeof value));
    return Object.fromEntries(entries);
  } catch {
    return {}; // none, or another tool's
  }
}

async function withFile<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result> {
  await using file = await open(path);
  return await use(file);
}

async function readHeader(file: FileHandle, path: string): Promise<Header> {
  const prefix = Buffer.alloc(12);
  await file.read(prefix, 0, 12, 0);
  if (prefix.toString('latin1', 0, 6) !== '\x93NUMPY') throw unfit(path, 'it is not a .npy file');
  const wide = (prefix[6] as number) > 1;
  const length = wide ? prefix.readUInt32LE(8) : prefix.readUInt16LE(8);
  const start = (wide ? 12 : 10) + length;
  const { size } = await file.stat();
  if (start > size) throw unfit(path, 'it is cut short');
  const text = Buffer.alloc(length);
  await file.read(text, 0, length, start - length);
  const header = text.toString('latin1');
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? 'a structured type';
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '').split(',').filter((side) => side.trim());
  const type = TYPES[descr];
  if (type === undefined) throw unfit(path, `its type is ${descr}, not <f2, <f4 or <f8`);
  if (shape.length !== 2) throw unfit(path, `its shape is (${shape.join(',')}), not (rows, columns)`);
  const [rows, columns] = shape.map(Number) as [number, number];
  if (![rows, columns].every((side) => Number.isSafeInteger(side) && side >= 0))
    throw unfit(path, `its shape is (${shape.join(',')}), not two counts`);
  const expected = start + rows * columns * FLOAT_BYTES[type];
  if (size !== expected)
    throw unfit(path, `it has ${size} bytes where [${rows},${columns}] takes ${expected}`);
  return { type, fortran: /'fortran_order':\s*True/.test(header), rows, columns, start };
}

async function readValues(
  file: FileHandle,
  { type, fortran, rows, columns, start }: Header,
): Promise<Float32Array> {
  const data = new Float32Array(rows * columns);
  const bytes = FLOAT_BYTES[type];
  const buffer = new Uint8Array(VALUES_AT_ONCE * bytes);
  for (let done = 0; done < data.length; ) {
    const count = Math.min(VALUES_AT_ONCE, data.length - done);
    const { bytesRead } = await file.read(buffer, 0, count * bytes, start + done * bytes);
    const values = toFloat32(buffer.subarray(0, bytesRead - (bytesRead % bytes)), type);
    if (values.length === 0) throw new Error('it was cut short while it was read');
    if (!fortran) data.set(values, done);
    else {
      for (const [i, value] of values.entries()) {
        data[((done + i) % rows) * columns + Math.floor((done + i) / rows)] = value;
      }
    }
    done += values.length;
    await nextTurn();
  }
  return data;
}

async function readNames(path: string): Promise<string[] | undefined> {
  let text: string;
  try {
    text = await readFile(path.replace(/\.npy$/i, '.tiles.csv'), 'utf8');
  } catch {
    return undefined;
  }
  const records = parse(text, { columns: true, bom: true, skip_empty_lines: true }) as { file?: string }[];
  const names = records.map(({ file }) => file ?? '');
  return names.every(Boolean) ? names : undefined;
}
