import { PassThrough } from 'node:stream';
import type { Endpoint } from './client/endpoint.ts';
import { EngineClient } from './client/engine-client.ts';
import type { Output, Session } from './session.ts';

/** An output that keeps what is written. For tests. */
export class Recorder implements Output {
  text = '';

  write(chunk: string | Uint8Array): boolean {
    this.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    return true;
  }

  once(): void {}
}

export interface TestSession extends Session {
  readonly stdout: Recorder;
  readonly stderr: Recorder;
  readonly input: PassThrough;
}

/** A session whose host listens at `endpoint`. For tests. */
export function testSession(endpoint: Endpoint, env: NodeJS.ProcessEnv = {}): TestSession {
  const { signal } = new AbortController();
  const input = new PassThrough();
  return {
    // What commands use of stdin is what every readable stream has; raw mode is asked for on a terminal only.
    stdin: input as unknown as NodeJS.ReadStream,
    input,
    stdout: new Recorder(),
    stderr: new Recorder(),
    env,
    choice: { endpoint, chosenByFlag: true, dataRoot: '/nonexistent', dataRootChosen: false, mayStart: false },
    hostScript: new URL('file:///nonexistent/host.js'),
    signal,
    client: () => EngineClient.connect(endpoint, signal),
    takeSignals() {},
  };
}
