/**
 * The B-tree (version 1, HDF5 File Format Specification III.A.1) that says where each chunk of a dataset is. All chunks
 * are one row and lie one after the other, so every node follows from the number of rows.
 */
import { UNDEFINED_ADDRESS, u16, u32, u64 } from './hdf5-messages.js';

/** libhdf5's default K of 32, which version 0 of the superblock implies: a node has room for 2K children and 2K + 1 keys. */
const CHILDREN = 64;
/** Bytes and filters of a chunk, and its place in rows, columns and bytes of an element. */
const KEY_BYTES = 32;
const NODE_BYTES = 24 + (CHILDREN + 1) * KEY_BYTES + CHILDREN * 8;
/** Nodes made at a time. */
const NODES = 64;

interface ChunkTree {
  rows: number;
  columns: number;
  elementBytes: number;
  /** Of the first node, and of the first chunk. */
  treeAddress: number;
  dataAddress: number;
}

/** Nodes of each level, leaves first. */
function levels(rows: number): number[] {
  const counts: number[] = [];
  for (let n = rows; n > 0; ) {
    n = Math.ceil(n / CHILDREN);
    counts.push(n);
    if (n === 1) break;
  }
  return counts;
}

export const treeBytes = (rows: number): number => NODE_BYTES * levels(rows).reduce((a, b) => a + b, 0);

/** Where the root is, counted from the first node. The root is the last. */
export const rootOffset = (rows: number): number => treeBytes(rows) - NODE_BYTES;

/** All nodes in the order of their addresses. */
export function* treeNodes(tree: ChunkTree): Generator<Buffer> {
  const { rows, columns, elementBytes, treeAddress, dataAddress } = tree;
  const counts = levels(rows);
  let address = treeAddress; // of the level's first node
  let below = dataAddress; // of the first child of that node
  let childBytes = columns * elementBytes;
  let childCount = rows;
  let span = 1; // rows that a child covers
  const key = (row: number): Buffer =>
    row < rows
      ? Buffer.concat([u32(columns * elementBytes, 0), u64(row, 0, 0)])
      : Buffer.concat([u32(0, 0), u64(rows, columns, elementBytes)]); // beyond the last, as libhdf5 writes it
  for (const [level, count] of counts.entries()) {
    let nodes: Buffer[] = [];
    for (let n = 0; n < count; n++) {
      const first = n * CHILDREN;
      const used = Math.min(CHILDREN, childCount - first);
      const left = n > 0 ? address + (n - 1) * NODE_BYTES : UNDEFINED_ADDRESS;
      const right = n + 1 < count ? address + (n + 1) * NODE_BYTES : UNDEFINED_ADDRESS;
      const parts: Buffer[] = [Buffer.from('TREE\x01'), Buffer.from([level]), u16(used), u64(left, right)];
      for (let c = 0; c < used; c++)
        parts.push(key((first + c) * span), u64(below + (first + c) * childBytes));
      parts.push(key((first + used) * span));
      nodes.push(Buffer.concat(parts, NODE_BYTES));
      if (nodes.length < NODES) continue;
      yield Buffer.concat(nodes);
      nodes = [];
    }
    if (nodes.length > 0) yield Buffer.concat(nodes);
    below = address;
    address += count * NODE_BYTES;
    childBytes = NODE_BYTES;
    childCount = count;
    span *= CHILDREN;
  }
}
