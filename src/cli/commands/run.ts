import { Failure, isFailure } from '../../lib/error.ts';
import type { EngineClient } from '../client/engine-client.ts';
import { type Call, defineCommand } from '../command.ts';
import { text, toggle } from '../flags/flag.ts';
import { exitCodeOf, runAttached, waitForEnd } from '../run/attached-run.ts';
import { CONTAINER_FLAGS } from '../run/container-flags.ts';
import { createBody } from '../run/create-body.ts';
import { createContainer } from '../run/create-container.ts';
import { withRunHint } from '../run/run-failure.ts';
import type { Session } from '../session.ts';
import { terminalSize } from '../terminal/resize.ts';

const FLAGS = {
  ...CONTAINER_FLAGS,
  detach: toggle('Run in the background and print the container ID', { short: 'd' }),
  detachKeys: text('Keys that detach from the container'),
  sigProxy: toggle('Send received signals to the container', { initial: true }),
};

export const run = defineCommand({
  short: 'Create and run a container from an image',
  usage: 'IMAGE [COMMAND] [ARG...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container run', 'run'],
  interspersed: false,
  flags: FLAGS,
  run: (session, call) => withRunHint(call.path, () => runContainer(session, call)),
});

async function runContainer(session: Session, { flags, given, args }: Call<typeof FLAGS>): Promise<number> {
  const body = createBody(flags, given, args, { detach: flags.detach, env: session.env });
  if (body.AttachStdin === true && flags.tty && !session.stdin.isTTY)
    throw new Failure('invalid', 'NO_TTY', 'the input device is not a TTY', { exitCode: 1 });
  const size = flags.tty ? terminalSize(session) : undefined;
  const client = await session.client();
  const id = await createContainer(session, client, flags, {
    ...body,
    HostConfig: { ...body.HostConfig, ...(size && { ConsoleSize: size }) },
  });
  const start = () => startContainer(client, id, { removed: flags.rm, signal: session.signal });
  if (flags.detach) {
    await start();
    session.stdout.write(`${id}\n`);
    return 0;
  }
  const options = {
    tty: flags.tty,
    stdin: body.AttachStdin === true,
    stdout: body.AttachStdout === true,
    stderr: body.AttachStderr === true,
    detachKeys: flags.detachKeys,
    sigProxy: flags.sigProxy,
    until: flags.rm ? 'removed' : 'next-exit',
  } as const;
  return await runAttached(session, client, id, options, start);
}

/** Starts the container; when that fails with `--rm`, its removal is awaited so that its name is free again. */
async function startContainer(
  client: EngineClient,
  id: string,
  { removed, signal }: { removed: boolean; signal: AbortSignal },
): Promise<void> {
  try {
    await client.call('POST', `/containers/${id}/start`, { signal });
  } catch (error) {
    if (removed && isFailure(error) && error.kind !== 'cancelled') {
      const gone = waitForEnd(client, id, 'removed', AbortSignal.timeout(10_000)).then(exitCodeOf);
      await gone.catch(() => {}); // not found: it is gone already
    }
    throw error;
  }
}
