/**
 * The encoder of native/src/models/encoder.cpp as an ONNX graph, folded as for inference: norms in the convolutions, the
 * pixels' scale in the stem. How many blocks there are, and how wide, is read from the tensors.
 */
import { ATTRIBUTE, ONNX_TYPE, type OnnxGraph, type OnnxNode, type OnnxTensor } from '../data/onnx.js';
import { StainfoldError } from '../errors.js';

/** A tensor by its name in a model file, float32, row-major. */
export interface FloatTensor {
  shape: readonly number[];
  data: Float32Array;
}

export const ONNX_INPUT = 'tiles';
export const ONNX_OUTPUT = 'embedding';

// As native/src/models: encoder.cpp, conv_norm.cpp, grid.h.
const PIXEL_MEAN = 0.6;
const PIXEL_DEVIATION = 0.25;
const NORM_EPSILON = 1e-5;
const LAYOUT = 4;
const STRIDE = 32; // of a feature, in pixels
const STAGES = 4;

/** Throws STAINFOLD_WEIGHTS where tensors are missing or do not fit. */
export function encoderGraph(
  tensors: ReadonlyMap<string, FloatTensor>,
  { tileSize, latent }: { tileSize: number; latent: number },
): OnnxGraph {
  const graph = new GraphBuilder(tensors);
  // Pixels of the mean are 0, as the convolution's padding is; (p/255 - mean)/deviation is (p - 255 mean)/(255 deviation).
  const float = graph.add('Cast', [ONNX_INPUT], { to: ONNX_TYPE.float });
  const centred = graph.add('Sub', [float, graph.constant('pixel_mean', [], [255 * PIXEL_MEAN])]);
  const pixels = graph.add('Transpose', [centred], { perm: [0, 3, 1, 2] });

  let x = graph.relu(graph.conv(pixels, 'stem', { stride: 2, scale: 1 / (255 * PIXEL_DEVIATION) }));
  for (let stage = 1; stage <= STAGES; stage++) {
    for (let block = 0; block === 0 || graph.has(`stage${stage}.${block}.conv1.weight`); block++) {
      const name = `stage${stage}.${block}`;
      const stride = block === 0 ? 2 : 1;
      const inner = graph.relu(graph.conv(x, `${name}.conv1`, { stride }));
      const outer = graph.conv(inner, `${name}.conv2`);
      const skip = graph.has(`${name}.skip.weight`) ? graph.conv(x, `${name}.skip`, { stride }) : x;
      x = graph.relu(graph.add('Add', [outer, skip]));
    }
  }

  const what = graph.add('Flatten', [graph.add('GlobalAveragePool', [x])], { axis: 1 });
  const where = graph.add('Flatten', [toLayout(graph, graph.conv(x, 'layout'), tileSize / STRIDE)], {
    axis: 1,
  });
  const both = graph.add('Concat', [what, where], { axis: 1 });
  graph.linear(both, 'head', latent, ONNX_OUTPUT);
  return {
    name: 'encoder',
    nodes: graph.made,
    initializers: graph.initializers,
    inputs: [
      value(ONNX_INPUT, ONNX_TYPE.uint8, ['N', tileSize, tileSize, 3], 'RGB pixels, 0 to 255, as decoded'),
    ],
    outputs: [value(ONNX_OUTPUT, ONNX_TYPE.float, ['N', latent], 'a row for each tile')],
  };
}

/** Averages [N,C,side,side] to [N,C,LAYOUT,LAYOUT] in the bins of adaptive average pooling. */
function toLayout(graph: GraphBuilder, x: string, side: number): string {
  if (side === LAYOUT) return x;
  const matrix = new Float32Array(LAYOUT * side);
  const transposed = new Float32Array(side * LAYOUT);
  for (let i = 0; i < LAYOUT; i++) {
    const begin = Math.floor((i * side) / LAYOUT);
    const end = Math.ceil(((i + 1) * side) / LAYOUT);
    for (let j = begin; j < end; j++) {
      matrix[i * side + j] = 1 / (end - begin);
      transposed[j * LAYOUT + i] = 1 / (end - begin);
    }
  }
  const rows = graph.add('MatMul', [graph.constant('layout_rows', [LAYOUT, side], matrix), x]);
  return graph.add('MatMul', [rows, graph.constant('layout_columns', [side, LAYOUT], transposed)]);
}

