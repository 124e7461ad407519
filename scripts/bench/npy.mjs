// Arrays between processes: NumPy's .npy, version 1.0, of any shape.
import { writeFileSync } from 'node:fs';

const TYPES = new Map([
  [Float32Array, '<f4'],
  [Uint8Array, '|u1'],
]);

export function writeNpy(path, data, shape) {
  const type = TYPES.get(data.constructor);
  const size = shape.reduce((a, b) => a * b, 1);
  if (type === undefined || size !== data.length)
    throw new TypeError(`${data.length} numbers for [${shape}]`);
  const sides = `${shape.join(', ')}${shape.length === 1 ? ',' : ''}`;
  const dictionary = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sides}), }`;
  // Magic, version and length take 10 bytes; the data begins at a multiple of 64, after a newline.
  const padded = `${dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11)}\n`;
  const header = Buffer.alloc(10);
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(padded.length, 8);
  writeFileSync(path, Buffer.concat([header, Buffer.from(padded), bytesOf(data)]));
}

export const bytesOf = (data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
