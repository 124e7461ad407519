// A Zarr folder in one input: the metadata of its array, a line feed, the bytes of its only chunk.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readEmbeddings } from '../embeddings.js';

export default {
  extension: '.bin',
  words: [
    '"chunk_shape":[',
    '"shape":[',
    '"data_type":"float16"',
    '"name":"gzip"',
    '"name":"bytes"',
    '"fill_value":',
    '"codecs":[',
  ],
  async run(path, bytes) {
    const folder = join(dirname(path), 'input.zarr');
    const split = bytes.indexOf(10);
    const [meta, chunk] =
      split < 0 ? [bytes, Buffer.alloc(0)] : [bytes.subarray(0, split), bytes.subarray(split + 1)];
    const version3 = meta.includes('zarr_format":3');
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, 'features', 'c', '0'), { recursive: true });
    await writeFile(join(folder, 'features', version3 ? 'zarr.json' : '.zarray'), meta);
    await writeFile(join(folder, 'features', version3 ? 'c/0/0' : '0.0'), chunk);
    await readEmbeddings(folder);
  },
};
