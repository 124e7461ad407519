// A table of what every method of a class does in every state. It is built from the class's own methods, so that a new method
// without a line fails, as does a line without a method.
import { ERRORS } from '../../lib/errors.js';

/** Far above anything here: what takes longer hangs. */
const PATIENCE_MS = 60_000;

/** Names of a class's own methods, `[asyncDispose]` among them; without getters. */
export function methodsOf(prototype) {
  return Reflect.ownKeys(prototype)
    .filter((key) => key !== 'constructor')
    .filter((key) => typeof Object.getOwnPropertyDescriptor(prototype, key).value === 'function')
    .map((key) => (key === Symbol.asyncDispose ? '[asyncDispose]' : String(key)))
    .sort();
}

/** How a call ends: `ok`, or the code of its StainfoldError. Everything else fails the test. */
export async function ending(t, call, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} hangs`)), PATIENCE_MS);
  });
  try {
    const result = await Promise.race([(async () => drained(await call()))(), late]);
    return { end: 'ok', result };
  } catch (error) {
    t.is(error?.name, 'StainfoldError', `${what}: ${error?.stack}`);
    checkError(t, error, what);
    return { end: error.code, error };
  } finally {
    clearTimeout(timer);
  }
}

/** A documented code, one line of fact, and the remedy behind it. */
export function checkError(t, error, what) {
  t.true(Object.hasOwn(ERRORS, error.code), `${what}: ${error.code}`);
  t.true(error.hint.length > 0 && error.message.endsWith(error.hint), `${what}: ${error.message}`);
  t.false(error.message.includes('\n'), `${what}: ${error.message}`);
}

/** An async generator's yield is its result. */
async function drained(value) {
  if (value === null || typeof value !== 'object' || !(Symbol.asyncIterator in value)) return value;
  const all = [];
  for await (const each of value) all.push(each);
  return all;
}

/**
 * @param methods `{ [name]: (object) => result }`, for every method.
 * @param states `{ [name]: async () => ({ object, after? }) }`: a new object in that state; `after` sees to what is under way.
 * @param expected `{ [method]: { [state]: 'ok' | code | [either, or] } }`.
 * @param dispose Called twice in the end, and must not fail.
 */
export async function checkMatrix(t, { prototype, methods, states, expected, dispose }) {
  t.deepEqual(Object.keys(methods).sort(), methodsOf(prototype), 'every method has its line');
  t.deepEqual(Object.keys(expected).sort(), methodsOf(prototype));
  let cells = 0;
  for (const [state, make] of Object.entries(states)) {
    for (const [name, call] of Object.entries(methods)) {
      const what = `${name} when ${state}`;
      const { object, after } = await make();
      const { end } = await ending(t, () => call(object), what);
      t.true([expected[name][state]].flat().includes(end), `${what}: ${end}, not ${expected[name][state]}`);
      await Promise.all([dispose?.(object), dispose?.(object)]);
      await dispose?.(object);
      await after?.();
      cells++;
    }
  }
  t.log(`${cells} cells: ${Object.keys(methods).length} methods, ${Object.keys(states).length} states`);
}

/** What a process must not have: rejections that nobody saw. Call at the top of a test file. */
export function watchRejections(test) {
  const seen = [];
  process.on('unhandledRejection', (reason) => seen.push(reason));
  test.after.always('no rejection was left unhandled', async (t) => {
    await new Promise((done) => setTimeout(done, 20));
    t.deepEqual(seen, []);
  });
}
