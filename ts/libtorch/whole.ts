/**
 * Finds libraries that are cut off before the dynamic linker maps them: it trusts an ELF header, and the first touch of a page that
 * the file doesn't have kills the process with SIGBUS.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { LibTorchTree } from './layout.js';

export interface CutLibrary {
  path: string;
  /** What the file has and what its header says it should have at least. */
  bytes: number;
  needed: number;
}

/** The first library of LibTorch, NVIDIA's beside it included, that is shorter than its own header says. Reads headers only. */
export function findCutLibrary(tree: LibTorchTree): CutLibrary | undefined {
  const nvidia = join(tree.root, '..', 'nvidia');
  const folders = tree.variant === 'cpu' ? [] : list(nvidia).map((name) => join(nvidia, name, 'lib'));
  for (const folder of [tree.lib, ...folders]) {
    for (const name of list(folder).filter((one) => /\.so(?:\.|$)/.test(one))) {
      const path = join(folder, name);
      const { bytes, needed } = measure(path);
      if (bytes < needed) return { path, bytes, needed };
    }
  }
  return undefined;
}

/** `needed` is 0 for what is no 64-bit little-endian ELF file: the linker refuses that in words. */
function measure(path: string): { bytes: number; needed: number } {
  const file = openSync(path, 'r');
  try {
    const bytes = fstatSync(file).size;
    const header = read(file, 0, 64);
    const isElf = header.length === 64 && header.readUInt32BE(0) === 0x7f454c46;
    if (!isElf || header[4] !== 2 || header[5] !== 1) return { bytes, needed: 0 };
    const sections = Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
    const start = Number(header.readBigUInt64LE(32));
    const stride = header.readUInt16LE(54);
    const count = header.readUInt16LE(56);
    let needed = Math.max(sections, start + stride * count);
    const segments = read(file, start, stride * count);
    for (let at = 0; at + stride <= segments.length; at += stride) {
      // p_offset + p_filesz
      needed = Math.max(needed, Number(segments.readBigUInt64LE(at + 8) + segments.readBigUInt64LE(at + 32)));
    }
    return { bytes, needed };
  } finally {
    closeSync(file);
  }
}

function read(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, position));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
