/** Encoders for other runtimes: types. */
import type { ModelInfo } from '../types.js';

export interface ExportOnnxOptions {
  /** model.safetensors or checkpoint.safetensors, or the name of a model that comes with the package. */
  model: string;
  /** The .onnx file to write; one that is there is replaced. */
  out: string;
  signal?: AbortSignal;
}

/** What was written. `N`, the number of tiles, is free. */
export interface ExportedOnnx {
  /** Absolute. */
  path: string;
  bytes: number;
  /** Version of the operator set. */
  opset: number;
  /** RGB pixels, 0 to 255: normalised inside. */
  input: { name: string; type: 'uint8'; shape: ['N', height: number, width: number, channels: 3] };
  output: { name: string; type: 'float32'; shape: ['N', dimensions: number] };
  /** The model's description; the file's metadata holds it as JSON under `stainfold`. */
  info: ModelInfo;
}
