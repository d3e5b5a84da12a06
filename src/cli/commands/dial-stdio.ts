import { pipeline } from 'node:stream/promises';
import { cancelled } from '../../lib/error.ts';
import { connectTo } from '../client/connect-to.ts';
import { defineCommand } from '../command.ts';
import { writeAll } from '../session.ts';

/** What `ssh` runs on a machine whose host is used from another one: the two streams become a connection to the API. */
export const dialStdio = defineCommand({
  short: 'Join stdin and stdout with the host, for a client that comes by ssh',
  usage: '',
  count: [0, 0],
  flags: {},
  async run(session) {
    await session.client(); // starts the host when it must
    const connection = connectTo(session.choice.endpoint);
    const { signal, stdin, stdout } = session;
    const stop = () => connection.destroy(cancelled(signal));
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      // Its end is the end of what the client says; the answer goes on. Why it breaks is told by the other direction.
      void pipeline(stdin, connection).catch(() => {});
      for await (const chunk of connection) await writeAll(stdout, chunk);
    } finally {
      signal.removeEventListener('abort', stop);
      stdin.destroy();
    }
    return 0;
  },
});
