// What the tests of the published package share: packing it, projects that install it, programs run in them.
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PLATFORM_PACKAGES } from '../../lib/internal/platforms.js';
import { releaseFor } from '../../lib/libtorch/pins.js';
import { resolveLibTorch } from '../../lib/libtorch/resolve.js';
import { packMain } from '../../scripts/pack-main.mjs';
import { packPlatform, platformManifest } from '../../scripts/pack-platform.mjs';
import { temporaryFolder } from '../temporary.js';
import { startRegistry } from './registry.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Why the packages cannot be tried here, or undefined: the CPU build of the clone and its LibTorch are needed, and npm and tar. */
export function whyNot() {
  if (process.platform !== 'linux')
    return `the registry of these tests needs GNU tar; this is ${process.platform}`;
  if (!existsSync(join(ROOT, 'build/native/cpu/build.json'))) return 'the CPU addon is not built';
  if (spawnSync('npm', ['--version']).status !== 0) return 'npm is not on PATH';
  try {
    resolveLibTorch({ variant: 'cpu' });
    return undefined;
  } catch (error) {
    return error.message;
  }
}

/**
 * Packs both packages and serves them: { url, requests, close }; an older version of each platform package is listed. CUDA's package is served, too, with the CPU's binaries in it: who
 * installs it, and when, is the same.
 */
export async function publish() {
  const out = temporaryFolder('dist');
  const from = temporaryFolder('cuda');
  cpSync(join(ROOT, 'build/native/cpu'), from, { recursive: true });
  const build = JSON.parse(readFileSync(join(from, 'build.json'), 'utf8'));
  const cuda = { ...build, variant: 'cu130', libtorch: releaseFor('cu130').version, archs: ['sm_90'] };
  writeFileSync(join(from, 'build.json'), JSON.stringify(cuda));
  const packed = [await packMain({ out }), await packPlatform({ out }), await packPlatform({ from, out })];
  const published = packed.map(({ folder, tarball }) => ({
    manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
    tarball,
  }));
  const here = new Set(published.map(({ manifest }) => manifest.name));
  const others = PLATFORM_PACKAGES.filter(({ name }) => !here.has(name)).map(platformManifest);
  const old = PLATFORM_PACKAGES.map((one) => ({ ...platformManifest(one), version: '0.0.9' }));
  return { ...(await startRegistry(published, [...old, ...others])), packed };
}

/**
 * A project with both packages as they were packed, and links to the clone's dependencies: in a second what an install takes ten for.
 * Resolves with { folder, main, platform }: what packMain and packPlatform resolve with.
 */
export async function unpacked(manifest = {}) {
  const out = temporaryFolder('dist');
  const main = await packMain({ out });
  const platform = await packPlatform({ out });
  const folder = temporaryFolder('project');
  const modules = join(folder, 'node_modules');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', ...manifest }));
  for (const { name, tarball } of [main, platform]) {
    mkdirSync(join(modules, name), { recursive: true });
    const { status } = spawnSync('tar', ['-xf', tarball, '--strip-components=1', '-C', join(modules, name)]);
    if (status !== 0) throw new Error(`${tarball} cannot be unpacked`);
  }
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.') && !existsSync(join(modules, name)))
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  return { folder, main, platform };
}

/** An empty project that knows only that registry, and no install scripts. */
export function project(registry, manifest = {}) {
  const folder = temporaryFolder('project');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', ...manifest }));
  const npmrc = [
    `registry=${registry.url}`,
    'ignore-scripts=true',
    'audit=false',
    'fund=false',
    'update-notifier=false',
  ];
  writeFileSync(join(folder, '.npmrc'), `${npmrc.join('\n')}\n`);
  return folder;
}

/** A PATH with Node, npm and a shell, and nothing that compiles. */
export function barePath() {
  const bin = temporaryFolder('bin');
  mkdirSync(bin, { recursive: true });
  const found = (name) => spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim();
  symlinkSync(process.execPath, join(bin, 'node'));
  // pnpm's links to programs are shell scripts that use the last three.
  for (const name of ['npm', 'npx', 'sh', 'sed', 'dirname', 'uname'])
    symlinkSync(found(name), join(bin, name));
  return bin;
}

/** The environment of a user with a home of their own and this machine's LibTorch. */
export function userEnvironment(extra = {}) {
  const home = temporaryFolder('home');
  const { HTTP_PROXY, HTTPS_PROXY, http_proxy, https_proxy, npm_config_registry, ...env } = process.env;
  for (const name of Object.keys(env))
    if (/^(npm_|NPM_|STAINFOLD_|NODE_OPTIONS)/.test(name)) delete env[name];
  return {
    ...env,
    HOME: home,
    npm_config_cache: join(home, '.npm'),
    npm_config_userconfig: join(home, 'npmrc'),
    LIBTORCH: resolveLibTorch({ variant: 'cpu' }).root,
    NO_COLOR: '1',
    ...extra,
  };
}

/** Runs a program; resolves with { code, stdout, stderr }. */
export function run(program, args, { cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'])
      child[name].setEncoding('utf8').on('data', (text) => {
        said[name] += text;
      });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...said }));
  });
}

/** Writes files and folders of a project. */
export function write(folder, files) {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
