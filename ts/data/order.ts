/**
 * The order tiles are visited in. A function of (seed, epoch, count) alone, so that a run that is stopped in the middle of
 * an epoch finds its place again.
 */

/** splitmix32 (after Steele et al., OOPSLA 2014), seeded through its own finaliser by two words and a stream number. */
function generator(seed: number, stream: number): () => number {
  const mix = (word: number): number => {
    let x = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  };
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  let state = mix(mix(mix(low) ^ high) ^ stream);
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    return mix(state);
  };
}

/** The numbers 0 to count-1 in a random order (Fisher-Yates, unbiased by rejection). */
export function permutation(count: number, seed: number, stream: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const next = generator(seed, stream);
  for (let i = count - 1; i > 0; i--) {
    const bound = i + 1;
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let draw = next();
    while (draw >= limit) draw = next();
    const j = draw % bound;
    const held = order[i] as number;
    order[i] = order[j] as number;
    order[j] = held;
  }
  return order;
}
