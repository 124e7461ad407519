// node run.js TARGET FOLDER SECONDS SEED: fuzzes one target and tells its parent what came of it. A process of its own, because an input
// may end it; FOLDER then holds the input.
import { fuzz } from './engine.js';
import { corpusOf, targetNamed } from './targets.js';
import { inputPath } from './verdict.js';

const [name, folder, seconds, seed] = process.argv.slice(2);
const target = await targetNamed(name);
let told = 0;
const onBeat = () => {
  const now = performance.now();
  if (now - told < 500) return;
  told = now;
  process.send?.({ beat: true });
};
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => {
    console.error(`${event} at ${inputPath(folder, target)}: ${error?.stack ?? error}`);
    process.exit(3);
  });
}
const { findings, ...result } = await fuzz(target, corpusOf(name), {
  folder,
  seconds: Number(seconds),
  seed: Number(seed),
  onBeat,
});
process.send?.({
  ...result,
  findings: findings.map(({ bytes, ...found }) => ({ ...found, bytes: bytes.toString('base64') })),
});
