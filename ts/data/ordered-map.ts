/**
 * Maps `source` by `work`, up to `limit` at a time, and yields the results in the order of the source. No more than `limit`
 * items are ever taken ahead of the consumer. When it ends early (an error, an abort, a `break`), what was started is waited
 * for, so that nothing runs on behind the caller's back.
 */
export async function* orderedMap<Item, Result>(
  source: Iterable<Item> | AsyncIterable<Item>,
  limit: number,
  work: (item: Item, index: number) => Promise<Result>,
  signal?: AbortSignal,
): AsyncGenerator<Result, void, undefined> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const window: Promise<Result>[] = [];
  let taken = 0;
  let exhausted = false;
  try {
    while (true) {
      while (!exhausted && window.length < limit) {
        signal?.throwIfAborted();
        const next = await iterator.next();
        if (next.done === true) {
          exhausted = true;
          break;
        }
        const result = work(next.value, taken++);
        // Its rejection is seen when its turn comes; until then it must not count as unhandled.
        result.catch(() => undefined);
        window.push(result);
      }
      const head = window.shift();
      if (head === undefined) return;
      const value = await head;
      signal?.throwIfAborted();
      yield value;
    }
  } finally {
    await Promise.allSettled(window);
    if (!exhausted) await iterator.return?.();
  }
}
