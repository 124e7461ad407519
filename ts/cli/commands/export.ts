import type { Command } from 'commander';
import { facts, formatBytes } from '../format.js';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import { checkOutput } from '../output-file.js';
import { pathEnding } from '../parse.js';
import { interruptible, type Session } from '../session.js';

interface ExportFlags extends JsonFlag {
  onnx: true;
  out: string;
}

export function registerExport(program: Command, session: Session): void {
  const command = program
    .command('export')
    .summary('write the encoder for another runtime: ONNX')
    .description(
      'Write the encoder of a model for another runtime. RGB tiles go in as uint8 [N,H,W,3], embeddings come out as float32 [N,d]; the normalisation is inside. Needs no LibTorch.',
    )
    .argument(
      '<model>',
      'model.safetensors or checkpoint.safetensors, or the name of a model in the package',
    );
  command
    .optionsGroup('What to do:')
    .requiredOption('--onnx', 'as ONNX, opset 17')
    .requiredOption(
      '-o, --out <file>',
      'the file, .onnx; one that is there is replaced',
      pathEnding('.onnx'),
    );
  addJson(command);
  addExamples(command, [
    ['export --onnx run/model.safetensors -o encoder.onnx', 'For onnxruntime and its like'],
  ]);
  command.action((model: string, flags: ExportFlags) =>
    interruptible(session, (signal) => runExport(session, model, flags, signal)),
  );
}

async function runExport(
  { terminal }: Session,
  model: string,
  { out, json }: ExportFlags,
  signal: AbortSignal,
): Promise<void> {
  await checkOutput(out, [model]);
  const { exportOnnx } = await import('../../index.js');
  const { info, ...written } = await exportOnnx({ model, out, signal });
  if (json) {
    terminal.json({ ...written, info });
    return;
  }
  const { stdout } = terminal.colours;
  const { input, output } = written;
  terminal.print(
    `${stdout.green('✔')} ${info.size} encoder in ${out} (${formatBytes(written.bytes)}), ONNX opset ${written.opset}`,
  );
  terminal.print(
    facts(
      [
        ['input', `${input.name}: ${input.type} [${input.shape.join(',')}], RGB`],
        ['output', `${output.name}: ${output.type} [${output.shape.join(',')}]`],
      ],
      stdout,
    ),
  );
}
