/** From a whole file to one that lies: bytes turned, cut, repeated and spliced, numbers made absurd, JSON given other members. */

/** What sizes, counts and offsets are when somebody means harm. */
const NUMBERS = [
  '0', '-0', '-1', '1', '2', '0.5', '255', '256', '65535', '65536', '2147483647', '2147483648', '4294967295',
  '4294967296', '9007199254740991', '9007199254740993', '18446744073709551615', '1e308', '-1e308', '1e999',
  '1e-320', 'NaN', 'Infinity', 'null', '0x10', '1e3', ' 7', '',
]; // biome-ignore format: a table
const INTEGERS = [0n, 1n, 2n, 127n, 128n, 255n, 256n, 32767n, 65535n, 65536n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n,
  2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]; // biome-ignore format: a table
/** JSON of what stands where something else is expected. */
const VALUES = [
  'null', 'true', '""', '"x"', '"__proto__"', '"constructor"', '[]', '{}', '[null]', '[[]]', '{"length":9007199254740991}',
  '{"toString":1}', '{"constructor":{"name":{"toString":1}}}', '{"__proto__":{"file":"x"}}', '-1', '0', '0.5', '1e999',
  '9007199254740993', '"\\ud800"', '"\\u0000"', '"\\u001b[31m"',
]; // biome-ignore format: a table
const KEYS = ['"__proto__"', '"constructor"', '"toString"', '"hasOwnProperty"', '"then"', '""', '"length"'];

/** The longest input; long ones are rare. */
const MOST_BYTES = 1 << 18;

/**
 * A new input made of one of `corpus`.
 *
 * @param words Of the format: they are put in as they are.
 */
export function mutated(corpus, random, words = []) {
  let bytes = Buffer.from(random.of(corpus));
  for (let changes = 1 + random.below(6); changes > 0; changes--) {
    bytes = random.of(CHANGES)(bytes, random, { corpus, words });
  }
  return bytes.subarray(0, MOST_BYTES);
}

/** A cut somewhere: [from, to), mostly short. */
function span(bytes, random) {
  const from = random.below(bytes.length + 1);
  const length = random.below(
    random.once(4) ? bytes.length - from + 1 : Math.min(16, bytes.length - from) + 1,
  );
  return [from, from + length];
}

const replaced = (bytes, [from, to], by) =>
  Buffer.concat([bytes.subarray(0, from), typeof by === 'string' ? Buffer.from(by) : by, bytes.subarray(to)]);

/** Where a pattern is found in the text, one of the places at random. */
function found(bytes, random, pattern) {
  const places = [...bytes.toString('latin1').matchAll(pattern)];
  if (places.length === 0) return undefined;
  const { index, 0: text } = random.of(places);
  return { at: [index, index + text.length], text };
}

const CHANGES = [
  function turnBit(bytes, random) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    return bytes;
  },
  function setByte(bytes, random) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  function setInteger(bytes, random) {
    const size = random.of([2, 4, 8]);
    if (bytes.length < size) return bytes;
    const at = random.below(bytes.length - size + 1);
    const near = BigInt(random.below(3)) - 1n;
    const value = BigInt.asUintN(
      8 * size,
      (random.once(4) ? BigInt(bytes.length) : random.of(INTEGERS)) + near,
    );
    const digits = Buffer.from(value.toString(16).padStart(2 * size, '0'), 'hex');
    bytes.set(random.once(3) ? digits : digits.reverse(), at);
    return bytes;
  },
  function cutOff(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function remove(bytes, random) {
    return replaced(bytes, span(bytes, random), '');
  },
  function repeat(bytes, random) {
    const [from, to] = span(bytes, random);
    const times = random.once(40) ? MOST_BYTES : 1 + random.below(4);
    const room = Math.max(0, MOST_BYTES - bytes.length);
    const part = bytes.subarray(from, to);
    if (part.length === 0) return bytes;
    return replaced(bytes, [to, to], Buffer.alloc(Math.min(part.length * times, room), part));
  },
  function splice(bytes, random, { corpus }) {
    const other = random.of(corpus);
    const [from, to] = span(other, random);
    return replaced(bytes, span(bytes, random), other.subarray(from, to));
  },
  function insertWord(bytes, random, { words }) {
    const at = random.below(bytes.length + 1);
    return words.length === 0 ? bytes : replaced(bytes, [at, random.once(2) ? at : at + 1], random.of(words));
  },
  function changeNumber(bytes, random) {
    const number = found(bytes, random, /-?\d+(?:\.\d+)?/g);
    return number ? replaced(bytes, number.at, random.of(NUMBERS)) : bytes;
  },
  function changeValue(bytes, random) {
    const value = found(
      bytes,
      random,
      /"(?:[^"\\]|\\.){0,99}"|-?\d[\d.e+-]*|\[[^[\]]{0,99}\]|\{[^{}]{0,199}\}|true|false|null/g,
    );
    if (!value) return bytes;
    if (random.once(30)) return replaced(bytes, value.at, nest(random, value.text));
    return replaced(bytes, value.at, random.of(VALUES));
  },
  function addMember(bytes, random) {
    const object = found(bytes, random, /\{/g);
    if (!object) return bytes;
    const own = found(bytes, random, /"(?:[^"\\]|\\.){0,99}"/g);
    const key = own && random.once(2) ? own.text : random.of(KEYS);
    return replaced(bytes, object.at, `{${key}:${random.of(VALUES)},`);
  },
  function changeLine(bytes, random) {
    const line = found(bytes, random, /[^\n]{0,200}\n/g);
    if (!line) return bytes;
    return replaced(
      bytes,
      line.at,
      random.of(['', '\n', line.text + line.text, '"', '"\n', ',,,\n', '\0\n', '\r\n']),
    );
  },
];

/** As deep as a parser may be led. */
function nest(random, text) {
  const depth = random.of([40, 2000, 100_000]);
  return random.once(2)
    ? '['.repeat(depth) + text + ']'.repeat(depth)
    : '{"a":'.repeat(depth) + text + '}'.repeat(depth);
}