function value(name: string, type: number, dims: (string | number)[], doc: string) {
  const shape = dims.map((dim) => (typeof dim === 'string' ? { symbol: dim } : { size: dim }));
  return { name, doc, type: { tensor: { type, shape: { dims: shape } } } };
}

class GraphBuilder {
  readonly made: OnnxNode[] = [];
  readonly initializers: OnnxTensor[] = [];
  readonly #tensors: ReadonlyMap<string, FloatTensor>;

  constructor(tensors: ReadonlyMap<string, FloatTensor>) {
    this.#tensors = tensors;
  }

  has(name: string): boolean {
    return this.#tensors.has(`encoder.${name}`);
  }

  /** Returns the name of what it gives. */
  add(
    type: string,
    inputs: string[],
    attributes: Record<string, number | number[]> = {},
    output?: string,
  ): string {
    const name = `${type}_${this.made.length}`;
    const made = output ?? `${name}_out`;
    this.made.push({
      name,
      type,
      inputs,
      outputs: [made],
      attributes: Object.entries(attributes).map(([key, given]) =>
        Array.isArray(given)
          ? { name: key, type: ATTRIBUTE.ints, ints: given }
          : { name: key, type: ATTRIBUTE.int, int: given },
      ),
    });
    return made;
  }

  constant(name: string, dims: number[], data: ArrayLike<number>): string {
    this.initializers.push({ name, dims, type: ONNX_TYPE.float, data: littleEndian(data) });
    return name;
  }

  relu(x: string): string {
    return this.add('Relu', [x]);
  }

  /** A convolution with its norm folded into it; its input is multiplied by `scale` first. */
  conv(x: string, name: string, { stride = 1, scale = 1 } = {}): string {
    const { shape, data } = this.#get(`${name}.weight`, 4);
    const [out, into, kernel] = shape as [number, number, number, number];
    const [gamma, beta, mean, variance] = ['gamma', 'beta', 'mean', 'variance'].map(
      (part) => this.#get(`${name}.${part}`, 1, out).data,
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const weight = new Float32Array(data.length);
    const bias = new Float32Array(out);
    const row = into * kernel * kernel;
    for (let o = 0; o < out; o++) {
      const factor = at(gamma, o) / Math.sqrt(at(variance, o) + NORM_EPSILON);
      bias[o] = at(beta, o) - at(mean, o) * factor;
      for (let i = o * row; i < (o + 1) * row; i++) weight[i] = at(data, i) * factor * scale;
    }
    const padding = kernel >> 1;
    return this.add(
      'Conv',
      [x, this.constant(`${name}.weight`, [...shape], weight), this.constant(`${name}.bias`, [out], bias)],
      {
        kernel_shape: [kernel, kernel],
        strides: [stride, stride],
        pads: [padding, padding, padding, padding],
      },
    );
  }

  linear(x: string, name: string, out: number, output: string): void {
    const { shape, data } = this.#get(`${name}.weight`, 2, out);
    const weight = this.constant(`${name}.weight`, [...shape], data);
    const bias = this.constant(`${name}.bias`, [out], this.#get(`${name}.bias`, 1, out).data);
    this.add('Gemm', [x, weight, bias], { transB: 1 }, output);
  }

  #get(name: string, rank: number, first?: number): FloatTensor {
    const tensor = this.#tensors.get(`encoder.${name}`);
    if (tensor === undefined) throw new StainfoldError('STAINFOLD_WEIGHTS', `'encoder.${name}' is missing`);
    if (tensor.shape.length !== rank || (first !== undefined && tensor.shape[0] !== first)) {
      const wanted = `${rank} dimensions${first === undefined ? '' : `, the first of them ${first}`}`;
      throw new StainfoldError(
        'STAINFOLD_WEIGHTS',
        `'encoder.${name}' must have ${wanted}, got [${tensor.shape.join(', ')}]`,
      );
    }
    return tensor;
  }
}

const at = (values: Float32Array, index: number): number => values[index] as number;

/** ONNX's raw_data is little-endian, as every machine is that LibTorch runs on. */
function littleEndian(data: ArrayLike<number>): Uint8Array {
  const floats = data instanceof Float32Array ? data : Float32Array.from(data);
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
}
