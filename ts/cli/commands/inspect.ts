import type { Command } from 'commander';
import { facts } from '../format.js';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import type { Session } from '../session.js';

export function registerInspect(program: Command, { terminal }: Session): void {
  const command = program
    .command('inspect')
    .summary('show what a model or checkpoint says of itself')
    .description(
      'Show what a model or checkpoint says of itself: configuration, provenance, options. Needs no LibTorch.',
    )
    .argument('<file>', 'model.safetensors or checkpoint.safetensors');
  addJson(command);
  addExamples(command, [
    ['inspect run/model.safetensors', 'What is this model?'],
    ['inspect run/model.safetensors --json', 'The same for a program'],
  ]);
  command.action(async (file: string, { json }: JsonFlag) => {
    const { inspect } = await import('../../index.js');
    const found = await inspect(file);
    if (json) {
      terminal.json(found);
      return;
    }
    const { info } = found;
    const { provenance } = info;
    const where = Object.entries(provenance.where).map(([column, value]) => `${column}=${value}`);
    const { stdout } = terminal.colours;
    terminal.print(
      facts(
        [
          ['file', file],
          ['kind', `${info.kind}, format ${info.format} ${info.formatVersion}`],
          ['encoder', `${info.size}, ${(info.parameters / 1e6).toFixed(2)} M parameters`],
          ['embedding', `${info.latent} dimensions`],
          ['tiles', `${info.tileSize} x ${info.tileSize} px`],
          ['trained on', `${provenance.tiles} tiles${where.length > 0 ? ` where ${where.join(', ')}` : ''}`],
          ['data digest', provenance.dataDigest],
          ['steps', String(provenance.steps)],
          ['seed', String(provenance.seed)],
          ['made by', `stainfold ${provenance.stainfold}, LibTorch ${provenance.libtorch}`],
          ['device', `${provenance.device}, ${provenance.precision}`],
        ],
        stdout,
      ),
    );
    terminal.print(`\n${stdout.bold('options')}`);
    terminal.print(facts(flatten(info.options), stdout));
  });
}

/** `manifold.labs 16`, one line for each leaf. */
function flatten(options: Record<string, unknown>, prefix = ''): [string, string][] {
  return Object.entries(options).flatMap(([name, value]): [string, string][] =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flatten(value as Record<string, unknown>, `${prefix}${name}.`)
      : [[`${prefix}${name}`, typeof value === 'string' ? value : JSON.stringify(value)]],
  );
}
