/** Vectors of tiles, gathered batch by batch into one matrix. */
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface FeatureMatrix {
  /** [rows,columns]. */
  data: Float32Array;
  rows: number;
  columns: number;
}

/** Values worked on before the event loop gets a turn: about a millisecond. */
const BLOCK = 1 << 19;

export class Features {
  readonly #parts: Float32Array[] = [];
  #rows = 0;

  add(part: Float32Array, rows: number): void {
    this.#parts.push(part);
    this.#rows += rows;
  }

  /** As they were added. */
  matrix(): FeatureMatrix {
    const data = new Float32Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of this.#parts) {
      data.set(part, offset);
      offset += part.length;
    }
    return { data, rows: this.#rows, columns: this.#rows === 0 ? 0 : data.length / this.#rows };
  }
}

/** A copy whose columns have mean 0 and deviation 1 (population) over the rows `by`, or over all. A constant column becomes 0 there. */
export async function standardise(
  matrix: FeatureMatrix,
  by: Uint32Array | undefined,
): Promise<FeatureMatrix> {
  const { rows, columns } = matrix;
  const data = matrix.data.slice();
  const reference = by ?? Uint32Array.from({ length: rows }, (_, row) => row);
  const { mean, scale } = await moments(data, columns, reference);
  await inBlocks(rows, columns, (row) => {
    for (let c = 0, at = row * columns; c < columns; c++, at++) {
      data[at] = ((data[at] as number) - (mean[c] as number)) * (scale[c] as number);
    }
  });
  return { data, rows, columns };
}

async function moments(
  data: Float32Array,
  columns: number,
  reference: Uint32Array,
): Promise<{ mean: Float64Array; scale: Float64Array }> {
  const mean = new Float64Array(columns);
  const variance = new Float64Array(columns);
  const each = (visit: (column: number, value: number) => void): Promise<void> =>
    inBlocks(reference.length, columns, (i) => {
      const start = (reference[i] as number) * columns;
      for (let c = 0; c < columns; c++) visit(c, data[start + c] as number);
    });
  await each((c, value) => {
    mean[c] = (mean[c] as number) + value / reference.length;
  });
  await each((c, value) => {
    variance[c] = (variance[c] as number) + (value - (mean[c] as number)) ** 2 / reference.length;
  });
  // Rounding leaves a constant column with a deviation of about 1e-8 of its size: that is not a scale to divide by.
  const scale = variance.map((v, c) => {
    const deviation = Math.sqrt(v);
    return deviation > 1e-6 * Math.max(1e-6, Math.abs(mean[c] as number)) ? 1 / deviation : 1;
  });
  return { mean, scale };
}

async function inBlocks(rows: number, columns: number, visit: (row: number) => void): Promise<void> {
  const rowsPerBlock = Math.max(1, Math.floor(BLOCK / Math.max(1, columns)));
  for (let start = 0; start < rows; start += rowsPerBlock) {
    const end = Math.min(rows, start + rowsPerBlock);
    for (let row = start; row < end; row++) visit(row);
    await nextTurn();
  }
}
