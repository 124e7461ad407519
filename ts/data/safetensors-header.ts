/**
 * The header of a safetensors file (github.com/huggingface/safetensors): 8 bytes of length, that many bytes of JSON, then
 * the tensors. Everything a damaged or hostile file could claim is checked before any of it is believed.
 */
import { StainfoldError } from '../errors.js';

const BYTES_PER_ELEMENT = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsDtype = keyof typeof BYTES_PER_ELEMENT;

export interface TensorSpec<Dtype extends string = SafetensorsDtype> {
  name: string;
  dtype: Dtype;
  shape: number[];
}

/** A tensor and where its bytes are, counted from the start of the file. */
export interface TensorEntry extends TensorSpec {
  start: number;
  end: number;
}

export interface SafetensorsHeader {
  metadata: Record<string, string>;
  /** In the order of their bytes. */
  tensors: TensorEntry[];
}

/** The format's own limit. */
export const HEADER_LIMIT = 100_000_000;

const isDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === 'string' && Object.hasOwn(BYTES_PER_ELEMENT, value);

export function tensorBytes({ dtype, shape }: TensorSpec): number {
  return shape.reduce((product, side) => product * side, BYTES_PER_ELEMENT[dtype]);
}

/** Length and JSON, padded with spaces so that the tensors begin at a multiple of 8. */
export function encodeHeader(specs: readonly TensorSpec[], metadata: Record<string, string>): Uint8Array {
  const entries: string[] = [];
  const add = (name: string, value: unknown): void => {
    entries.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  };
  if (Object.keys(metadata).length > 0) add('__metadata__', metadata);
  let offset = 0;
  for (const spec of specs) {
    const end = offset + tensorBytes(spec);
    add(spec.name, { dtype: spec.dtype, shape: spec.shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = Buffer.from(`{${entries.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const header = Buffer.alloc(8 + length, ' ');
  header.writeBigUInt64LE(BigInt(length), 0);
  json.copy(header, 8);
  return header;
}

/** The length of the JSON, from the file's first 8 bytes. */
export function decodeHeaderLength(prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < 8) throw damaged(`a file of ${fileBytes} bytes has no header`);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true));
  if (length > HEADER_LIMIT) throw damaged(`the header claims ${length} bytes, the limit is ${HEADER_LIMIT}`);
  if (8 + length > fileBytes) throw damaged(`the header claims ${length} bytes, the file has ${fileBytes}`);
  return length;
}

/** Parses and checks the JSON of a file of `fileBytes` bytes. */
export function decodeHeader(json: Uint8Array, fileBytes: number): SafetensorsHeader {
  const text = decodeText(json);
  const parsed = parseObject(text);
  const twice = duplicateKey(text);
  if (twice !== undefined) throw damaged(`the name '${twice}' occurs twice`);

  const dataStart = 8 + json.length;
  const metadata: Record<string, string> = {};
  const tensors: TensorEntry[] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') Object.assign(metadata, checkMetadata(value));
    else tensors.push(checkTensor(name, value, dataStart));
  }
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  let offset = dataStart;
  for (const { name, start, end } of tensors) {
    if (start < offset) throw damaged(`tensor '${name}' overlaps the one before it`);
    if (start > offset) throw damaged(`there are ${start - offset} unused bytes before tensor '${name}'`);
    offset = end;
  }
  if (offset !== fileBytes) throw damaged(`the tensors end at byte ${offset}, the file at ${fileBytes}`);
  return { metadata, tensors };
}

export function damaged(detail: string): StainfoldError {
  return new StainfoldError('STAINFOLD_SAFETENSORS', `Not a safetensors file: ${detail}`);
}

function decodeText(json: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(json);
  } catch {
    throw damaged('the header is not UTF-8');
  }
}

function parseObject(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw damaged('the header is not JSON');
  }
  if (!isObject(parsed)) throw damaged('the header is not a JSON object');
  return parsed;
}

/** A value of the header for a message: lists of lists may be too deep to be written. */
function shown(value: unknown): string {
  if (Array.isArray(value))
    return `[${value.map((item) => (typeof item === 'object' ? '…' : String(item)))}]`;
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON.parse keeps the last of two equal names and says nothing. `text` is known to be valid JSON. */
function duplicateKey(text: string): string | undefined {
  const scopes: (Set<string> | null)[] = [];
  let candidate: number | undefined;
  let stringEnd = 0;
  // No pattern for whole strings: a long one would overflow the stack of the matcher.
  for (const { 0: token, index } of text.matchAll(/["{}[\]:]/g)) {
    if (index < stringEnd) continue;
    if (token === '"') {
      stringEnd = endOfString(text, index);
      candidate = index;
    } else if (token === '{') scopes.push(new Set());
    else if (token === '[') scopes.push(null);
    else if (token === '}' || token === ']') scopes.pop();
    else if (candidate !== undefined) {
      const name: string = JSON.parse(text.slice(candidate, stringEnd));
      const scope = scopes.at(-1);
      if (scope?.has(name)) return name;
      scope?.add(name);
    }
  }
  return undefined;
}

/** Behind the quote that closes the one at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
}

function checkMetadata(value: unknown): Record<string, string> {
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== 'string')) {
    throw damaged('its metadata is not a map of strings');
  }
  return value as Record<string, string>;
}

function checkTensor(name: string, value: unknown, dataStart: number): TensorEntry {
  if (!isObject(value)) throw damaged(`the entry of tensor '${name}' is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) throw damaged(`tensor '${name}' has the unknown type ${shown(dtype)}`);
  if (!isCounts(shape)) throw damaged(`tensor '${name}' has the shape ${shown(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw damaged(`tensor '${name}' has the offsets ${shown(offsets)}`);
  }
  const [start, end] = offsets as [number, number];
  const spec = { name, dtype, shape };
  if (end - start !== tensorBytes(spec)) {
    throw damaged(
      `tensor '${name}', ${dtype} [${shape}], has ${tensorBytes(spec)} bytes, its offsets ${end - start}`,
    );
  }
  return { ...spec, start: dataStart + start, end: dataStart + end };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((side) => Number.isSafeInteger(side) && side >= 0);
}
