import { permutation } from './order.js';

/** `limit` of the items, evenly spread over them, the first among them. */
export function pickEvenly<Item>(items: readonly Item[], limit: number): Item[] {
  if (items.length <= limit) return [...items];
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)] as Item);
}

/** `limit` of the items in their order, drawn at random but always the same: out of step with any period that they have. */
export function pickScattered<Item>(items: readonly Item[], limit: number): Item[] {
  if (items.length <= limit) return [...items];
  const drawn = permutation(items.length, 0, 0).slice(0, limit).sort();
  return Array.from(drawn, (index) => items[index] as Item);
}
