const opened = new Set<NodeJS.WriteStream>();
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Standard output of this process. It is opened by the first call, which takes milliseconds. */
export function standardOutput(): NodeJS.WriteStream {
  opened.add(process.stdout);
  return process.stdout;
}

/** Standard error, likewise. */
export function standardError(): NodeJS.WriteStream {
  opened.add(process.stderr);
  return process.stderr;
}

/**
 * Resolves when the readers of both have taken what was written: a process that exits sooner takes the rest along, up to 64 KiB of it,
 * since writing to a pipe waits for nobody. Signals end the process meanwhile, whatever they meant to the command.
 */
export async function flushStandardStreams(): Promise<void> {
  for (const stream of opened) {
    if (stream.writableLength === 0) continue;
    for (const name of ENDING) process.removeAllListeners(name);
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  }
}
