// ONNX, read by a schema of its own (the field numbers of github.com/onnx/onnx/blob/main/onnx/onnx.proto) and run operator by
// operator with plain loops in float64, as https://onnx.ai/onnx/operators says.
import protobuf from 'protobufjs';

const SCHEMA = `
syntax = "proto3";
message AttributeProto { string name = 1; int64 i = 3; repeated int64 ints = 8; int32 type = 20; }
message ValueInfoProto { string name = 1; TypeProto type = 2; string doc_string = 3; }
message NodeProto { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated AttributeProto attribute = 5; }
message ModelProto {
  int64 ir_version = 1; string producer_name = 2; string doc_string = 6; GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8; repeated StringStringEntryProto metadata_props = 14;
}
message StringStringEntryProto { string key = 1; string value = 2; }
message GraphProto {
  repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message TensorShapeProto {
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
  repeated Dimension dim = 1;
}
message TypeProto { message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; } Tensor tensor_type = 1; }
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
`;

export function decodeModel(bytes) {
  const type = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('ModelProto');
  return type.toObject(type.decode(bytes), { longs: Number, arrays: true, defaults: true });
}

const size = (shape) => shape.reduce((product, side) => product * side, 1);
const tensor = (shape, at) => ({ shape, data: Float64Array.from({ length: size(shape) }, (_, i) => at(i)) });

const OPERATORS = {
  Cast: ([x]) => x,
  Sub: ([x, y]) => tensor(x.shape, (i) => x.data[i] - y.data[0]),
  Add: ([x, y]) => tensor(x.shape, (i) => x.data[i] + y.data[i]),
  Relu: ([x]) => tensor(x.shape, (i) => Math.max(0, x.data[i])),
  Transpose([x], { perm }) {
    const strides = x.shape.map((_, d) => size(x.shape.slice(d + 1)));
    const shape = perm.map((d) => x.shape[d]);
    return tensor(shape, (i) => {
      let rest = i;
      let from = 0;
      for (let d = shape.length - 1; d >= 0; d--) {
        from += (rest % shape[d]) * strides[perm[d]];
        rest = Math.floor(rest / shape[d]);
      }
      return x.data[from];
    });
  },
  Conv([x, w, b], { strides: [stride], pads: [pad] }) {
    const [n, into, height, width] = x.shape;
    const [out, , k] = w.shape;
    const rows = Math.floor((height + 2 * pad - k) / stride) + 1;
    const columns = Math.floor((width + 2 * pad - k) / stride) + 1;
    const y = tensor([n, out, rows, columns], () => 0);
    let at = 0;
    for (let i = 0; i < n; i++)
      for (let o = 0; o < out; o++)
        for (let r = 0; r < rows; r++)
          for (let c = 0; c < columns; c++) {
            let sum = b.data[o];
            for (let f = 0; f < into; f++)
              for (let u = Math.max(0, pad - r * stride); u < Math.min(k, height + pad - r * stride); u++)
                for (let v = Math.max(0, pad - c * stride); v < Math.min(k, width + pad - c * stride); v++) {
                  const pixel =
                    ((i * into + f) * height + r * stride + u - pad) * width + c * stride + v - pad;
                  sum += x.data[pixel] * w.data[((o * into + f) * k + u) * k + v];
                }
            y.data[at++] = sum;
          }
    return y;
  },
  GlobalAveragePool([x]) {
    const [n, channels, ...extent] = x.shape;
    const area = size(extent);
    return tensor([n, channels, 1, 1], (i) => {
      let sum = 0;
      for (let p = 0; p < area; p++) sum += x.data[i * area + p];
      return sum / area;
    });
  },
  Flatten: ([x]) => ({ shape: [x.shape[0], size(x.shape.slice(1))], data: x.data }),
  Concat([x, y]) {
    const [a, b] = [x.shape[1], y.shape[1]];
    return tensor([x.shape[0], a + b], (i) => {
      const row = Math.floor(i / (a + b));
      const column = i % (a + b);
      return column < a ? x.data[row * a + column] : y.data[row * b + column - a];
    });
  },
  // One of the two is a matrix, the other a stack of them.
  MatMul([x, y]) {
    const [rows, inner] = x.shape.slice(-2);
    const columns = y.shape.at(-1);
    const stack = (x.shape.length > 2 ? x : y).shape.slice(0, -2);
    return tensor([...stack, rows, columns], (i) => {
      const c = i % columns;
      const r = Math.floor(i / columns) % rows;
      const s = Math.floor(i / columns / rows);
      const left = x.shape.length > 2 ? s * rows * inner : 0;
      const right = y.shape.length > 2 ? s * inner * columns : 0;
      let sum = 0;
      for (let j = 0; j < inner; j++) sum += x.data[left + r * inner + j] * y.data[right + j * columns + c];
      return sum;
    });
  },
  Gemm([x, w, b], { transB }) {
    if (transB !== 1) throw new Error('only transB = 1 is written here');
    const [out, inner] = w.shape;
    return tensor([x.shape[0], out], (i) => {
      let sum = b.data[i % out];
      for (let j = 0; j < inner; j++)
        sum += x.data[Math.floor(i / out) * inner + j] * w.data[(i % out) * inner + j];
      return sum;
    });
  },
};

/** Runs the graph on its one input; returns its one output. */
export function runModel({ graph }, input) {
  const values = new Map([[graph.input[0].name, input]]);
  for (const { name, dims, raw_data: bytes } of graph.initializer) {
    const floats = new Float32Array(new Uint8Array(bytes).buffer);
    if (floats.length !== size(dims)) throw new Error(`${name} has ${floats.length} values for [${dims}]`);
    values.set(name, { shape: dims, data: Float64Array.from(floats) });
  }
  for (const { op_type: type, input: inputs, output, attribute } of graph.node) {
    const attributes = Object.fromEntries(
      attribute.map(({ name, type: kind, i, ints }) => [name, kind === 7 ? ints : i]),
    );
    const given = inputs.map((name) => values.get(name));
    if (given.includes(undefined)) throw new Error(`${type} reads what nothing has made: ${inputs}`);
    values.set(output[0], OPERATORS[type](given, attributes));
  }
  return values.get(graph.output[0].name);
}
