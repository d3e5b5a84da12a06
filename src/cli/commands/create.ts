import { defineCommand } from '../command.ts';
import { CONTAINER_FLAGS } from '../run/container-flags.ts';
import { createBody } from '../run/create-body.ts';
import { createContainer } from '../run/create-container.ts';
import { withRunHint } from '../run/run-failure.ts';
import { terminalSize } from '../terminal/resize.ts';

export const create = defineCommand({
  short: 'Create a container without starting it',
  usage: 'IMAGE [COMMAND] [ARG...]',
  count: [1, Number.POSITIVE_INFINITY],
  aliases: ['container create', 'create'],
  interspersed: false,
  flags: CONTAINER_FLAGS,
  run: (session, { path, flags, given, args }) =>
    withRunHint(path, async () => {
      const body = createBody(flags, given, args, { detach: false, env: session.env });
      const size = flags.tty ? terminalSize(session) : undefined;
      const client = await session.client();
      const id = await createContainer(session, client, flags, {
        ...body,
        HostConfig: { ...body.HostConfig, ...(size && { ConsoleSize: size }) },
      });
      session.stdout.write(`${id}\n`);
      return 0;
    }),
});
