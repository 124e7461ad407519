/**
 * The pieces of an HDF5 object header, byte for byte as libhdf5 writes them for h5py's default (the "earliest" file format:
 * version-1 headers, which carry no checksums and no times). Sections and field names follow the HDF5 File Format
 * Specification, version 3.0.
 */

/** Names as NumPy has them, little-endian. */
export type Hdf5Type = 'f2' | 'f4' | 'f8' | 'i4' | 'i8';

/** An attribute as h5py stores a Python str, int or float, or a tuple of them. */
export type Hdf5Attribute = string | { int: Numbers } | { real: Numbers };
type Numbers = number | readonly number[];

export const UNDEFINED_ADDRESS = 0xffff_ffff_ffff_ffffn;
const UNLIMITED = 0xffff_ffff_ffff_ffffn;

export const TYPE_BYTES: Readonly<Record<Hdf5Type, number>> = { f2: 2, f4: 4, f8: 8, i4: 4, i8: 8 };

/** Sign bit, exponent (place, bits), mantissa bits, bias: IEEE 754. */
const FLOATS = {
  f2: { exponent: 5, mantissa: 10, bias: 15 },
  f4: { exponent: 8, mantissa: 23, bias: 127 },
  f8: { exponent: 11, mantissa: 52, bias: 1023 },
} as const;

export const MESSAGE = {
  dataspace: 0x01,
  datatype: 0x03,
  fillValue: 0x05,
  layout: 0x08,
  attribute: 0x0c,
  symbolTable: 0x11,
} as const;

export interface Message {
  type: number;
  /** Its length a multiple of 8. */
  data: Buffer;
  /** Bit 0: never changes. */
  flags?: 0 | 1;
}

export const padded = (length: number): number => Math.ceil(length / 8) * 8;

/** `parts` one after the other, then zeros up to a multiple of 8. */
export function filled(...parts: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([bytes], padded(bytes.length));
}

export const u16 = (...values: number[]): Buffer => numbers(values, 2, 'writeUInt16LE');
export const u32 = (...values: number[]): Buffer => numbers(values, 4, 'writeUInt32LE');
export function u64(...values: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * i);
  return bytes;
}
function numbers(values: number[], size: number, write: 'writeUInt16LE' | 'writeUInt32LE'): Buffer {
  const bytes = Buffer.alloc(size * values.length);
  for (const [i, value] of values.entries()) bytes[write](value, size * i);
  return bytes;
}

/** IV.A.2.b: `sides` empty for a scalar; `growing`: the first side has no limit. */
export function dataspace(sides: readonly number[], growing = false): Buffer {
  const limits = sides.length === 0 ? [] : [growing ? UNLIMITED : (sides[0] as number), ...sides.slice(1)];
  return filled(
    Buffer.from([1, sides.length, limits.length > 0 ? 1 : 0, 0, 0, 0, 0, 0]),
    u64(...sides, ...limits),
  );
}

/** IV.A.2.d, not padded: attributes give its length. */
export function datatype(type: Hdf5Type): Buffer {
  const size = TYPE_BYTES[type];
  if (type === 'i4' || type === 'i8') {
    return Buffer.concat([Buffer.from([0x10, 0x08, 0, 0]), u32(size), u16(0, 8 * size)]); // signed
  }
  const { exponent, mantissa, bias } = FLOATS[type];
  const sign = 8 * size - 1;
  const places = Buffer.from([mantissa, exponent, 0, mantissa]);
  return Buffer.concat([Buffer.from([0x11, 0x20, sign, 0]), u32(size), u16(0, 8 * size), places, u32(bias)]);
}

/** Text of variable length in UTF-8, kept in the global heap: what h5py makes of a str. */
function textType(): Buffer {
  const characters = Buffer.concat([Buffer.from([0x10, 0, 0, 0]), u32(1), u16(0, 8)]);
  return Buffer.concat([Buffer.from([0x19, 0x01, 0x01, 0]), u32(16), characters]);
}

/** IV.A.2.f: no value of its own (zeros), written where data is allocated late (2) or chunk by chunk (3). */
export function fillValue(chunked: boolean): Message {
  return { type: MESSAGE.fillValue, data: filled(Buffer.from([2, chunked ? 3 : 2, 2, 1]), u32(0)), flags: 1 };
}

export function contiguousLayout(address: number | bigint, bytes: number): Message {
  return { type: MESSAGE.layout, data: filled(Buffer.from([3, 1]), u64(address, bytes)) };
}

/** One row a chunk, indexed by the B-tree at `address`. */
export function chunkedLayout(address: number | bigint, columns: number, elementBytes: number): Message {
  return {
    type: MESSAGE.layout,
    data: filled(Buffer.from([3, 2, 3]), u64(address), u32(1, columns, elementBytes)),
  };
}

/** IV.A.2.m. `keep` puts a text into the global heap and returns where it is: address of the collection, index within. */
export function attribute(
  name: string,
  value: Hdf5Attribute,
  keep: (text: string) => { address: number; index: number },
): Message {
  const [type, sides, data] = attributeParts(value, keep);
  const title = Buffer.from(`${name}\0`);
  const space = dataspace(sides);
  const sizes = u16(title.length, type.length, space.length);
  const parts = [Buffer.from([1, 0]), sizes, filled(title), filled(type), space, data];
  return { type: MESSAGE.attribute, data: filled(...parts) };
}

function attributeParts(
  value: Hdf5Attribute,
  keep: (text: string) => { address: number; index: number },
): [type: Buffer, sides: readonly number[], data: Buffer] {
  if (typeof value === 'string') {
    const { address, index } = keep(value);
    return [textType(), [], Buffer.concat([u32(Buffer.byteLength(value)), u64(address), u32(index)])];
  }
  const [type, values] = 'int' in value ? (['i8', value.int] as const) : (['f8', value.real] as const);
  const list = typeof values === 'number' ? [values] : values;
  const data = Buffer.alloc(8 * list.length);
  for (const [i, entry] of list.entries()) {
    if (type === 'i8') data.writeBigInt64LE(BigInt(entry), 8 * i);
    else data.writeDoubleLE(entry, 8 * i);
  }
  return [datatype(type), typeof values === 'number' ? [] : [list.length], data];
}

/** IV.A.1.a: the header of one object. */
export function objectHeader(messages: readonly Message[]): Buffer {
  const body = messages.flatMap(({ type, data, flags = 0 }) => [
    u16(type, data.length),
    Buffer.from([flags, 0, 0, 0]),
    data,
  ]);
  const length = body.reduce((sum, { length }) => sum + length, 0);
  return Buffer.concat([Buffer.from([1, 0]), u16(messages.length), u32(1, length, 0), ...body]);
}
