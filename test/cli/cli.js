// Runs the command line as a user would: a process of its own, its two outputs kept apart.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));

/** Resolves with { code, stdout, stderr }. `onStderr` sees the text as it comes, and the process. */
export function cli(args, { env = {}, cwd, onStderr, onStdout } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      onStdout?.(text, child);
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
      onStderr?.(text, child);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
