// Models, checkpoints, translators and embeddings: whatever is read of a safetensors file.
import { inspect } from '../../../lib/api/inspect.js';
import { readModel } from '../../../lib/api/model-file.js';
import { readCheckpoint } from '../../../lib/api/train-checkpoint.js';
import { readTranslator, readTranslatorCheckpoint } from '../../../lib/api/translator-file.js';
import { readSafetensors, tensorBytes } from '../../../lib/data/safetensors.js';
import { readEmbeddings } from '../embeddings.js';
import { allOf } from '../outcomes.js';
import { hold } from '../verdict.js';

export default {
  extension: '.safetensors',
  words: [
    '"__metadata__":{"stainfold":"',
    '"dtype":"F32"',
    '"shape":[',
    '"data_offsets":[',
    '"F64"',
    '"BF16"',
    '"run":"{}"',
  ],
  seal(bytes) {
    const json = jsonAt(bytes, 8);
    if (json === undefined) return undefined;
    const sealed = Buffer.from(bytes);
    sealed.writeBigUInt64LE(BigInt(json.length));
    const end = lastOffset(json.toString());
    return end === undefined ? sealed : Buffer.concat([sealed], 8 + json.length + end);
  },
  run: (path) =>
    allOf(
      async () => {
        const { tensors, data } = await readSafetensors(path);
        hold(
          tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0) === data.length,
          'bytes are missing',
        );
      },
      () => inspect(path),
      () => readModel(path, () => true),
      async () => {
        const { state } = await readCheckpoint(path);
        hold(
          Number.isSafeInteger(state?.position?.epoch) && Array.isArray(state.unreadable),
          'a run that stands nowhere',
        );
      },
      () => readTranslator(path),
      () => readTranslatorCheckpoint(path),
      () => readEmbeddings(path),
    ),
};

/** From the first brace to the one that closes it. */
function jsonAt(bytes, start) {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (quoted) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) quoted = false;
    } else if (byte === 0x22) quoted = true;
    else if (byte === 0x7b) depth++;
    else if (byte === 0x7d && --depth === 0) return bytes.subarray(start, at + 1);
  }
  return undefined;
}

function lastOffset(json) {
  try {
    const ends = Object.values(JSON.parse(json)).map((entry) => entry?.data_offsets?.[1] ?? 0);
    const end = Math.max(0, ...ends);
    return end < 2 ** 16 ? Math.floor(end) : undefined;
  } catch {
    return undefined;
  }
}
