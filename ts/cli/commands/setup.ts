import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { DoctorReport, SetupPlan, SetupStep } from '../../index.js';
import { facts, formatBytes } from '../format.js';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import { oneOf } from '../parse.js';
import { interruptible, SaidFailure, type Session } from '../session.js';
import { StageProgress } from '../stage-progress.js';
import type { Terminal } from '../terminal.js';
import { showReport } from './doctor.js';

interface SetupFlags extends JsonFlag {
  variant?: 'auto' | 'cpu' | 'cu130';
  from?: string;
  yes?: true;
}

export function registerSetup(program: Command, session: Session): void {
  const command = program
    .command('setup')
    .summary('install what this machine lacks: the addon, LibTorch')
    .description(
      'Look at driver, platform, disk and network, say what is missing (the platform package, LibTorch), ask, and install it.',
    )
    .option(
      '--variant <name>',
      'cpu, cu130, or auto: cu130 where a recent NVIDIA driver is (default: auto)',
      oneOf('auto', 'cpu', 'cu130'),
    )
    .option('--from <place>', 'folder, file (.whl, .zip) or address (a mirror) to take LibTorch from')
    .option('-y, --yes', 'do not ask: for servers and Dockerfiles');
  addJson(command);
  addExamples(command, [
    ['setup', 'After npm install: see what is missing, and say yes'],
    ['setup --yes --variant cpu', 'In a Dockerfile'],
    ['setup --yes --from /mnt/wheels', 'Without a network'],
  ]);
  command.action((flags: SetupFlags) =>
    interruptible(session, async (signal) => {
      const { json, yes, ...options } = flags;
      const { planSetup, runSetup } = await import('../../index.js');
      const { terminal } = session;
      let plan = await planSetup({ ...options, signal });
      if (!json) showPlan(terminal, plan);
      let agreed = yes === true;
      while (plan.steps.length > 0 && !agreed) {
        if (json || !process.stdin.isTTY || !terminal.interactive) {
          if (json) terminal.json({ plan, done: false });
          terminal.note('Nothing was changed: pass --yes to carry this out.');
          throw new SaidFailure('not confirmed');
        }
        const answer = await ask(terminal, plan, signal);
        if (answer === 'no') {
          terminal.note('Nothing was changed.');
          throw new SaidFailure('declined');
        }
        if (answer === 'yes') agreed = true;
        else {
          plan = await planSetup({ ...options, variant: answer, signal });
          showPlan(terminal, plan);
        }
      }
      const stages = new StageProgress(session);
      const report = await runSetup(plan, {
        signal,
        onStep: (step) => terminal.note(describeStep(step)),
        onProgress: ({ stage, done, total }) => stages.update(stage, done, total),
      }).finally(() => stages.finish());
      if (json) terminal.json({ plan, done: true, doctor: report });
      else conclude(terminal, plan, report);
      if (!report.ok) throw new SaidFailure('doctor found a failure');
    }),
  );
}

function showPlan(terminal: Terminal, plan: SetupPlan): void {
  const { disk, network, present, steps } = plan;
  const addon = steps.find((step) => step.kind === 'package');
  const library = steps.find((step) => step.kind === 'libtorch');
  terminal.print(
    facts(
      [
        ['platform', plan.platform],
        ['driver', plan.driver ?? 'none'],
        ['variant', `${plan.variant} (${plan.reason})`],
        ['addon', addon ? `to add: ${addon.package}` : (present.addon ?? 'missing')],
        ['LibTorch', library ? `to install: ${describeLibTorch(library)}` : (present.libtorch ?? 'missing')],
        ['disk', `${formatBytes(disk.freeBytes)} free in ${disk.folder}`],
        ...(network
          ? [
              [
                'network',
                `${network.host} ${network.reason === null ? 'answers' : 'does not answer'}`,
              ] as const,
            ]
          : []),
      ],
      terminal.colours.stdout,
    ),
  );
  for (const warning of plan.warnings) {
    terminal.note(`${terminal.colours.stderr.yellow('warning:')} ${warning}`);
  }
}

function describeLibTorch({
  version,
  variant,
  from,
  downloadBytes,
}: SetupStep & { kind: 'libtorch' }): string {
  return `${version} ${variant}, ${from === null ? `${formatBytes(downloadBytes)} to download` : `from ${from}`}`;
}

function describeStep(step: SetupStep): string {
  if (step.kind === 'package') return `Running '${step.command.join(' ')}' in ${step.folder}`;
  return `Installing LibTorch ${describeLibTorch(step)}`;
}

/** Until the answer is one: yes, no, or the other variant. */
async function ask(
  terminal: Terminal,
  plan: SetupPlan,
  signal: AbortSignal,
): Promise<'yes' | 'no' | 'cpu' | 'cu130'> {
  const other = plan.variant === 'cpu' ? 'cu130' : 'cpu';
  // Not as a terminal: raw mode would keep Ctrl-C from becoming the signal that every command listens for.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('no')));
  try {
    for (;;) {
      const question = `Install this? [Y/n, or ${other} instead] `;
      const said = await Promise.race([lines.question(question, { signal }), closed]);
      const answer = said.trim().toLowerCase();
      if (answer === '' || /^y(es)?$/.test(answer)) return 'yes';
      if (/^no?$/.test(answer)) return 'no';
      if (answer === 'cpu' || answer === 'cu130') return answer;
      terminal.note(`Please answer y, n or ${other}.`);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
  }
}

function conclude(terminal: Terminal, plan: SetupPlan, report: DoctorReport): void {
  const bad = report.checks.filter(({ status }) => status !== 'ok');
  if (bad.length > 0) showReport(terminal, { ...report, checks: bad });
  if (!report.ok) return;
  const done = plan.steps.length === 0 ? 'Everything was there' : 'Ready';
  terminal.print(`${terminal.colours.stdout.green('✔')} ${done}. A first run: stainfold phantom --out tiles`);
}
