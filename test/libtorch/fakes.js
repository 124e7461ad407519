// Small stand-ins for LibTorch: trees in temporary folders, archives, a server that can be told to misbehave.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { temporaryFolder } from '../temporary.js';

export const temporary = (name = 'libtorch') => temporaryFolder(name);

export function write(folder, files) {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** An environment with a cache of its own, and no Python on its path. */
export const world = () => ({ STAINFOLD_CACHE: temporary('cache'), PATH: '/nowhere' });

/** All that lies below a folder, in order. */
export const everything = async (folder) => (await readdir(folder, { recursive: true })).sort();

/** Files of a wheel-like LibTorch below `torch/`. */
export function wheelFiles(version, cuda) {
  const local = cuda ? `cu${cuda.replace('.', '')}` : 'cpu';
  return {
    'torch/version.py': `__version__ = '${version}+${local}'\ncuda: Optional[str] = ${cuda ? `'${cuda}'` : 'None'}\n`,
    'torch/lib/libtorch_cpu.so': `the library, ${'x'.repeat(5000)}`,
    'torch/lib/libtorch_python.so': 'not needed',
    'torch/include/ATen/ATen.h': '#pragma once\n',
    'torch/nn/__init__.py': 'not needed',
    'torch-1.dist-info/licenses/LICENSE': 'BSD',
  };
}

/** Files of a LibTorch as the C++ archive holds it. */
export function archiveFiles(version, local = '+cpu') {
  return {
    'libtorch/build-version': `${version}${local}\n`,
    'libtorch/lib/libtorch_cpu.so': 'the library',
    'libtorch/include/ATen/ATen.h': '#pragma once\n',
  };
}

/**
 * A zip archive. Values: content, or { content, mode, crc } to set Unix modes (symbolic links are 0o120777) or a wrong checksum.
 */
export function zip(files) {
  const locals = [];
  const centrals = [];
  let offset = 0;
  for (const [name, given] of Object.entries(files)) {
    const { content, mode = 0o100644, crc } = typeof given === 'string' ? { content: given } : given;
    const data = Buffer.from(content);
    const packed = deflateRawSync(data);
    const path = Buffer.from(name);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0); // version needed
    shared.writeUInt16LE(8, 4); // deflate
    shared.writeUInt32LE(crc ?? crc32(data), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(data.length, 18);
    shared.writeUInt16LE(path.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, path, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    const madeBy = Buffer.from([20, 3]); // Unix
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02'), madeBy, shared, tail, path]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(centrals.length, 8);
  end.writeUInt16LE(centrals.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

/** A release of one wheel, and the wheel. */
export function fakeRelease(version = '2.13.0', files = wheelFiles(version)) {
  const bytes = zip(files);
  const file = `torch-${version}+cpu-cp311-cp311-manylinux_2_28_x86_64.whl`;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  // No index has this project, so pip and HTTPS have nothing to say unless a test means them to.
  const wheel = {
    project: 'stainfold-test-no-such',
    version: `${version}+cpu`,
    file,
    sha256,
    bytes: bytes.length,
  };
  return { bytes, file, release: { version, variant: 'cpu', wheels: [wheel] } };
}

/** A folder that holds the wheel of a fake release. */
export const wheelhouse = ({ file, bytes }) => write(temporary('wheels'), { [file]: bytes });

/**
 * Serves `content` at any path. `respond` may answer in its place: it is called with (request, response, count of requests so far)
 * and returns true when it has.
 */
export async function serve(t, content, respond = () => false) {
  const requests = [];
  const server = createServer((request, response) => {
    requests.push({ url: request.url, range: request.headers.range });
    if (respond(request, response, requests.length)) return;
    const from = Number(request.headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
    if (from >= content.length) {
      response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
      return;
    }
    const range = { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` };
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': content.length - from,
      ...(from > 0 && range),
    });
    response.end(content.subarray(from));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  t.teardown(close);
  return { url: `http://127.0.0.1:${server.address().port}`, requests, close };
}
