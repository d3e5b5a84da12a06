import { Failure } from '../../lib/error.ts';
import { defineCommand } from '../command.ts';
import { list, text, toggle } from '../flags/flag.ts';
import { parseEnvironment } from '../run/key-values.ts';
import { startPump } from '../terminal/pump.ts';
import { followTerminalSize, terminalSize } from '../terminal/resize.ts';

export const exec = defineCommand({
  short: 'Run a command in a running container',
  usage: 'CONTAINER COMMAND [ARG...]',
  count: [2, Number.POSITIVE_INFINITY],
  aliases: ['container exec', 'exec'],
  interspersed: false,
  flags: {
    detach: toggle('Run in the background', { short: 'd' }),
    detachKeys: text('Keys that detach from the command'),
    env: list('Set environment variables', { short: 'e' }),
    envFile: list('Read environment variables from a file'),
    interactive: toggle('Keep stdin open', { short: 'i' }),
    privileged: toggle('Give the command all rights of the host'),
    tty: toggle('Give the command a terminal', { short: 't' }),
    user: text('User name or ID (name|uid[:group|gid])', { short: 'u' }),
    workdir: text('Working directory in the container', { short: 'w' }),
  },
  async run(session, { flags, args: [container = '', ...command] }) {
    if (flags.interactive && flags.tty && !flags.detach && !session.stdin.isTTY)
      throw new Failure('invalid', 'NO_TTY', 'the input device is not a TTY');
    const client = await session.client();
    const { signal } = session;
    const size = flags.tty ? terminalSize(session) : undefined;
    const stdin = flags.interactive && !flags.detach;
    const env = parseEnvironment(flags.envFile, flags.env, session.env);
    const { Id } = await client.json<{ Id: string }>('POST', `/containers/${container}/exec`, {
      json: {
        User: flags.user,
        Privileged: flags.privileged,
        Tty: flags.tty,
        AttachStdin: stdin,
        AttachStdout: !flags.detach,
        AttachStderr: !flags.detach,
        DetachKeys: flags.detachKeys,
        WorkingDir: flags.workdir,
        Cmd: command,
        ...(env.length > 0 && { Env: env }),
        ...(size && { ConsoleSize: size }),
      },
      signal,
    });
    const options = { Detach: flags.detach, Tty: flags.tty, ...(size && { ConsoleSize: size }) };
    if (flags.detach) {
      await client.call('POST', `/exec/${Id}/start`, { json: options, signal });
      return 0;
    }
    session.takeSignals();
    const connection = await client.hijack(`/exec/${Id}/start`, { json: options, signal });
    await using pump = startPump(session, connection, { tty: flags.tty, stdin, detachKeys: flags.detachKeys });
    using _size =
      flags.tty && session.stdout.isTTY === true ? followTerminalSize(session, client, `/exec/${Id}`) : undefined;
    if ((await pump.ended) === 'detached') return 0;
    const { ExitCode } = await client.json<{ ExitCode: number | null }>('GET', `/exec/${Id}/json`, { signal });
    return ExitCode ?? 0;
  },
});
