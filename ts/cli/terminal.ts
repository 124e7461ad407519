import picocolors from 'picocolors';

export type Colours = ReturnType<typeof picocolors.createColors>;

/** Where a command writes: results to stdout, everything about the run to stderr. */
export interface Terminal {
  /** One line, or several, of the result. */
  print(text: string): void;
  /** One line, or several, about the run. */
  note(text: string): void;
  /** Undoes what a progress bar set, for an exit that leaves it no time: the cursor shows, lines wrap. */
  restore(): void;
  /** One JSON document, in one line. */
  json(value: unknown): void;
  readonly colours: { stdout: Colours; stderr: Colours };
  /** Whether someone watches stderr: progress bars are drawn only then. */
  readonly interactive: boolean;
  /** Characters in a line of stdout. */
  readonly width: number;
}

/** Width where stdout is a file or a pipe, which has none of its own. */
const UNBOUNDED = 200;

export function createTerminal(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): Terminal {
  // A reader that left (`| head`) ends the output, not the run: a training must not be lost to it.
  const open = { stdout: true, stderr: true };
  for (const [name, stream] of [
    ['stdout', stdout],
    ['stderr', stderr],
  ] as const) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      open[name] = false;
    });
  }
  const print = (text: string) => {
    if (open.stdout) stdout.write(`${text}\n`);
  };
  return {
    print,
    note: (text) => {
      if (open.stderr) stderr.write(`${text}\n`);
    },
    restore: () => {
      if (stderr.isTTY && open.stderr) stderr.write('\u001b[?25h\u001b[?7h\n');
    },
    json: (value) => print(JSON.stringify(value, plain)),
    colours: { stdout: coloursOf(stdout), stderr: coloursOf(stderr) },
    interactive: stderr.isTTY === true && process.env.TERM !== 'dumb',
    width: stdout.isTTY ? stdout.columns : UNBOUNDED,
  };
}

/** NO_COLOR and the like as picocolors reads them; but each stream for itself: a file holds no escapes unless FORCE_COLOR asks. */
function coloursOf(stream: NodeJS.WriteStream): Colours {
  const wanted = stream.isTTY === true || Boolean(process.env.FORCE_COLOR);
  return picocolors.createColors(picocolors.isColorSupported && wanted);
}

/** JSON has no typed arrays: they become lists of numbers. */
function plain(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as ArrayLike<number>)
    : value;
}
