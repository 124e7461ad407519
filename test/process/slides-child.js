// Embeds slides with the fakes of test/api and tells each tile it reads as a line on stdout, unless it is to be quiet; in the end
// what became of them, and the most memory it had.
import { embedSlidesWith } from '../../lib/api/embed-slides.js';
import { fakeEncoder, fakeReader } from '../api/fake-slides.js';

const { readMs, quiet, ...options } = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const told = quiet ? () => undefined : say;
let peak = 0;
const onRead = (index) => {
  if (index % 64 === 0) peak = Math.max(peak, process.memoryUsage.rss());
  told({ index });
};
const reader = fakeReader({ readMs, onRead });
const { slides, files } = await embedSlidesWith(reader, fakeEncoder(reader), {
  chunkTiles: 16,
  ...options,
  onProgress: ({ name, progress }) => told({ name, done: progress?.done ?? 0 }),
});
say({ slides, files, peak });
