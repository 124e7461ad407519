/** What an adapter makes of a public data set's folder. docs/benchmark.md describes each layout. */
export interface Adapted {
  /** Label columns, in order; `site` is one of them. */
  columns: string[];
  tiles: AdaptedTile[];
  skipped: SkippedFile[];
}

export interface AdaptedTile {
  /** Relative to the data set's folder, with forward slashes. */
  file: string;
  labels: Record<string, string>;
}

export interface SkippedFile {
  file: string;
  reason: string;
}

/** The file's name and its folders', the innermost first: a slide's name may stand in any of them. */
export function innermostFirst(file: string): string[] {
  return file.split('/').reverse();
}
