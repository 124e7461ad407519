import type { Evaluation, ModelInfo, TrainProgress } from '../types.js';

/** An encoded picture, embedded into the page as it is. */
export interface ReportImage {
  mime: 'image/png' | 'image/jpeg' | 'image/webp';
  data: Uint8Array;
}

/** One sample tile. Samples of one batch make a row of the page. */
export interface ReportTile {
  file: string;
  batch: string;
  label: string | null;
  original: ReportImage;
  /** What the decoder draws from the tile's embedding. */
  reconstruction?: ReportImage;
}

/** Everything a report shows. What is absent gives no section. */
export interface ReportData {
  /** Default: `Stain invariance by <batch column>`. */
  title?: string;
  /** One, or one for each seed; pictures are of the first. */
  evaluation: Evaluation | readonly Evaluation[];
  /** The model that was evaluated. */
  model?: ModelInfo;
  /** The batch that the model and the probe were trained on. */
  source?: string;
  /** The command line that made it. */
  command?: string;
  /** Further facts, shown in the order given: `{ 'Duration': '4 min' }`. */
  facts?: Record<string, string>;
  tiles?: readonly ReportTile[];
  /** Steps of the training, as metrics.jsonl holds them. */
  training?: readonly TrainProgress[];
  /** Default: now. */
  created?: Date;
}
