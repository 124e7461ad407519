/** Options that several commands share. */
import type { Command } from 'commander';
import type { Device, Precision } from '../index.js';
import { device, integer, oneOf, pairs } from './parse.js';

export interface JsonFlag {
  json?: true;
}

export interface SelectionFlags {
  where?: Record<string, string>;
  strict?: true;
}

/** Where it runs, for what has no choice of precision. */
export interface PlaceFlags {
  device?: Device;
  threads?: number;
  libtorch?: string;
}

export interface RuntimeFlags extends PlaceFlags {
  precision?: Precision;
}

export const TILES = 'folder of images (searched recursively), CSV manifest with a file column, or pack';

export function addSelection(command: Command): Command {
  return command
    .optionsGroup('Which tiles:')
    .option('--where <column=value>', "keep the manifest's rows with this value; may be repeated", pairs)
    .option('--strict', 'fail on the first unreadable file instead of skipping and listing it');
}

export function addRuntime(command: Command): Command {
  addDevice(command).option(
    '--precision <name>',
    'fp32, bf16, fp16, or auto: bf16 on a GPU that has it, else fp32 (default: auto)',
    oneOf('auto', 'fp32', 'bf16', 'fp16'),
  );
  return addThreads(command);
}

/** As addRuntime, without the choice of precision. */
export function addPlace(command: Command): Command {
  return addThreads(addDevice(command));
}

function addDevice(command: Command): Command {
  return command
    .optionsGroup('Where it runs:')
    .option(
      '--device <name>',
      'auto, cpu, cuda or cuda:N; cuda that cannot be had is an error (default: auto)',
      device,
    );
}

function addThreads(command: Command): Command {
  return command
    .option('--threads <n>', 'CPU threads (default: the cores there are)', integer(1, 1024))
    .option('--libtorch <folder>', 'LibTorch to use (default: LIBTORCH, then the user cache)');
}

export function addJson(
  command: Command,
  what = 'print one JSON document on stdout and nothing else',
): Command {
  return command.optionsGroup('Output:').option('--json', what);
}

/** Examples at the end of a command's help: the command, and what it does. */
export function addExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const text = examples.map(([line, what]) => `  ${what}\n    $ stainfold ${line}`).join('\n\n');
  return command.addHelpText('after', `\nExamples:\n${text}`);
}

/** The runtime options among a command's flags. */
export function runtime({ precision, ...flags }: RuntimeFlags): RuntimeFlags {
  return { ...place(flags), ...(precision && { precision }) };
}

export function place({ device, threads, libtorch }: PlaceFlags): PlaceFlags {
  return {
    ...(device && { device }),
    ...(threads && { threads }),
    ...(libtorch && { libtorch }),
  };
}
