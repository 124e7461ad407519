/** The metrics' part of the contract with stainfold.node. Label arrays have an entry for each row, none negative. */

/** A matrix of row vectors. */
export interface NativeMatrix {
  data: Float32Array | Float64Array;
  rows: number;
  columns: number;
}

export interface NativeMetrics {
  silhouette(z: NativeMatrix, labels: Int32Array, distance: 'euclidean' | 'cosine'): Promise<Float64Array>;
  knnPredict(z: NativeMatrix, labels: Int32Array, k: number): Promise<Int32Array>;
  lisi(z: NativeMatrix, labels: Int32Array, k: number): Promise<number>;
  /**
   * knnPredict, lisi and kBET's rejection rate from one search. With groups, two at least, also what the k nearest rows of other
   * groups predict, or as many as there are.
   */
  neighbourScores(
    z: NativeMatrix,
    labels: Int32Array,
    k: number,
    groups: Int32Array | null,
  ): Promise<{
    predicted: Int32Array;
    predictedOtherGroups: Int32Array | null;
    lisi: number;
    kbet: number;
  }>;
  /** units: how many rows or groups were permuted. */
  permanova(
    z: NativeMatrix,
    labels: Int32Array,
    groups: Int32Array | null,
    permutations: number,
    seed: number,
  ): Promise<{ r2: number; f: number; p: number; units: number }>;
  /** Sums [batches,batches], row-major: from the row's batch to the column's. */
  retrieve(
    z: NativeMatrix,
    batches: Int32Array,
    pairs: Int32Array,
  ): Promise<{ queries: Float64Array; gallery: Float64Array; top1: Float64Array; top5: Float64Array }>;
  kmeans(z: NativeMatrix, clusters: number, seed: number): Promise<Int32Array>;
  frechetDistance(a: NativeMatrix, b: NativeMatrix): Promise<number>;
  auroc(scores: Float64Array, positive: Uint8Array): number;
  accuracy(predicted: Int32Array, truth: Int32Array): number;
  balancedAccuracy(predicted: Int32Array, truth: Int32Array): number;
  f1Binary(predicted: Int32Array, truth: Int32Array): number;
  f1Macro(predicted: Int32Array, truth: Int32Array): number;
  adjustedRandIndex(a: Int32Array, b: Int32Array): number;
  /** -> class probabilities [test.rows, classes], row-major. */
  linearProbe: NativeProbe;
  /** -> decision values [test.rows, classes]. */
  ridgeProbe: NativeProbe;
  /** The last argument is k. -> shares of the votes [test.rows, classes]. */
  knnProbe: NativeProbe;
  /** scores [N,classes] -> [resamples,3]: balanced accuracy, macro F1, AUROC. */
  bootstrapScores(
    scores: NativeMatrix,
    truth: Int32Array,
    clusters: Int32Array,
    resamples: number,
    seed: number,
  ): Promise<Float64Array>;
  /** -> [resamples]. */
  bootstrapRandIndex(
    a: Int32Array,
    b: Int32Array,
    clusters: Int32Array,
    resamples: number,
    seed: number,
  ): Promise<Float64Array>;
  /** -> [rows, components], row-major. */
  principalComponents(z: NativeMatrix, components: number): Promise<Float64Array>;
  /** pixels [count,height,width,3] -> [count,30]. */
  colourStatistics(pixels: Uint8Array, count: number, height: number, width: number): Promise<Float32Array>;
}

export type NativeProbe = (
  train: NativeMatrix,
  labels: Int32Array,
  test: NativeMatrix,
  penalty: number,
) => Promise<Float64Array>;
