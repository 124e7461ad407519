/** Models that come with the package. */
import { fileURLToPath } from 'node:url';

/** Name of a model that comes with the package, and where it is. docs/models.md has its card. */
export const PRETRAINED: Readonly<Record<string, string>> = Object.freeze({
  'phantom-tiny': fileURLToPath(new URL('../../models/phantom-tiny.safetensors', import.meta.url)),
});

/** The path of a model that is given by its name or its path. A file of a model's name is reached as `./name`. */
export function modelPath(model: string): string {
  return Object.hasOwn(PRETRAINED, model) ? (PRETRAINED[model] as string) : model;
}
