/**
 * HDF5 files of a few datasets whose sizes are known: written from front to back in one pass, in bounded memory, the same
 * bytes for the same content. The kept library, h5wasm, reads them in the tests and for `evaluate`; it cannot write them,
 * having no float16, a time of its own in each file, and no answer to a full disk.
 */
import {
  attribute,
  chunkedLayout,
  contiguousLayout,
  dataspace,
  datatype,
  filled,
  fillValue,
  type Hdf5Attribute,
  type Hdf5Type,
  MESSAGE,
  type Message,
  objectHeader,
  padded,
  TYPE_BYTES,
  UNDEFINED_ADDRESS,
  u16,
  u32,
  u64,
} from './hdf5-messages.js';
import { rootOffset, treeBytes, treeNodes } from './hdf5-tree.js';

export interface Hdf5Dataset {
  name: string;
  type: Hdf5Type;
  shape: readonly [rows: number, columns: number];
  /** A chunk for each row, and no limit to the rows: create_dataset(chunks=(1, columns), maxshape=(None, columns)). */
  chunked: boolean;
  attributes?: Record<string, Hdf5Attribute>;
  /** The values, row-major and little-endian, in pieces of any length. */
  data(): AsyncIterable<Uint8Array>;
}

/** What group nodes have room for: K is 4 for their leaves and 16 above, as the superblock says. */
const MEMBERS = 8;
const GROUP_NODE_BYTES = 24 + 33 * 8 + 32 * 8;
const SYMBOLS_BYTES = 8 + MEMBERS * 40;
const SUPERBLOCK_BYTES = 96;
const NAMES_HEADER_BYTES = 32;
const TEXTS_LEAST_BYTES = 4096;

/** Addresses, all from the start of the file. */
interface Places {
  groupNode: number;
  names: number;
  symbols: number;
  headers: number[];
  texts: number;
  trees: number[];
  data: number[];
  end: number;
}

/** What addresses appear in; their lengths don't depend on the addresses. */
interface Parts {
  root: Buffer;
  headers: Buffer[];
  texts: Buffer;
}

/** The file's bytes in order. At most 8 datasets. */
export async function* hdf5File(
  datasets: readonly Hdf5Dataset[],
  attributes: Record<string, Hdf5Attribute> = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  if (datasets.length > MEMBERS) throw new RangeError(`${datasets.length} datasets, ${MEMBERS} fit`);
  // A group lists its members by name.
  const sorted = [...datasets].sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = new Names(sorted);
  const nowhere = { groupNode: 0, names: 0, symbols: 0, headers: [], texts: 0, trees: [], data: [], end: 0 };
  const places = arrange(sorted, names, build(sorted, attributes, nowhere));
  const { root, headers, texts } = build(sorted, attributes, places);
  const group = [groupNode(names, places), names.heap(places), symbols(names, places)];
  yield Buffer.concat([superblock(places), root, ...group, ...headers, texts]);
  for (const [i, { chunked, shape, type }] of sorted.entries()) {
    const [rows, columns] = shape;
    const [treeAddress, dataAddress] = [places.trees[i] as number, places.data[i] as number];
    if (chunked)
      yield* treeNodes({ rows, columns, elementBytes: TYPE_BYTES[type], treeAddress, dataAddress });
  }
  for (const dataset of sorted) yield* exactly(dataset);
}

/** A dataset that has another number of bytes than its shape says would shift all that follows. */
async function* exactly(dataset: Hdf5Dataset): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of dataset.data()) {
    bytes += piece.length;
    yield piece;
  }
  const expected = dataBytes(dataset);
  if (bytes !== expected) throw new RangeError(`'${dataset.name}' has ${bytes} bytes, its shape ${expected}`);
}

const dataBytes = ({ shape, type }: Hdf5Dataset): number => shape[0] * shape[1] * TYPE_BYTES[type];

function arrange(datasets: readonly Hdf5Dataset[], names: Names, parts: Parts): Places {
  let end = SUPERBLOCK_BYTES + parts.root.length;
  const take = (bytes: number): number => {
    end += bytes;
    return end - bytes;
  };
  return {
    groupNode: take(GROUP_NODE_BYTES),
    names: take(NAMES_HEADER_BYTES + names.bytes),
    symbols: take(SYMBOLS_BYTES),
    headers: parts.headers.map(({ length }) => take(length)),
    texts: take(parts.texts.length),
    trees: datasets.map(({ chunked, shape }) => (chunked ? take(treeBytes(shape[0])) : 0)),
    data: datasets.map((dataset) => take(dataBytes(dataset))),
    end,
  };
}

