/** Safetensors: the one matrix of floats, or that of a known name. */
import { open } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { COORDS_NAME, type EmbeddingFile, MATRIX_NAMES, unfit, VALUES_AT_ONCE } from './embedding-file.js';
import { FLOAT_BYTES, type FloatType, toFloat32 } from './numbers.js';
import { readSafetensors, readSafetensorsHeader, type TensorEntry } from './safetensors.js';

/** Rows are named by the metadata's `tiles`, JSON, which writeEmbeddings writes. */
export async function openSafetensors(path: string): Promise<EmbeddingFile> {
  const { tensors, metadata } = await readSafetensorsHeader(path);
  const matrices = tensors.filter(({ dtype, shape }) => dtype in FLOAT_BYTES && shape.length === 2);
  const known = MATRIX_NAMES.map((name) => matrices.find((tensor) => tensor.name === name));
  const matrix =
    known.find((tensor) => tensor !== undefined) ?? (matrices.length === 1 ? matrices[0] : undefined);
  if (matrix === undefined) {
    const list = tensors.map(({ name, dtype, shape }) => `'${name}' ${dtype} [${shape}]`).join(', ');
    throw unfit(path, `no tensor is named ${MATRIX_NAMES.join(', ')}, and it has ${list || 'none'}`);
  }
  const [rows, columns] = matrix.shape as [number, number];
  const { tiles, ...attributes } = metadata;
  const coords = tensors.find(
    ({ name, dtype, shape }) =>
      name === COORDS_NAME && dtype === 'I64' && shape.length === 2 && shape[1] === 2,
  );
  return {
    rows,
    columns,
    names: namesOf(tiles, rows),
    read: () => readTensor(path, matrix),
    coords: async () => (coords?.shape[0] === rows ? readIntegers(path, coords) : undefined),
    attributes: async () => attributes,
  };
}

async function readIntegers(path: string, { name }: TensorEntry): Promise<Float64Array> {
  const { data } = await readSafetensors(path, (tensor) => tensor.name === name);
  return Float64Array.from(new BigInt64Array(data.buffer), Number);
}

async function readTensor(path: string, { dtype, start, end }: TensorEntry): Promise<Float32Array> {
  const type = dtype as FloatType;
  const bytes = FLOAT_BYTES[type];
  const data = new Float32Array((end - start) / bytes);
  const buffer = new Uint8Array(VALUES_AT_ONCE * bytes);
  await using file = await open(path);
  for (let done = 0; done < data.length; ) {
    const count = Math.min(VALUES_AT_ONCE, data.length - done);
    const { bytesRead } = await file.read(buffer, 0, count * bytes, start + done * bytes);
    const values = toFloat32(buffer.subarray(0, bytesRead - (bytesRead % bytes)), type);
    if (values.length === 0) throw new Error('it was cut short while it was read');
    data.set(values, done);
    done += values.length;
    await nextTurn();
  }
  return data;
}

function namesOf(json: string | undefined, rows: number): string[] | undefined {
  if (json === undefined) return undefined;
  try {
    const tiles = JSON.parse(json) as { file?: unknown }[];
    const names = tiles.map(({ file }) => file);
    return names.length === rows && names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined; // another tool's metadata
  }
}
