// The same elements in memory of every kind, and ways to take memory away while somebody reads it.
import { createHash } from 'node:crypto';
import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--expose-gc');
/** Collects garbage at once. */
export const collect = vm.runInNewContext('gc');

const bytesOf = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);

/** `Kind.from(array)`'s elements at `offset` bytes into memory that `allocate` gives. */
function placed(array, allocate, offset) {
  const buffer = allocate(offset + array.byteLength + 16);
  const view = new array.constructor(buffer, offset, array.length);
  view.set(array);
  return view;
}

const wide = { maxByteLength: 2 ** 26 };

/** Memory that may be read where it lies, or copied: the elements decide. */
export const STEADY = {
  'of its own': (array) => array.slice(),
  'at an odd place': (array) => placed(array, (size) => new ArrayBuffer(size), array.BYTES_PER_ELEMENT * 3),
  shared: (array) => placed(array, (size) => new SharedArrayBuffer(size), array.BYTES_PER_ELEMENT),
  'shared and growable': (array) => placed(array, (size) => new SharedArrayBuffer(size, wide), 0),
};

/** Memory that can shrink. */
export const RESIZABLE = {
  resizable: (array) => placed(array, (size) => new ArrayBuffer(size, wide), array.BYTES_PER_ELEMENT),
  'tracking a resizable length': (array) => {
    const view = new array.constructor(new ArrayBuffer(array.byteLength, wide));
    view.set(array);
    return view;
  },
};

/** What is no longer there. */
export const GONE = {
  transferred: (array) => {
    const own = array.slice();
    structuredClone(own.buffer, { transfer: [own.buffer] });
    return own;
  },
  'out of bounds': (array) => {
    const view = RESIZABLE.resizable(array);
    view.buffer.resize(0);
    return view;
  },
};

/** What callers may do to an array whose call is under way; the kind of memory that it can be done to. */
export const DISTURBANCES = {
  transferred: {
    of: STEADY['of its own'],
    disturb: ({ buffer }) => {
      structuredClone(buffer, { transfer: [buffer] });
      collect(); // what was transferred is nobody's now
    },
  },
  overwritten: { of: STEADY['of its own'], disturb: (array) => array.fill(7) },
  shrunk: { of: RESIZABLE.resizable, disturb: ({ buffer }) => buffer.resize(1) },
  grown: { of: RESIZABLE['tracking a resizable length'], disturb: ({ buffer }) => buffer.resize(2 ** 22) },
};

/** Results by their bytes. */
export const digest = (result) =>
  createHash('sha256')
    .update(JSON.stringify(plain(result)))
    .digest('hex');

function plain(value) {
  if (ArrayBuffer.isView(value))
    return [
      value instanceof Uint8Array ? 'Uint8Array' : value.constructor.name,
      Buffer.from(bytesOf(value)).toString('base64'),
    ];
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return String(value);
  return Object.entries(value).map(([key, each]) => [key, plain(each)]);
}

/** Every typed array among arguments, however deep, as `{ path, array, swap(other) -> arguments }`. */
export function* arraysIn(args) {
  const walk = function* (value, path, rebuild) {
    if (ArrayBuffer.isView(value)) yield { path, array: value, swap: (other) => rebuild(other) };
    else if (Array.isArray(value)) {
      for (const [i, each] of value.entries())
        yield* walk(each, `${path}[${i}]`, (it) =>
          rebuild(value.with?.(i, it) ?? value.map((old, k) => (k === i ? it : old))),
        );
    } else if (value !== null && typeof value === 'object') {
      for (const [key, each] of Object.entries(value))
        yield* walk(each, `${path}.${key}`, (it) => rebuild({ ...value, [key]: it }));
    }
  };
  yield* walk(args, '', (it) => it);
}
