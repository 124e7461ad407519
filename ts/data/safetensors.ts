/** Safetensors files: read in part or whole, written whole or not at all. Same tensors and metadata: same bytes. */
import { type FileHandle, open } from 'node:fs/promises';
import { StainfoldError } from '../errors.js';
import { writeFileAtomic } from '../files/atomic.js';
import { readError } from './file-errors.js';
import {
  damaged,
  decodeHeader,
  decodeHeaderLength,
  encodeHeader,
  type SafetensorsHeader,
  type TensorEntry,
  type TensorSpec,
  tensorBytes,
} from './safetensors-header.js';

export type { SafetensorsDtype, SafetensorsHeader, TensorEntry, TensorSpec } from './safetensors-header.js';
export { tensorBytes } from './safetensors-header.js';

/**
 * Writes the tensors in the given order.
 *
 * @param data The bytes of all of them, in that order, without padding: one piece or several.
 * @throws STAINFOLD_FILE_WRITE; `path` is then as it was. STAINFOLD_SAFETENSORS where the data does not match the specs.
 */
export async function writeSafetensors(
  path: string,
  specs: readonly TensorSpec[],
  data: Iterable<Uint8Array>,
  metadata: Record<string, string> = {},
): Promise<void> {
  const pieces = [...data];
  const expected = specs.reduce((sum, spec) => sum + tensorBytes(spec), 0);
  const got = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (got !== expected) throw damaged(`its tensors have ${expected} bytes, got ${got}`);
  await writeFileAtomic(path, [encodeHeader(specs, metadata), ...pieces]);
}

/** Reads and checks the header; no tensor is read. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, (file) => readHeader(file, path));
}

/** Reads the tensors that `keep` wants, in file order, into one buffer without padding. */
export async function readSafetensors(
  path: string,
  keep: (tensor: TensorSpec) => boolean = () => true,
): Promise<{ metadata: Record<string, string>; tensors: TensorEntry[]; data: Uint8Array }> {
  return withFile(path, async (file) => {
    const { metadata, tensors: all } = await readHeader(file, path);
    const tensors = all.filter(keep);
    const data = new Uint8Array(tensors.reduce((sum, { start, end }) => sum + end - start, 0));
    let offset = 0;
    for (const { start, end } of tensors) {
      await readExactly(file, data.subarray(offset, offset + end - start), start);
      offset += end - start;
    }
    return { metadata, tensors, data };
  });
}

async function withFile<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    return await use(file);
  } catch (cause) {
    throw readError(path, cause);
  } finally {
    await file?.close();
  }
}

async function readHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  try {
    const prefix = new Uint8Array(Math.min(8, size));
    await readExactly(file, prefix, 0);
    const json = new Uint8Array(decodeHeaderLength(prefix, size));
    await readExactly(file, json, 8);
    return decodeHeader(json, size);
  } catch (cause) {
    if (!(cause instanceof StainfoldError)) throw cause;
    const [detail] = cause.message.split(`. ${cause.hint}`);
    throw new StainfoldError(cause.code, `${path}: ${detail}`, { cause });
  }
}

async function readExactly(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw damaged(`it ends at byte ${position + done}`);
    done += bytesRead;
  }
}
