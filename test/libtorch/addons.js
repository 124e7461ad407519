// Builds of the addon written in JavaScript, and child processes that load them.
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { temporary, write } from './fakes.js';

const HOOK = fileURLToPath(new URL('script-addons.cjs', import.meta.url));

export const lib = (path) => new URL(`../../lib/${path}`, import.meta.url).href;

const STATUS = {
  version: '0.1.0',
  libtorch: '2.13.0',
  cudaCompiled: false,
  cudaVersion: '',
  cudaUnavailable: 'built without CUDA',
  devices: [],
  threads: 64,
  cpuCapability: 'AVX2',
};

/** Files of one build. Each behaviour is JavaScript: what preload's load returns, what the addon's file does, its status. */
export function build(
  variant,
  {
    libtorch = '2.13.0',
    archs = [],
    stainfold = '0.1.0',
    abi,
    load,
    driver,
    addon = '',
    jpeg = '62',
    status = {},
  } = {},
) {
  const described = { libtorch, variant, archs, stainfold, abi };
  const noDriver = { found: false, version: null, reason: 'no libcuda.so.1' };
  return {
    [`${variant}/build.json`]: JSON.stringify(described),
    [`${variant}/preload.node`]: `
      exports.load = (folder, variant) => ${load ?? '({ ok: true, libraries: [folder, variant] })'};
      exports.cudaDriver = () => (${JSON.stringify(driver ?? noDriver)});`,
    [`${variant}/stainfold.node`]: `
      ${addon}
      exports.variant = '${variant}';
      exports.initialize = ({ createError }) => { exports.createError = createError; };
      exports.decode = { library: '${jpeg}' };
      exports.status = () => (${JSON.stringify({ ...STATUS, ...status })});`,
  };
}

export function nativeFolder(...builds) {
  return write(temporary('native'), Object.assign({}, ...builds));
}

/**
 * stainfold as npm lays it out, with platform packages beside it: { '@stainfold/linux-x64-cpu': build('cpu') }. Resolves to what
 * `lib` gives of the clone.
 */
export function installed(packages = {}) {
  const modules = join(temporary('app'), 'node_modules');
  cpSync(fileURLToPath(new URL('../../lib', import.meta.url)), join(modules, 'stainfold/lib'), {
    recursive: true,
  });
  const shared = fileURLToPath(new URL('../../node_modules', import.meta.url));
  for (const name of readdirSync(shared)) {
    if (!name.startsWith('.') && name !== '@stainfold') symlinkSync(join(shared, name), join(modules, name));
  }
  write(modules, { 'stainfold/package.json': '{"name":"stainfold","version":"0.1.0","type":"module"}' });
  for (const [name, files] of Object.entries(packages)) {
    write(join(modules, name), { 'package.json': JSON.stringify({ name }) });
    for (const [path, content] of Object.entries(files))
      write(join(modules, name), { [path.replace(/^\w+\//, '')]: content });
  }
  return (path) => pathToFileURL(join(modules, 'stainfold/lib', path)).href;
}

/** Runs a module's source in a child with script addons; resolves with the JSON of its last line. */
export function inChild(source, environment) {
  const env = {
    ...process.env,
    STAINFOLD_VARIANT: '',
    LIBTORCH: '',
    NODE_OPTIONS: `--require ${HOOK}`,
    ...environment,
  };
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (data) => {
    text += data;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(text.trim().split('\n').at(-1)));
      else reject(new Error(`the child ended with ${code}: ${text}`));
    });
  });
}
