// The two numbers of a path: operations, and bytes that must cross the memory bus. Counted from the weights.
import { closeSync, openSync, readSync } from 'node:fs';

/** Multiplications and additions of one tile through the encoder of a model file: convolutions and the linear head. */
export function operationsOf(model) {
  const { tensors, info } = headerOf(model);
  let operations = 0;
  const extents = extentsOf(tensors, info.tileSize);
  for (const [name, { shape }] of Object.entries(tensors)) {
    if (!name.startsWith('encoder.') || !name.endsWith('.weight')) continue;
    const products = shape.reduce((a, b) => a * b, 1);
    operations += 2 * products * (extents.get(name) ?? 1);
  }
  return operations;
}

/** Positions that each convolution's output has. */
function extentsOf(tensors, tileSize) {
  const extents = new Map();
  for (const [name, { shape }] of Object.entries(tensors)) {
    if (shape.length !== 4) continue;
    const stage = Number(
      name.match(/^encoder\.stage(\d)\./)?.[1] ?? (name.startsWith('encoder.stem.') ? 0 : 4),
    );
    extents.set(name, (tileSize >> (stage + 1)) ** 2);
  }
  return extents;
}

function headerOf(path) {
  const file = openSync(path, 'r');
  try {
    const prefix = Buffer.alloc(8);
    readSync(file, prefix, 0, 8, 0);
    const json = Buffer.alloc(Number(prefix.readBigUInt64LE(0)));
    readSync(file, json, 0, json.length, 8);
    const { __metadata__: metadata, ...tensors } = JSON.parse(json);
    return { tensors, info: JSON.parse(metadata.stainfold) };
  } finally {
    closeSync(file);
  }
}
