/** stainfold: stain-invariant embeddings for histopathology. The public surface, and nothing else. */
export { writeEmbeddings } from './api/embeddings.js';
export { loadEncoder } from './api/encoder.js';
export { evaluate } from './api/evaluate.js';
export { inspect } from './api/inspect.js';
export { renderManifold } from './api/manifold.js';
export { generatePhantom } from './api/phantom.js';
export {
  bestRow,
  collectReport,
  type Comparison,
  type Conclusion,
  conclude,
  type EvaluationTable,
  formatCell,
  type MetricCell,
  type MetricColumn,
  type ReportData,
  type ReportImage,
  type ReportOptions,
  type ReportTile,
  tabulate,
  writeReport,
} from './api/report.js';
export { encodeTile, readTile } from './api/tile-images.js';
export { listTiles } from './api/tiles.js';
export { train } from './api/train.js';
export { ERRORS, type ErrorCode, StainfoldError } from './errors.js';
export type * from './types.js';
