/** The folder of a training run: its files, and whether there is something in it to continue. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StainfoldError } from '../errors.js';

export interface RunFiles {
  model: string;
  checkpoint: string;
  metrics: string;
}

export function runFiles(out: string): RunFiles {
  return {
    model: resolve(out, 'model.safetensors'),
    checkpoint: resolve(out, 'checkpoint.safetensors'),
    metrics: resolve(out, 'metrics.jsonl'),
  };
}

/** The checkpoint to continue from. A run that was stopped before its first one begins again. */
export async function findCheckpoint<Checkpoint>(
  { resume, out }: { resume: boolean; out: string },
  files: RunFiles,
  read: (path: string) => Promise<Checkpoint>,
): Promise<Checkpoint | undefined> {
  if (resume) {
    if (!existsSync(files.checkpoint)) {
      if (existsSync(files.metrics)) return undefined;
      throw new StainfoldError('STAINFOLD_FILE_NOT_FOUND', `There is no run in ${out} to continue`, {
        hint: 'Give the folder of a run, or leave resume (--resume) out to begin one.',
      });
    }
    return read(files.checkpoint);
  }
  const existing = [files.checkpoint, files.model].find((path) => existsSync(path));
  if (existing !== undefined) {
    throw new StainfoldError('STAINFOLD_OUTPUT_EXISTS', `There is a run in ${out} already (${existing})`);
  }
  return undefined;
}

/** Removes what a process that was killed in the middle of a write left behind. The folder is locked. */
export async function sweep(out: string): Promise<void> {
  const names = await readdir(out);
  const left = names.filter((name) => /^(model|checkpoint)\.safetensors\..+\.tmp$/.test(name));
  await Promise.all(left.map((name) => rm(resolve(out, name), { force: true })));
}
