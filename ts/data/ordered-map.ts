/**
 * Maps `source` by `work`, up to `limit` at a time, and yields the results in the order of the source. No more than `limit`
 * items are ever taken ahead of the consumer. When it ends early (an error, an abort, a `break`), what was started is waited
 * for, so that nothing runs on behind the caller's back. What is there already costs no turn of promises: a hundred thousand
 * decoded tiles may pass.
 */
export async function* orderedMap<Item, Result>(
  source: Iterable<Item> | AsyncIterable<Item>,
  limit: number,
  work: (item: Item, index: number) => Promise<Result> | Result,
  signal?: AbortSignal,
): AsyncGenerator<Result, void, undefined> {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const waits = Symbol.asyncIterator in source;
  const window: (Promise<Result> | Result)[] = [];
  let taken = 0;
  let exhausted = false;
  try {
    while (true) {
      while (!exhausted && window.length < limit) {
        signal?.throwIfAborted();
        const step = iterator.next();
        const next = waits ? await step : (step as IteratorResult<Item>);
        if (next.done === true) {
          exhausted = true;
          break;
        }
        const result = work(next.value, taken++);
        // Its rejection is seen when its turn comes; until then it must not count as unhandled.
        if (result instanceof Promise) result.catch(() => undefined);
        window.push(result);
      }
      if (window.length === 0) return;
      const head = window.shift() as Promise<Result> | Result;
      const value = head instanceof Promise ? await head : head;
      signal?.throwIfAborted();
      yield value;
    }
  } finally {
    await Promise.allSettled(window);
    if (!exhausted) await iterator.return?.();
  }
}
