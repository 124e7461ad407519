/**
 * An npm registry on the loopback interface: the packed tarballs, and every dependency as node_modules holds it, packed when it is
 * first asked for. Nothing beyond this machine is reached, so an install that works here works from what is published alone.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../temporary.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @param tarballs [{ manifest, tarball }]: what is published: package.json and the path of the .tgz.
 * @param absent Manifests that are listed, and whose tarball nobody may ask for: other platforms'.
 */
export async function startRegistry(tarballs, absent = []) {
  const packages = new Map(); // name -> Map(version -> { manifest, tarball: () => Promise<path> | undefined })
  const add = (manifest, tarball) => {
    const versions = packages.get(manifest.name) ?? new Map();
    versions.set(manifest.version, { manifest, tarball });
    packages.set(manifest.name, versions);
  };
  addInstalled(add);
  for (const manifest of absent) add(manifest, undefined);
  for (const { manifest, tarball } of tarballs) add(manifest, async () => tarball);

  const requests = [];
  const answer = async (request, response, base) => {
    const path = decodeURIComponent(new URL(request.url, base).pathname).slice(1);
    requests.push(path);
    const [, name, file] = path.match(/^(.+)\/-\/(.+)\.tgz$/) ?? [];
    if (name === undefined) {
      const versions = packages.get(path);
      if (!versions) return response.writeHead(404).end('{}');
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify(await packument(path, versions, base)));
    }
    const made = packages.get(name)?.get(file.slice(basename(name).length + 1))?.tarball;
    if (!made) return response.writeHead(404).end('{}');
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    return response.end(readFileSync(await made()));
  };
  const server = createServer((request, response) => {
    const base = `http://127.0.0.1:${server.address().port}`;
    answer(request, response, base).catch((error) => response.writeHead(500).end(String(error)));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** Paths that were asked for: `stainfold`, `stainfold/-/stainfold-0.1.0.tgz`. */
    requests,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function packument(name, versions, base) {
  const listed = {};
  for (const [version, { manifest, tarball }] of versions) {
    // The address that npm's own registry would give: Yarn's Plug'n'Play names folders by it.
    const tarballUrl = `${base}/${name}/-/${basename(name)}-${version}.tgz`;
    const dist = { tarball: tarballUrl, shasum: '0'.repeat(40) };
    if (tarball) {
      const bytes = readFileSync(await tarball());
      dist.shasum = createHash('sha1').update(bytes).digest('hex');
      dist.integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    }
    listed[version] = { ...manifest, dist };
  }
  const latest = [...versions.keys()].at(-1);
  return { name, 'dist-tags': { latest }, versions: listed };
}

/** What npm installed for running, not for developing; and a stub, for no platform, of each optional one that is not here. */
function addInstalled(add) {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'node_modules/.package-lock.json'), 'utf8'));
  const made = temporaryFolder('registry');
  const present = new Set();
  const optional = new Map();
  for (const [path, { dev }] of Object.entries(packages)) {
    if (dev) continue;
    const folder = join(ROOT, path);
    const {
      scripts: _,
      devDependencies: __,
      ...manifest
    } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    present.add(manifest.name);
    for (const [name, version] of Object.entries(manifest.optionalDependencies ?? {}))
      optional.set(name, version);
    let packing;
    add(manifest, () => {
      packing ??= pack(folder, made, `${manifest.name.replace('/', '-')}-${manifest.version}`);
      return packing;
    });
  }
  for (const [name, version] of optional) {
    if (!present.has(name) && /^\d/.test(version)) add({ name, version, os: ['none'] });
  }
}

function pack(folder, made, name) {
  const path = join(made, `${name}.tgz`);
  mkdirSync(made, { recursive: true });
  const args = ['--exclude=./node_modules', '--transform=s,^\\.,package,', '-cf', path, '-I', 'gzip -1', '.'];
  return new Promise((resolve, reject) => {
    const child = spawn('tar', args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(path) : reject(new Error(`tar of ${folder}: ${code}`)),
    );
  });
}
