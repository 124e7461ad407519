/**
 * Features as they come, in a file that only grows: after a kill at any moment it holds every chunk that was finished, and
 * what the kill cut short is recognised by its digest and dropped. Only when all are there do they become a file of a format
 * that other tools read.
 *
 * The file: MAGIC; then frames, each the lengths of its three parts (uint32), their SHA-256, and the parts: a note (JSON), coords
 * (int32) and features (float32). The first frame's note is the plan, what the chunks belong to.
 */
import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { StainfoldError } from '../errors.js';
import { writeFailure } from '../files/atomic.js';
import type { FeatureChunk } from '../types.js';
import type { FeatureSource } from './source.js';

const MAGIC = Buffer.from('stainfold part 1\n');
const LENGTHS_BYTES = 12;
const FRAME_BYTES = LENGTHS_BYTES + 32;

/** A chunk and what its writer wants to know of it when the log is opened again. */
interface LoggedChunk<Note> extends FeatureChunk {
  note: Note;
}

interface Frame<Note> {
  note: Note;
  rows: number;
  /** Of the coords in the file; the features follow them. */
  start: number;
}

export class ChunkLog<Note> implements FeatureSource, AsyncDisposable {
  readonly columns: number;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #frames: Frame<Note>[] = [];
  #end: number;
  #rows = 0;

  private constructor(path: string, file: FileHandle, columns: number, end: number) {
    this.#path = path;
    this.#file = file;
    this.columns = columns;
    this.#end = end;
  }

  /**
   * Opens the log of `plan`, with the chunks it has, or begins it. A log of another plan is begun anew.
   *
   * @param columns Values of a feature.
   * @throws STAINFOLD_FILE_WRITE.
   */
  static async open<Note>(path: string, plan: unknown, columns: number): Promise<ChunkLog<Note>> {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT).catch((error: unknown) => {
      throw writeFailure(path, error);
    });
    try {
      const head = Buffer.concat([MAGIC, frame([Buffer.from(JSON.stringify(plan)), EMPTY, EMPTY])]);
      const found = Buffer.alloc(head.length);
      await file.read(found, 0, head.length, 0);
      const log = new ChunkLog<Note>(path, file, columns, head.length);
      if (found.equals(head)) await log.#recover();
      else {
        await file.truncate(0);
        await writeAll(file, head, 0);
      }
      return log;
    } catch (error) {
      await file.close();
      throw writeFailure(path, error);
    }
  }

  get rows(): number {
    return this.#rows;
  }

  /** Of the chunks there are, in order. */
  notes(): Note[] {
    return this.#frames.map(({ note }) => note);
  }

  /** @throws STAINFOLD_NON_FINITE; STAINFOLD_FILE_WRITE. The log is then as it was, once it is opened again. */
  async append({ note, coords, features }: LoggedChunk<Note>): Promise<void> {
    const odd = features.findIndex((value) => !Number.isFinite(value));
    if (odd !== -1) {
      const tile = this.#rows + Math.floor(odd / this.columns);
      throw new StainfoldError('STAINFOLD_NON_FINITE', `The features of tile ${tile} hold ${features[odd]}`, {
        hint: "Compute them with precision 'fp32' (--precision fp32).",
      });
    }
    const bytes = frame([Buffer.from(JSON.stringify(note)), view(coords), view(features)]);
    try {
      await writeAll(this.#file, bytes, this.#end);
    } catch (error) {
      throw writeFailure(this.#path, error);
    }
    const rows = coords.length / 2;
    const start = this.#end + bytes.length - coords.byteLength - features.byteLength;
    this.#frames.push({ note, rows, start });
    this.#rows += rows;
    this.#end += bytes.length;
  }

  async *features(): AsyncGenerator<Float32Array, void, undefined> {
    for (const { rows, start } of this.#frames) {
      const values = new Float32Array(rows * this.columns);
      await readAll(this.#file, view(values), start + rows * 8);
      if (rows > 0) yield values;
    }
  }

  async *coords(): AsyncGenerator<Int32Array, void, undefined> {
    for (const { rows, start } of this.#frames) {
      const values = new Int32Array(2 * rows);
      await readAll(this.#file, view(values), start);
      if (rows > 0) yield values;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Takes up the frames that are whole; the rest of the file is cut off. */
  async #recover(): Promise<void> {
    const { size } = await this.#file.stat();
    while (this.#end + FRAME_BYTES <= size) {
      const head = Buffer.alloc(FRAME_BYTES);
      await readAll(this.#file, head, this.#end);
      const [note, coords, features] = [0, 4, 8].map((at) => head.readUInt32LE(at)) as Lengths;
      const length = note + coords + features;
      const rows = coords / 8;
      const whole = Number.isInteger(rows) && features === rows * this.columns * 4;
      if (this.#end + FRAME_BYTES + length > size || !whole) break;
      const body = Buffer.alloc(length);
      await readAll(this.#file, body, this.#end + FRAME_BYTES);
      if (!digest(head.subarray(0, LENGTHS_BYTES), body).equals(head.subarray(LENGTHS_BYTES))) break;
      const told = parsed<Note>(body.toString('utf8', 0, note));
      if (told === undefined) break;
      const start = this.#end + FRAME_BYTES + note;
      this.#frames.push({ note: told, rows, start });
      this.#rows += rows;
      this.#end += FRAME_BYTES + length;
    }
    if (this.#end < size) await this.#file.truncate(this.#end);
  }
}

type Lengths = [note: number, coords: number, features: number];

const EMPTY = new Uint8Array(0);

function parsed<Value>(json: string): Value | undefined {
  try {
    return JSON.parse(json) as Value;
  } catch {
    return undefined;
  }
}

const view = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function frame(parts: readonly [note: Uint8Array, coords: Uint8Array, features: Uint8Array]): Buffer {
  const lengths = Buffer.alloc(LENGTHS_BYTES);
  for (const [i, { length }] of parts.entries()) lengths.writeUInt32LE(length, 4 * i);
  return Buffer.concat([lengths, digest(lengths, ...parts), ...parts]);
}

function digest(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

async function readAll(file: FileHandle, into: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done);
    if (bytesRead === 0) throw new RangeError(`a part file ends at byte ${position + done}`);
    done += bytesRead;
  }
}
