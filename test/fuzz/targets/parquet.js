// Parquet, whose metadata is Thrift at the end of the file.
import { readEmbeddings } from '../embeddings.js';

export default {
  extension: '.parquet',
  words: ['PAR1', 'features', 'file', 'x', 'y', 'z0'],
  seal(bytes) {
    if (bytes.length < 16) return undefined;
    const sealed = Buffer.from(bytes);
    sealed.write('PAR1', 0, 'latin1');
    sealed.write('PAR1', sealed.length - 4, 'latin1');
    return sealed;
  },
  run: readEmbeddings,
};
