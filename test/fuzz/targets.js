/** What is fuzzed: one module a target in targets/, the committed corpus of each in corpus/. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const place = (path) => fileURLToPath(new URL(path, import.meta.url));

export const targetNames = () =>
  readdirSync(place('targets'))
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -'.js'.length))
    .sort();

/**
 * extension: of the file that the input becomes; run(path, bytes): calls what reads it, and `hold`s what a result promises;
 * seal(bytes): makes lengths and digests true again, so that not every input is refused at the door; words: of the format;
 * writes: the file is the callee's to change.
 */
export const targetNamed = async (name) => (await import(`./targets/${name}.js`)).default;

/** In the order of their names: { name, bytes }. */
export function corpusOf(name) {
  const folder = place(`corpus/${name}/`);
  const files = readdirSync(folder).sort();
  if (files.length === 0) throw new Error(`${folder} is empty`);
  return files.map((file) => ({ name: file, bytes: readFileSync(folder + file) }));
}
