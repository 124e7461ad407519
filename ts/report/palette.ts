/** Okabe and Ito's palette, told apart by colour-blind readers; its black gives way to a grey seen on light and dark pages. */
const OKABE_ITO = [
  '#0072B2',
  '#E69F00',
  '#009E73',
  '#CC79A7',
  '#56B4E9',
  '#D55E00',
  '#F0E442',
  '#8A8A8A',
] as const;

/** A colour for each name, in the order given; beyond eight they repeat. */
export function colours(names: readonly string[]): Map<string, string> {
  return new Map(names.map((name, i) => [name, OKABE_ITO[i % OKABE_ITO.length] ?? OKABE_ITO[0]]));
}
