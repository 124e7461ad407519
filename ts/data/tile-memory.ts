/**
 * Memory that tiles pass through on their way to the native core. New memory costs a fault for each of its pages, and soon a
 * garbage collection: what nobody reads any more serves the next tiles of that size.
 */

/** Bytes that wait to be used again, at most: four batches of 64 tiles of 224 px are 37 MiB. */
const MOST = 64 * 2 ** 20;

const free = new Map<number, Uint8Array[]>();
const lent = new WeakSet<Uint8Array>();
let waiting = 0;

/** Of any content. Whoever does not give it back leaves it to the garbage collector. */
export function tileMemory(bytes: number): Uint8Array {
  const memory = free.get(bytes)?.pop();
  if (memory === undefined) {
    const made = Buffer.allocUnsafeSlow(bytes);
    lent.add(made);
    return made;
  }
  waiting -= bytes;
  lent.add(memory);
  return memory;
}

/** Memory of `tileMemory()` that nobody will read again; nothing happens to other memory, nor the second time. */
export function giveBack(memory: Uint8Array): void {
  if (!lent.delete(memory) || waiting + memory.length > MOST) return;
  waiting += memory.length;
  const others = free.get(memory.length);
  if (others === undefined) free.set(memory.length, [memory]);
  else others.push(memory);
}
