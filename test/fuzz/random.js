/** A seeded generator (xorshift32): the same seed gives the same inputs on every machine. */
export function randomOf(seed) {
  let state = (seed * 2654435761) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  const below = (limit) => next() % limit;
  return {
    /** 0 to limit - 1 */
    below,
    /** True once in `times`. */
    once: (times) => below(times) === 0,
    of: (list) => list[below(list.length)],
  };
}
