/** LibTorch in the user cache: install, list, resolve, verify, remove. Options are checked here; ts/libtorch does the work. */
import { z } from 'zod';
import { validate } from '../internal/validate.js';
import { type InstallOptions as InstallIn, installLibTorch as install } from '../libtorch/install.js';
import {
  type InstalledLibTorch,
  listLibTorch as list,
  removeLibTorch as remove,
  type VerifyOptions as VerifyIn,
  type VerifyReport,
  verifyLibTorch as verify,
} from '../libtorch/manifest.js';
import {
  type ResolvedLibTorch,
  type ResolveOptions as ResolveIn,
  resolveLibTorch as resolve,
} from '../libtorch/resolve.js';

export type { InstallProgress } from '../libtorch/install.js';
export type { LibTorchTree, LibTorchVariant } from '../libtorch/layout.js';
export type { InstalledLibTorch, ResolvedLibTorch, VerifyReport };
export type InstallOptions = Omit<InstallIn, 'environment'>;
export type VerifyOptions = Omit<VerifyIn, 'environment'>;
export type ResolveOptions = Omit<ResolveIn, 'environment' | 'prefer'>;

const must = (be: string) => ({ error: be });
const signal = z
  .custom<AbortSignal>((value) => value instanceof AbortSignal, must('an AbortSignal'))
  .optional();
const listener = <Listener>() =>
  z.custom<Listener>((value) => typeof value === 'function', must('a function')).optional();
const flag = z.boolean(must('true or false')).optional();
const text = (what: string) => z.string(must(what)).min(1, must(what));

const installSchema = z.strictObject(
  {
    variant: z.enum(['auto', 'cpu', 'cu130'], must("'auto', 'cpu' or 'cu130'")).default('auto'),
    from: text('a folder, a file or an http(s) address').optional(),
    force: flag,
    signal,
    onProgress: listener<NonNullable<InstallIn['onProgress']>>(),
  },
  must('an object'),
);
const verifySchema = z.strictObject(
  {
    name: text('the name of an install, such as 2.13.0-cpu').optional(),
    quick: flag,
    signal,
    onProgress: listener<NonNullable<VerifyIn['onProgress']>>(),
  },
  must('an object'),
);
const resolveSchema = z.strictObject(
  {
    path: text('the path of a folder').optional(),
    variant: z
      .custom<'cpu' | `cu${string}`>(
        (value) => /^(?:cpu|cu\d+)$/.test(String(value)),
        must("'cpu' or 'cu130'"),
      )
      .optional(),
  },
  must('an object'),
);
const nameSchema = z.strictObject({ name: text('the name of an install, such as 2.13.0-cpu') });

/**
 * Installs LibTorch into the user cache; returns at once if it is there. Digests are pinned, a stopped download continues, and
 * the cache holds complete installs only.
 *
 * @example
 * const { root } = await installLibTorch({ variant: 'cpu', onProgress: ({ stage, done, total }) => … });
 *
 * @throws STAINFOLD_LIBTORCH_INSTALL when no source has it; STAINFOLD_LIBTORCH_DIGEST when a file is not the pinned one;
 *   STAINFOLD_LIBTORCH_VERSION, STAINFOLD_FILE_NOT_FOUND about `from`; STAINFOLD_FILE_WRITE; STAINFOLD_LOCKED while another process
 *   installs into the same cache; or the signal's reason.
 */
export async function installLibTorch(options: InstallOptions = {}): Promise<InstalledLibTorch> {
  return install(validate(installSchema, options));
}

/** Complete installs in the user cache, by name. */
export async function listLibTorch(): Promise<InstalledLibTorch[]> {
  return list();
}

/**
 * The LibTorch that a call would use now: `path`, else LIBTORCH, else the user cache, else Python's torch if
 * LIBTORCH_USE_PYTORCH is 1.
 *
 * @throws STAINFOLD_LIBTORCH_MISSING naming every place looked at; STAINFOLD_LIBTORCH_VERSION outside 2.11 to 2.14.
 */
export function resolveLibTorch(options: ResolveOptions = {}): ResolvedLibTorch {
  return resolve(validate(resolveSchema, options));
}

/**
 * Compares an install with the digests taken when it was made. Damage is reported, not thrown.
 *
 * @throws STAINFOLD_LIBTORCH_MISSING when there is no such install, or the one in use was not installed by stainfold.
 */
export async function verifyLibTorch(options: VerifyOptions = {}): Promise<VerifyReport> {
  return verify(validate(verifySchema, options));
}

/**
 * Deletes an install of the user cache.
 *
 * @throws STAINFOLD_LIBTORCH_MISSING when there is none of that name; STAINFOLD_LOCKED while another process changes the cache.
 */
export async function removeLibTorch(name: string): Promise<{ folder: string }> {
  return remove(validate(nameSchema, { name }).name);
}
