import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { messageOf } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import type { Observer } from './http/observer.ts';

export interface AccessLog extends AsyncDisposable {
  readonly observe: Observer;
}

/** Writes one JSON object a request to the end of a file, `-` for the standard output. */
export function openAccessLog(path: string, log: Log): AccessLog {
  const stream = path === '-' ? process.stdout : createWriteStream(path, { flags: 'a', mode: 0o640 });
  stream.on('error', (error) => log.error('cannot write the access log', { path, error: messageOf(error) }));
  return {
    observe(served) {
      stream.write(`${JSON.stringify({ time: new Date().toISOString(), ...served })}\n`);
    },
    async [Symbol.asyncDispose]() {
      if (stream === process.stdout) return;
      stream.end();
      await finished(stream).catch(() => {}); // told above
    },
  };
}
