/** What an embedding file of any format promises once it was read. */
import { readFeatures } from '../../lib/api/features.js';
import { openEmbeddingFile } from '../../lib/data/embedding-file.js';
import { hold } from './verdict.js';

export async function readEmbeddings(path) {
  const { rows, columns, names } = await openEmbeddingFile(path);
  hold(Number.isSafeInteger(rows) && rows > 0, `${rows} rows`);
  hold(Number.isSafeInteger(columns) && columns > 0, `${columns} columns`);
  hold(names === undefined || names.every((name) => typeof name === 'string'), 'a name is no text');
  const { data, shape, coords, attributes } = await readFeatures(path);
  hold(
    data instanceof Float32Array && data.length === rows * columns,
    `${data.length} values of ${rows} x ${columns}`,
  );
  hold(shape[0] === rows && shape[1] === columns, 'the shape is another');
  hold(data.every(Number.isFinite), 'a value is not finite');
  hold(coords === undefined || coords.length === 2 * rows, `${coords?.length} coordinates of ${rows} rows`);
  hold(typeof attributes === 'object', 'no attributes');
}
