/** stainfold: stain-invariant embeddings for histopathology. The public surface, and nothing else. */
export { attributionSheet } from './api/attribution.js';
export { audit } from './api/audit.js';
export {
  BENCHMARK_EXAMPLE,
  BENCHMARK_ROWS,
  type BenchmarkTable,
  benchmark,
  benchmarkMarkdown,
  benchmarkTables,
  readBenchmarkConfig,
} from './api/benchmark.js';
export { fitColourStatistics } from './api/colour-statistics.js';
export { createManifest } from './api/create-manifest.js';
export { type DoctorCheck, type DoctorOptions, type DoctorReport, doctor } from './api/doctor.js';
export { embedSlides } from './api/embed-slides.js';
export { writeEmbeddings } from './api/embeddings.js';
export { loadEncoder } from './api/encoder.js';
export { evaluate } from './api/evaluate.js';
export { exportOnnx } from './api/export-onnx.js';
export { readFeatures, writeFeatures } from './api/features.js';
export { findSlides } from './api/find-slides.js';
export { inspect } from './api/inspect.js';
export {
  type InstalledLibTorch,
  type InstallOptions,
  type InstallProgress,
  installLibTorch,
  type LibTorchTree,
  type LibTorchVariant,
  listLibTorch,
  type ResolvedLibTorch,
  type ResolveOptions,
  removeLibTorch,
  resolveLibTorch,
  type VerifyOptions,
  type VerifyReport,
  verifyLibTorch,
} from './api/libtorch.js';
export { renderManifold, writeManifoldSheet } from './api/manifold.js';
export { normalizeSlide, sampleTissue } from './api/normalize-slide.js';
export { openSlide } from './api/open-slide.js';
export { fitOutliers, writeScores } from './api/outliers.js';
export { checkPack, packTiles } from './api/pack.js';
export { generatePhantom } from './api/phantom.js';
export { PRETRAINED } from './api/pretrained.js';
export { createProfiler } from './api/profiler.js';
export {
  BETTER_SIGNS,
  type Better,
  bestRow,
  type Comparison,
  type Conclusion,
  collectReport,
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
export {
  planSetup,
  runSetup,
  type SetupOptions,
  type SetupPlan,
  type SetupRun,
  type SetupStep,
} from './api/setup.js';
export { writeSlideReport } from './api/slide-report.js';
export { nearestSlides, readSlideVectors } from './api/slide-vectors.js';
export { normalizeTiles } from './api/stain-normalize-tiles.js';
export { StainNormalizer } from './api/stain-normalizer.js';
export { separate } from './api/stain-separate.js';
export { separateTiles } from './api/stain-separate-tiles.js';
export { encodeTile, readTile } from './api/tile-images.js';
export { slideTiles, tileSlide } from './api/tile-slide.js';
export { tilesGeoJson, writeTiles } from './api/tile-table.js';
export { listTiles } from './api/tiles.js';
export { train } from './api/train.js';
export { writeSlide } from './api/write-slide.js';
export { ERRORS, type ErrorCode, StainfoldError } from './errors.js';
export type * from './types.js';
