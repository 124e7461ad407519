// What a figure's machine is, as far as it decides the figure. No name of a host, no path.
import { cpus, totalmem } from 'node:os';

export function machine(status) {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    instructions: status.cpuCapability,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    gpu: status.devices.map(({ name }) => name),
  };
}
