// A contestant: a process of its own that answers requests, a JSON object a line; python/serve.py says which. It stays alive between
// its turns, and takes one request at a time.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a contestant said on stderr last: its reason, where it dies without one. */
const KEPT_CHARACTERS = 2000;

export class Contestant {
  #child;
  #waiting;
  #said = '';
  #ended;

  /** @param command [program, ...arguments] @param env Added to the environment. */
  constructor(command, env = {}) {
    const [program, ...args] = command;
    this.#child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#said = `${this.#said}${text}`.slice(-KEPT_CHARACTERS);
    });
    this.#child.stdin.on('error', () => {}); // a process that is gone says so by its exit
    createInterface({ input: this.#child.stdio[3] }).on('line', (line) => this.#settle(parsed(line)));
    this.#child.on('error', (error) => this.#end(`${program} could not be started: ${error.message}`));
    this.#child.on('close', (code, signal) => this.#end(`it ended with ${signal ?? `status ${code}`}`));
  }

  /** Resolves with the answer; rejects with its error, or where the process has ended or takes longer than `timeout` ms. */
  async request(message, timeout = 600_000) {
    if (this.#ended !== undefined) throw new Error(this.#ended);
    const answer = new Promise((resolve) => {
      this.#waiting = resolve;
    });
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
    const timer = setTimeout(() => {
      this.#settle({ error: `no answer to '${message.do}' in ${timeout / 1000} s` });
      this.kill();
    }, timeout);
    const reply = await answer;
    clearTimeout(timer);
    if (reply.error !== undefined) throw new Error(reply.error);
    return reply;
  }

  kill() {
    this.#child.kill('SIGKILL');
  }

  #settle(reply) {
    this.#waiting?.(reply);
    this.#waiting = undefined;
  }

  #end(how) {
    const last = this.#said.trim().split('\n').at(-1);
    this.#ended ??= last ? `${how}: ${last}` : how;
    this.#settle({ error: this.#ended });
  }
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { error: `its answer is not JSON: ${line.slice(0, 80)}` };
  }
}
