/** Types of the adapters of public data sets. docs/benchmark.md describes each layout. */

export type ManifestLayout = 'tcga' | 'camelyon16' | 'midog';

export interface CreateManifestOptions {
  layout: ManifestLayout;
  /** The data set's folder. */
  folder: string;
  /** CSV to write. Its folder must exist; MIDOG's patches go to `patches` beside it. */
  out: string;
  /** CSV with a `slide` or `patient` column: its other columns are joined to each tile, in place of those of the same name. */
  labels?: string;
  /** MIDOG: side of a patch in pixels, a multiple of 32 from 32 to 1024. Default 128. */
  tileSize?: number;
  /** MIDOG: the JSON file. Default: the one in the folder or in its `databases`. */
  annotations?: string;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export interface CreatedManifest {
  /** Absolute. */
  manifest: string;
  columns: string[];
  tiles: number;
  /** Tiles by site. */
  sites: Record<string, number>;
  skipped: { file: string; reason: string }[];
}
