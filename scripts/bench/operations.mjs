// The two numbers of a path, operations and bytes that must cross the memory bus, counted from the weights.
import { closeSync, openSync, readSync } from 'node:fs';

/** Multiplications and additions of one tile through the encoder: convolutions and the linear head. */
export function encoderOperations(weights, tileSize) {
  return operations(weights, 'encoder.', (name) => {
    const stage = name.match(/^stage(\d)\./)?.[1] ?? (name.startsWith('stem.') ? 0 : 4);
    return (tileSize >> (Number(stage) + 1)) ** 2;
  });
}

/** The same of the decoder: four doublings of the grid of features, and a convolution that makes four pixels of each. */
export function decoderOperations(weights, tileSize) {
  return operations(weights, 'decoder.', (name) => {
    const doublings = name.match(/^up(\d)\./)?.[1] ?? 4;
    return ((tileSize / 32) * 2 ** Number(doublings)) ** 2;
  });
}

/** Bytes of the encoder's weights as they serve: norms folded, float32. */
export function encoderBytes(weights) {
  return tensorsOf(weights, 'encoder.').reduce((sum, { name, shape }) => {
    const multiplies = /weight$/.test(name) || /bias$/.test(name) || /beta$/.test(name);
    return sum + (multiplies ? 4 * product(shape) : 0);
  }, 0);
}

/** @param positionsOf Outputs in the plane of a convolution, by its name without the prefix. */
function operations(weights, prefix, positionsOf) {
  return tensorsOf(weights, prefix)
    .filter(({ name }) => /weight$/.test(name))
    .reduce((sum, { name, shape }) => {
      const positions = shape.length === 4 ? positionsOf(name.slice(prefix.length)) : 1;
      return sum + 2 * product(shape) * positions;
    }, 0);
}

const product = (shape) => shape.reduce((a, b) => a * b, 1);

function tensorsOf(path, prefix) {
  const file = openSync(path, 'r');
  try {
    const length = Buffer.alloc(8);
    readSync(file, length, 0, 8, 0);
    const json = Buffer.alloc(Number(length.readBigUInt64LE(0)));
    readSync(file, json, 0, json.length, 8);
    return Object.entries(JSON.parse(json))
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { shape }]) => ({ name, shape }));
  } finally {
    closeSync(file);
  }
}
