/** `limit` of the items, evenly spread over them, the first among them. */
export function pickEvenly<Item>(items: readonly Item[], limit: number): Item[] {
  if (items.length <= limit) return [...items];
  return Array.from({ length: limit }, (_, i) => items[Math.floor((i * items.length) / limit)] as Item);
}
