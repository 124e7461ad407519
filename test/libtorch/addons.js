// Builds of the addon written in JavaScript, and child processes that load them.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
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
  { libtorch = '2.13.0', archs = [], load, driver, addon = '', status = {} } = {},
) {
  const described = { libtorch, variant, archs, stainfold: '0.1.0' };
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
      exports.status = () => (${JSON.stringify({ ...STATUS, ...status })});`,
  };
}

export function nativeFolder(...builds) {
  return write(temporary('native'), Object.assign({}, ...builds));
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
