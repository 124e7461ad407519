// Who may import whom, as data and one function, so that the test can show that every rule fires.
// docs/architecture.md says the same in words.

const NATIVE = {
  core: [],
  ops: ['core'],
  stain: ['ops', 'core'],
  models: ['ops', 'core'],
  train: ['models', 'stain', 'ops', 'core'],
  infer: ['models', 'stain', 'ops', 'core'],
  metrics: ['ops', 'core'],
  phantom: ['core'],
  slide: ['core'],
  decode: ['core'],
  napi: ['core', 'ops', 'stain', 'models', 'train', 'infer', 'metrics', 'phantom', 'slide', 'decode'],
  preload: [],
};

// A public header speaks for the room that implements it.
const HEADER_ROOM = {
  error: 'core',
  device: 'core',
  losses: 'ops',
  manifold: 'stain',
  transforms: 'stain',
  models: 'models',
  trainer: 'train',
  translator_trainer: 'train',
  translator: 'infer',
  embedder: 'infer',
  stain: 'stain',
  outliers: 'infer',
  attribution: 'infer',
  audit: 'stain',
  metrics: 'metrics',
  phantom: 'phantom',
  slide: 'slide',
  decode: 'decode',
};

const TYPESCRIPT = {
  errors: [],
  types: [],
  files: ['errors', 'types'],
  libtorch: ['files', 'errors', 'types'],
  data: ['files', 'errors', 'types'],
  stores: ['data', 'files', 'errors', 'types'],
  internal: ['libtorch', 'files', 'errors', 'types'],
  slides: ['internal', 'data', 'files', 'errors', 'types'],
  report: ['files', 'errors', 'types'],
  api: ['slides', 'stores', 'internal', 'data', 'libtorch', 'files', 'report', 'errors', 'types'],
  index: ['api', 'errors', 'types'],
  cli: ['index'],
};

const CUDA_HEADER =
  /^(cuda|cublas|cudnn|cufft|curand|nvtx|cooperative_groups|mma)[\w/]*(\.h|\.cuh)?$|^(c10|ATen)\/cuda\//;
const TORCH_HEADER = /^(torch|ATen|c10|caffe2)\//;

export function stripComments(source) {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
}

/** Violations in `files`, an iterable of [path relative to the repository root, source]. */
export function violations(files) {
  const found = [];
  for (const [path, source] of files) {
    const say = (rule, what) => found.push({ rule, path, what });
    const code = stripComments(source);
    if (path.startsWith('native/')) checkNative(path, code, say);
    else if (path.startsWith('ts/')) checkTypeScript(path, code, say);
  }
  return found;
}

function checkNative(path, code, say) {
  const includes = [...code.matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)].map((m) => ({
    system: m[1] === '<',
    name: m[2],
  }));
  const publicHeader = path.startsWith('native/include/');
  const room = publicHeader ? HEADER_ROOM[path.match(/([^/]+)\.h$/)?.[1]] : path.split('/')[2];
  if (room === undefined || !(room in NATIVE)) {
    say('native-unknown-room', room ?? path);
    return;
  }

  for (const { system, name } of includes) {
    if (publicHeader && system && name !== 'ATen/core/Tensor.h' && /[./]/.test(name)) {
      say('include-only-std', name);
    }
    if (!system) {
      const target = name.startsWith('stainfold/')
        ? HEADER_ROOM[name.slice('stainfold/'.length).replace(/\.h$/, '')]
        : name.split('/')[0];
      if (!(target in NATIVE) || (target !== room && !NATIVE[room].includes(target)))
        say('native-layers', name);
      const kernelFolder = (p) => p.match(/(?:^|\/)ops\/(cpu|cuda|autograd)\//)?.[1];
      const from = kernelFolder(path);
      const to = kernelFolder(`${name}`);
      if (to && to !== from) say('ops-siblings', name);
    }
    if (/^(napi|node_api|js_native_api)\b[^/]*$/.test(name) && room !== 'napi' && room !== 'preload')
      say('napi-outside', name);
    if (system && CUDA_HEADER.test(name) && !/\/cuda\//.test(path)) say('cuda-outside', name);
    if (/\.cuh?$/.test(path) && TORCH_HEADER.test(name)) say('torch-in-cu', name);
    if (/\/simd\//.test(path) && TORCH_HEADER.test(name)) say('torch-in-simd', name);
  }
  const bare = code.replace(/"(?:[^"\\\n]|\\.)*"/g, '""');
  for (const match of bare.matchAll(/(?<![\w.>])(?:std::)?(exit|_exit|_Exit|abort|quick_exit)\s*\(/g))
    if (!/\/napi\/process_end\.cpp$/.test(path)) say('native-exit', match[0]);
  for (const match of bare.matchAll(/(?<![\w])assert\s*\(/g)) say('native-assert', match[0]);
}

function checkTypeScript(path, code, say) {
  const room = path.split('/')[1].replace(/\.ts$/, '');
  if (!(room in TYPESCRIPT)) {
    say('ts-unknown-room', room);
    return;
  }
  const imports = [...code.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map((m) => m[1]);
  for (const name of imports.filter((n) => n.startsWith('.'))) {
    const target = resolve(path, name)
      .split('/')[1]
      ?.replace(/\.[jt]s$/, '');
    if (target !== room && !TYPESCRIPT[room].includes(target)) say('ts-layers', name);
  }
  if (path !== 'ts/internal/load.ts' && /['"`][^'"`\n]*\.node\b[^'"`\n]*['"`]/.test(code))
    say('node-path', '.node');
  if (path !== 'ts/files/sharp.ts' && /\bimport\s+(?!type\b)[^;]*from\s+'sharp'/.test(code))
    say('sharp-outside', 'sharp');
  if (room !== 'cli' && /\bprocess\s*\.\s*exit\s*\(/.test(code)) say('process-exit', 'process.exit');
}

function resolve(from, name) {
  const parts = from.split('/').slice(0, -1);
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}
