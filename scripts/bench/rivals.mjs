// The Python that rivals run in: a virtual environment in the user cache, filled from the package index that pip is configured for. Never
// a dependency of the package. What cannot be had is told by its rows, and counts as no rival beaten.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { which } from '../command.mjs';

export const SERVE = fileURLToPath(new URL('python/serve.py', import.meta.url));

/** Closures by hand, so that pip asks the index for nothing else: `--no-deps`, and no retries, which cost minutes where it is slow. */
const GROUPS = {
  numpy: ['numpy'],
  onnxruntime: ['onnxruntime', 'flatbuffers', 'protobuf', 'packaging'],
  torch: [
    'torch',
    'typing_extensions',
    'sympy',
    'mpmath',
    'networkx',
    'jinja2',
    'markupsafe',
    'filelock',
    'fsspec',
    'setuptools',
  ],
  skimage: ['scikit-image', 'scipy', 'pillow', 'imageio', 'tifffile', 'lazy-loader', 'packaging', 'networkx'],
};
const MODULE = { numpy: 'numpy', onnxruntime: 'onnxruntime', torch: 'torch', skimage: 'skimage.color' };
const PIP = [
  '-m',
  'pip',
  'install',
  '--quiet',
  '--disable-pip-version-check',
  '--no-deps',
  '--retries',
  '0',
  '--timeout',
  '15',
];

/**
 * @param torch Version of the LibTorch that we run on: PyTorch's is the same.
 * @param limit Seconds for each group. What could not be installed is not tried again, unless `again`.
 * @returns { python, missing: { group: reason }, versions } or { reason } where there is no Python to be had.
 */
export function rivals({
  cache,
  torch,
  groups = Object.keys(GROUPS),
  again = false,
  limit = 900,
  note = () => {},
}) {
  const given = process.env.STAINFOLD_BENCH_PYTHON;
  const system = given ?? which('python3') ?? which('python');
  if (system === undefined) return { reason: 'there is no Python 3 on PATH' };
  const version = ask(system, 'import sys; print("%d.%d" % sys.version_info[:2])');
  if (version.error) return { reason: version.error };
  const there = versionsIn(system);
  const { torch: found } = there;
  // An environment that has PyTorch already (a GPU machine's, say) is built upon; any other is left alone.
  const folder = join(cache, 'bench', `python-${version.text}-torch-${found ?? torch}`);
  if (again) rmSync(folder, { recursive: true, force: true });
  let python = given ?? join(folder, 'bin', 'python');
  if (!existsSync(python)) {
    mkdirSync(join(cache, 'bench'), { recursive: true });
    const flags = found === undefined ? [] : ['--system-site-packages'];
    const made = spawnSync(system, ['-m', 'venv', ...flags, folder], { encoding: 'utf8' });
    if (made.status !== 0) {
      rmSync(folder, { recursive: true, force: true });
      const why = lastLine(made.stderr || made.stdout);
      if (found === undefined) return { reason: `a virtual environment cannot be made: ${why}` };
      python = system;
    }
  }
  const record = join(folder, 'rivals.json');
  const own = python !== system;
  const tried = own ? readJson(record) : {};
  for (const group of groups) {
    if (!own || tried[group] !== undefined || has(python, group)) continue;
    note(`installing ${group} for the rivals`);
    const names = GROUPS[group].map((name) => (name === 'torch' ? `torch==${torch}` : name));
    const result = spawnSync(python, [...PIP, ...names], { encoding: 'utf8', timeout: limit * 1000 });
    tried[group] =
      result.status === 0 ? 'installed' : lastLine(result.stderr) || `pip took longer than ${limit} s`;
    writeFileSync(record, `${JSON.stringify(tried, null, 1)}\n`);
  }
  const versions = own ? versionsIn(python) : there; // importing PyTorch takes seconds
  const missing = {};
  for (const group of groups) {
    if (versions[group] === undefined) missing[group] = tried[group] ?? `${python} cannot import it`;
  }
  return { python, versions, missing };
}

const has = (python, group) => ask(python, `import ${MODULE[group]}`).error === undefined;

function versionsIn(python) {
  const code = `
import importlib, json
found = {}
for group, module in ${JSON.stringify(MODULE)}.items():
    try: found[group] = importlib.import_module(module.split(".")[0]).__version__; importlib.import_module(module)
    except Exception: found.pop(group, None)
print(json.dumps(found))`;
  const { text } = ask(python, code);
  return text === undefined ? {} : JSON.parse(text);
}

function ask(python, code) {
  const result = spawnSync(python, ['-c', code], { encoding: 'utf8', timeout: 120_000 });
  return result.status === 0
    ? { text: result.stdout.trim() }
    : { error: lastLine(result.stderr) || `${python} failed` };
}

const lastLine = (text) => (text ?? '').trim().split('\n').at(-1) ?? '';
const readJson = (path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {});
