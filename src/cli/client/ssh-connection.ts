import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { Duplex } from 'node:stream';
import { Failure, messageOf } from '../../lib/error.ts';
import type { SshEndpoint } from './endpoint.ts';

/** How much of what ssh complains about is kept, for the message. */
const SAID_LIMIT = 2000;

/**
 * A connection to the host of another machine: ssh runs the command there that joins its streams with that host (`system
 * dial-stdio`). Its data has ended when ssh has; a ssh that fails destroys it with what it said. As a group of its own it gets
 * no Ctrl-C, which is for the container, and can ask for nothing: keys belong to an agent.
 */
export class SshConnection extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;
  #said = '';

  constructor(endpoint: SshEndpoint) {
    super({ allowHalfOpen: true });
    const { spawn } = process.getBuiltinModule('node:child_process');
    const child = spawn('ssh', sshArguments(endpoint), { stdio: 'pipe', detached: true });
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = (this.#said + text).slice(-SAID_LIMIT);
    });
    child.stdin.on('error', () => {}); // 'close' says why
    child.on('error', (error) => this.destroy(unreachable(endpoint, `cannot run ssh: ${messageOf(error)}`)));
    child.on('close', (code, signal) => {
      if (code === 0) this.push(null);
      else
        this.destroy(unreachable(endpoint, this.#said.trim() || `ssh ended with ${signal ?? `exit status ${code}`}`));
    });
  }

  /** While it is all that is open, the process may end. */
  unref(): this {
    for (const part of this.#handles()) part.unref();
    return this;
  }

  ref(): this {
    for (const part of this.#handles()) part.ref();
    return this;
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#child.stdin.write(chunk, (error) => {
      if (!error) done();
    });
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy();
    done(error);
  }

  #handles(): { ref(): unknown; unref(): unknown }[] {
    const { stdin, stdout, stderr } = this.#child;
    // Pipes of a child are sockets, which its type does not say.
    return [this.#child, ...([stdin, stdout, stderr] as unknown as import('node:net').Socket[])];
  }
}

function sshArguments({ host, port, user, path }: SshEndpoint): string[] {
  const socket = path === undefined ? '' : `-H ${quoted(`unix://${path}`)} `;
  const dial = (program: string) => `exec ${program} ${socket}system dial-stdio`;
  const script = `if command -v strake >/dev/null; then ${dial('strake')}; fi; ${dial('docker')}`;
  return [
    ...['-o', 'ConnectTimeout=30', '-T'],
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    // The other side's shell may be any, so it gets one word for a shell that is known.
    ...['--', host, `sh -c ${quoted(script)}`],
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function unreachable(endpoint: SshEndpoint, why: string): Failure {
  return new Failure('unavailable', 'SSH_FAILED', `cannot reach the host at ${endpoint.text}: ${why}`, {
    hint: 'the other machine needs a strake or docker command in the PATH of ssh',
  });
}
