// Embeds slides with the fakes of test/api and tells each tile it reads as a line on stdout.
import { embedSlidesWith } from '../../lib/api/embed-slides.js';
import { fakeEncoder, fakeReader } from '../api/fake-slides.js';

const { readMs, ...options } = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const reader = fakeReader({ readMs, onRead: (index) => say({ index }) });
const { slides, files } = await embedSlidesWith(reader, fakeEncoder(reader), {
  chunkTiles: 16,
  ...options,
  onProgress: ({ name, progress }) => say({ name, done: progress?.done ?? 0 }),
});
say({ slides, files });
