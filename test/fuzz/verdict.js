/** What may come of any file: a result that holds what it promises, or a StainfoldError with a known code, soon and in little memory. */
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ERRORS, StainfoldError } from '../../lib/errors.js';

/** Of the processor, so that a busy machine is not taken for a hang. */
export const MOST_MILLISECONDS = 2000;
const MOST_BYTES = 384 * 2 ** 20;
/** Beyond it, nobody reads on. */
const MOST_MESSAGE = 4096;

/** What a target throws where a result contradicts itself. */
export class Broken extends Error {
  name = 'Broken';
}

export function hold(condition, what) {
  if (!condition) throw new Broken(what);
}

/** Where the input of a target is put: a process that dies leaves it there. */
export const inputPath = (folder, { extension }) => join(folder, `input${extension}`);

/** Undefined where all is well, else what is not: { kind, detail }. */
export async function verdict(target, bytes, folder) {
  const path = inputPath(folder, target);
  await writeFile(path, bytes);
  const before = { cpu: process.cpuUsage(), wall: performance.now(), memory: startPeak() };
  const outcome = await Promise.resolve()
    .then(() => target.run(path, bytes))
    .then(
      () => undefined,
      (error) => error ?? new Error('nothing was thrown'),
    );
  const { user, system } = process.cpuUsage(before.cpu);
  const milliseconds = Math.min((user + system) / 1000, performance.now() - before.wall);
  const grown = peak() - before.memory;
  if (outcome !== undefined) {
    const wrong = unlikeOurs(outcome);
    if (wrong !== undefined) return { kind: wrong, detail: told(outcome) };
  }
  if (milliseconds > MOST_MILLISECONDS) return { kind: 'slow', detail: `${milliseconds.toFixed(0)} ms` };
  if (grown > MOST_BYTES) return { kind: 'memory', detail: `${(grown / 2 ** 20).toFixed(0)} MiB` };
  if (!target.writes && !(await readFile(path)).equals(bytes)) {
    return { kind: 'changed', detail: 'the file is no longer what it was' };
  }
  return undefined;
}

function told(error) {
  const cause = isDefect(error?.cause) ? `\n${error.cause.stack}` : '';
  return (String(error?.stack ?? error).slice(0, 1000) + cause).slice(0, 3000);
}

function unlikeOurs(error) {
  if (!(error instanceof StainfoldError)) return error?.name ?? typeof error;
  if (!Object.hasOwn(ERRORS, error.code)) return `unknown code ${error.code}`;
  if (error.code === 'STAINFOLD_INTERNAL') return error.code;
  if (!error.hint || !error.message.endsWith(error.hint)) return 'no remedy';
  if (isDefect(error.cause)) return `masked ${error.cause.name}`;
  return error.message.length > MOST_MESSAGE ? 'endless message' : undefined;
}

/** A TypeError of our own code that somebody caught and took for a damaged file. Those of the parsers that we call are how they refuse. */
function isDefect(cause) {
  if (!(cause instanceof TypeError || cause instanceof RangeError || cause instanceof ReferenceError))
    return false;
  const frame = String(cause.stack)
    .split('\n')
    .find((line) => /file:|node_modules/.test(line));
  return frame !== undefined && /\/lib\//.test(frame) && !frame.includes('node_modules');
}

/** The kernel's high-water mark of this process's memory, set back; where there is none, what V8 has of buffers. */
function startPeak() {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // another system
  }
  return peak();
}

function peak() {
  const { arrayBuffers } = process.memoryUsage();
  try {
    const resident = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1024;
    return Math.max(resident, arrayBuffers);
  } catch {
    return arrayBuffers;
  }
}
