// Config files, and options of every kind as they come from JSON.
import { readdirSync } from 'node:fs';
import { readBenchmarkConfig } from '../../../lib/api/benchmark/config-file.js';
import { ROW_NAMES } from '../../../lib/api/benchmark/rows.js';
import { readStainFile } from '../../../lib/api/stain-file.js';
import { validate } from '../../../lib/internal/validate.js';
import { allOf } from '../outcomes.js';
import { hold } from '../verdict.js';

const schemas = await everySchema();

export default {
  extension: '.json',
  words: [
    '//',
    '/*',
    '*/',
    ',}',
    '"manifold":{"kind":"custom","transforms":[',
    '"weights":{',
    '"evaluation":{',
    '"where":{',
    '"reference":{',
  ],
  run: (path) =>
    allOf(
      async () => {
        const options = await readBenchmarkConfig(path);
        await allOf(
          ...schemas.map(
            (schema) => () => hold(Object.isFrozen(validate(schema, options)), 'options can be changed'),
          ),
        );
      },
      () => readStainFile(path),
    ),
};

/** Whatever of validate*.js takes an object and fills in defaults. */
async function everySchema() {
  const folder = new URL('../../../lib/internal/', import.meta.url);
  const found = [];
  for (const file of readdirSync(folder).filter((name) => /^validate.*\.js$/.test(name))) {
    const exported = await import(new URL(file, folder).href);
    for (const [name, value] of Object.entries(exported)) {
      const schema = name === 'benchmarkSchema' ? value(ROW_NAMES) : value;
      if (typeof schema?.safeParse === 'function' && schema.shape) found.push(schema);
    }
  }
  hold(found.length > 20, `${found.length} schemas`);
  return found;
}