function build(
  datasets: readonly Hdf5Dataset[],
  attributes: Record<string, Hdf5Attribute>,
  places: Places,
): Parts {
  const texts = new Texts(places.texts);
  const listed = (of: Record<string, Hdf5Attribute>): Message[] =>
    Object.entries(of).map(([name, value]) => attribute(name, value, texts.keep));
  const group = { type: MESSAGE.symbolTable, data: u64(places.groupNode, places.names) };
  return {
    root: objectHeader([group, ...listed(attributes)]),
    headers: datasets.map((dataset, i) => {
      const { chunked, shape, type } = dataset;
      const [rows, columns] = shape;
      const tree = rows === 0 ? UNDEFINED_ADDRESS : (places.trees[i] ?? 0) + rootOffset(rows);
      const data = rows === 0 ? UNDEFINED_ADDRESS : (places.data[i] ?? 0);
      return objectHeader([
        { type: MESSAGE.dataspace, data: dataspace(shape, chunked) },
        { type: MESSAGE.datatype, data: filled(datatype(type)), flags: 1 },
        fillValue(chunked),
        chunked ? chunkedLayout(tree, columns, TYPE_BYTES[type]) : contiguousLayout(data, dataBytes(dataset)),
        ...listed(dataset.attributes ?? {}),
      ]);
    }),
    texts: texts.collection(),
  };
}

/** II.A, version 0. */
function superblock({ end, groupNode, names }: Places): Buffer {
  const signature = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1');
  const versions = Buffer.from([0, 0, 0, 0, 0, 8, 8, 0]); // addresses and lengths take 8 bytes
  const addresses = u64(0, UNDEFINED_ADDRESS, end, UNDEFINED_ADDRESS);
  const root = [u64(0, SUPERBLOCK_BYTES), u32(1, 0), u64(groupNode, names)];
  return Buffer.concat([signature, versions, u16(4, 16), u32(0), addresses, ...root]);
}

/** III.A.1: one child, the symbols, between the empty name and the last. */
function groupNode(names: Names, { symbols }: Places): Buffer {
  const head = [Buffer.from('TREE\x00\x00'), u16(1), u64(UNDEFINED_ADDRESS, UNDEFINED_ADDRESS)];
  return Buffer.concat([...head, u64(0, symbols, names.offsets.at(-1) ?? 0)], GROUP_NODE_BYTES);
}

/** III.B. */
function symbols(names: Names, { headers }: Places): Buffer {
  const entries = headers.map((header, i) => u64(names.offsets[i] as number, header, 0, 0, 0));
  return Buffer.concat([Buffer.from('SNOD\x01\x00'), u16(entries.length), ...entries], SYMBOLS_BYTES);
}

/** III.D: the names of the members, after the empty one. */
class Names {
  readonly offsets: number[] = [];
  readonly bytes: number;
  readonly #names: Buffer[] = [Buffer.alloc(8)];

  constructor(datasets: readonly Hdf5Dataset[]) {
    let bytes = 8;
    for (const { name } of datasets) {
      this.offsets.push(bytes);
      this.#names.push(filled(Buffer.from(`${name}\0`)));
      bytes += this.#names.at(-1)?.length ?? 0;
    }
    this.bytes = bytes;
  }

  heap({ names }: Places): Buffer {
    const nothingFree = 1;
    const head = [Buffer.from('HEAP\0\0\0\0'), u64(this.bytes, nothingFree, names + NAMES_HEADER_BYTES)];
    return Buffer.concat([...head, ...this.#names]);
  }
}

/** III.E: one collection of the texts that attributes hold. */
class Texts {
  readonly #address: number;
  readonly #texts: Buffer[] = [];

  constructor(address: number) {
    this.#address = address;
  }

  readonly keep = (text: string): { address: number; index: number } => {
    this.#texts.push(Buffer.from(text));
    return { address: this.#address, index: this.#texts.length };
  };

  collection(): Buffer {
    if (this.#texts.length === 0) return Buffer.alloc(0);
    const objects = this.#texts.flatMap((text, i) => [u16(i + 1, 0), u32(0), u64(text.length), filled(text)]);
    const used = 16 + objects.reduce((sum, { length }) => sum + length, 0);
    // Object 0 is the free space, its size including its own 16 bytes.
    const size = Math.max(TEXTS_LEAST_BYTES, padded(used + 16));
    const head = [Buffer.from('GCOL\x01\0\0\0'), u64(size)];
    return Buffer.concat([...head, ...objects, u16(0, 0), u32(0), u64(size - used)], size);
  }
}
