import { InvalidArgumentError } from 'commander';
import type { LossWeights } from '../index.js';

/** A parser of whole numbers in a range, both ends included. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number ${range}.`);
    }
    return value;
  };
}

/** A parser of numbers in a range, both ends included. */
export function number(min: number, max = Number.POSITIVE_INFINITY): (text: string) => number {
  const range = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a number ${range}.`);
    }
    return value;
  };
}

/** A parser of one of several words. */
export function oneOf<Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) {
      throw new InvalidArgumentError(`Expected ${words.slice(0, -1).join(', ')} or ${words.at(-1)}.`);
    }
    return word;
  };
}

/** A parser that collects COLUMN=VALUE, given once or often. */
export function pairs(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected COLUMN=VALUE.');
  const name = text.slice(0, at);
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: text.slice(at + 1) };
}

/** A parser of `a,b,c`. */
export function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.some((item) => item === ''))
    throw new InvalidArgumentError('Expected names separated by commas.');
  return items;
}

const DEVICE = /^(auto|cpu|cuda|cuda:\d+)$/;

export function device(text: string): string {
  if (!DEVICE.test(text)) throw new InvalidArgumentError('Expected auto, cpu, cuda or cuda:N.');
  return text;
}

/** `tiles.npy` and its kind: a path whose extension is one of `extensions`. */
export function pathEnding(...extensions: string[]): (text: string) => string {
  return (text) => {
    if (!extensions.some((extension) => text.toLowerCase().endsWith(extension))) {
      throw new InvalidArgumentError(`Expected a path that ends in ${extensions.join(' or ')}.`);
    }
    return text;
  };
}

const TERMS = ['compaction', 'scatter', 'reconstruction', 'adversarial'] as const;

/** A parser that collects TERM=WEIGHT of the objective, given once or often. */
export function weights(text: string, before: LossWeights = {}): LossWeights {
  const [name, value] = Object.entries(pairs(text, {}))[0] ?? [];
  const term = TERMS.find((candidate) => candidate === name);
  if (term === undefined)
    throw new InvalidArgumentError(`Expected one of ${TERMS.join(', ')}, then =WEIGHT.`);
  return { ...before, [term]: number(0)(value ?? '') };
}
