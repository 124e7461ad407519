// NumPy's matrices.
import { readEmbeddings } from '../embeddings.js';

export default {
  extension: '.npy',
  words: [
    "'descr': '<f2'",
    "'descr': '<f8'",
    "'fortran_order': True",
    "'shape': (",
    '(2, 3)',
    '(-2, -3)',
    '(0.5, 12)',
    '(1e1, 1)',
  ],
  seal(bytes) {
    const end = bytes.indexOf(10, 10);
    if (end < 0 || bytes.length < 12) return undefined;
    const sealed = Buffer.from(bytes);
    sealed.writeUInt16LE((end + 1 - 10) & 0xffff, 8);
    return sealed;
  },
  run: readEmbeddings,
};
