/** metrics.jsonl: one line of JSON a step, in order. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { writeFailure } from '../files/atomic.js';

export class MetricsLog {
  readonly #path: string;
  readonly #file: FileHandle;
  #position: number;
  #pending: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, file: FileHandle, position: number) {
    this.#path = path;
    this.#file = file;
    this.#position = position;
  }

  /** Keeps the first `lines` lines of what is there, and goes on after them. */
  static async open(path: string, lines: number): Promise<MetricsLog> {
    try {
      const file = await open(path, constants.O_RDWR | constants.O_CREAT);
      const position = await endOfLine(file, lines);
      await file.truncate(position);
      return new MetricsLog(path, file, position);
    } catch (error) {
      throw writeFailure(path, error);
    }
  }

  /** Lines are written soon; a failure shows at the next `flush`. */
  add(line: object): void {
    this.#pending.push(JSON.stringify(line));
    if (this.#pending.length === 1) {
      this.#writing = this.#writing.then(() => this.#drain());
      this.#writing.catch(() => undefined);
    }
  }

  /** All lines so far are on the disk when it resolves: a checkpoint must never be ahead of them. */
  async flush(): Promise<void> {
    try {
      await this.#writing;
      await this.#file.datasync();
    } catch (error) {
      throw writeFailure(this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    const bytes = Buffer.from(`${this.#pending.join('\n')}\n`);
    this.#pending = [];
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#position);
      done += bytesWritten;
      this.#position += bytesWritten;
    }
  }
}

/** Offset after the first `lines` lines, or after the last whole line if there are fewer. */
async function endOfLine(file: FileHandle, lines: number): Promise<number> {
  const buffer = new Uint8Array(1 << 16);
  let seen = 0;
  let end = 0;
  for (let offset = 0; seen < lines; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) break;
    for (
      let at = buffer.indexOf(10);
      at >= 0 && at < bytesRead && seen < lines;
      at = buffer.indexOf(10, at + 1)
    ) {
      seen++;
      end = offset + at + 1;
    }
    offset += bytesRead;
  }
  return end;
}
