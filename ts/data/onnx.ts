/**
 * ONNX files (github.com/onnx/onnx, onnx.proto3), as far as an encoder needs them: the messages with their field numbers, and
 * their encoding.
 */
import protobuf from 'protobufjs/minimal.js';

export interface OnnxModel {
  irVersion: number;
  opsets: { domain: string; version: number }[];
  producer: string;
  doc: string;
  graph: OnnxGraph;
  metadata: { key: string; value: string }[];
}

export interface OnnxGraph {
  name: string;
  nodes: OnnxNode[];
  initializers: OnnxTensor[];
  inputs: OnnxValue[];
  outputs: OnnxValue[];
}

export interface OnnxNode {
  name: string;
  type: string;
  inputs: string[];
  outputs: string[];
  attributes: OnnxAttribute[];
}

export type OnnxAttribute = { name: string } & (
  | { type: typeof ATTRIBUTE.int; int: number }
  | { type: typeof ATTRIBUTE.ints; ints: number[] }
);

export interface OnnxTensor {
  name: string;
  dims: number[];
  type: number;
  /** Little-endian, row-major. */
  data: Uint8Array;
}

export interface OnnxValue {
  name: string;
  doc: string;
  type: { tensor: { type: number; shape: { dims: ({ size: number } | { symbol: string })[] } } };
}

export const ATTRIBUTE = { int: 2, ints: 7 } as const;
/** Types of elements. */
export const ONNX_TYPE = { float: 1, uint8: 2 } as const;

type Scalar = 'string' | 'int64' | 'bytes';
type Fields = Record<string, [number: number, type: Scalar | MessageName]>;
type MessageName = 'opset' | 'entry' | 'graph' | 'node' | 'attribute' | 'tensor' | 'value' | 'type' | 'tensorType' | 'shape' | 'dim'; // biome-ignore format: one list

/** Field numbers of onnx.proto3 under our names. */
const MESSAGES: Record<MessageName | 'model', Fields> = {
  model: {
    irVersion: [1, 'int64'],
    producer: [2, 'string'],
    doc: [6, 'string'],
    graph: [7, 'graph'],
    opsets: [8, 'opset'],
    metadata: [14, 'entry'],
  },
  opset: { domain: [1, 'string'], version: [2, 'int64'] },
  entry: { key: [1, 'string'], value: [2, 'string'] },
  graph: {
    nodes: [1, 'node'],
    name: [2, 'string'],
    initializers: [5, 'tensor'],
    inputs: [11, 'value'],
    outputs: [12, 'value'],
  },
  node: {
    inputs: [1, 'string'],
    outputs: [2, 'string'],
    name: [3, 'string'],
    type: [4, 'string'],
    attributes: [5, 'attribute'],
  },
  attribute: { name: [1, 'string'], int: [3, 'int64'], ints: [8, 'int64'], type: [20, 'int64'] },
  tensor: { dims: [1, 'int64'], type: [2, 'int64'], name: [8, 'string'], data: [9, 'bytes'] },
  value: { name: [1, 'string'], type: [2, 'type'], doc: [3, 'string'] },
  type: { tensor: [1, 'tensorType'] },
  tensorType: { type: [1, 'int64'], shape: [2, 'shape'] },
  shape: { dims: [1, 'dim'] },
  dim: { size: [1, 'int64'], symbol: [2, 'string'] },
};

const WIRE = { int64: 0, string: 2, bytes: 2 } as const;

/** The bytes of a file. */
export function encodeOnnx(model: OnnxModel): Uint8Array {
  const writer = protobuf.Writer.create();
  writeMessage(writer, 'model', model);
  return writer.finish();
}

function writeMessage(writer: protobuf.Writer, name: MessageName | 'model', message: object): void {
  for (const [field, [number, type]] of Object.entries(MESSAGES[name])) {
    const value = (message as Record<string, unknown>)[field];
    if (value === undefined) continue;
    for (const item of Array.isArray(value) ? value : [value]) {
      if (type === 'string' || type === 'int64' || type === 'bytes') {
        writer.uint32((number << 3) | WIRE[type]);
        writer[type](item as never);
      } else {
        writer.uint32((number << 3) | 2).fork();
        writeMessage(writer, type, item as object);
        writer.ldelim();
      }
    }
  }
}
