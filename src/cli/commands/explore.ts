import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Failure, isFailure } from '../../lib/error.ts';
import { ExplorerPage } from '../../web/explorer-page.ts';
import { ExplorerServer } from '../../web/explorer-server.ts';
import { connectOrStart } from '../client/connect.ts';
import type { Answer, EngineClient } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { integer } from '../flags/flag.ts';
import type { Session } from '../session.ts';

/** Serves the explorer until it is interrupted. It talks to the host as every command does: the host opens nothing for it. */
export const explore = defineCommand({
  short: 'Serve a page for looking inside images, to browsers of this machine',
  usage: '[IMAGE]',
  count: [0, 1],
  flags: { port: integer('Port of 127.0.0.1 to serve it on; 0: a free one') },
  async run(session, { flags, args: [image] }) {
    const { signal, stdout, stderr } = session;
    if (flags.port < 0 || flags.port > 65535)
      throw new Failure('invalid', 'FLAG_VALUE', `invalid port "${flags.port}": expected 0 to 65535`);
    const host = new FollowedHost(session);
    const client = await host.client();
    const place = image === undefined ? '' : await placeOf(client, image, signal);
    const token = randomBytes(24).toString('base64url');
    await using server = new ExplorerServer({
      page: new ExplorerPage(new URL('./explorer/', session.hostScript)),
      token,
      about: async (call) => {
        for await (const _ of (await host.ask('/_ping', call)).body);
        const { endpoint, strakeVersion } = await host.client();
        return { kind: 'host', address: endpoint.text, isStrake: strakeVersion !== undefined };
      },
      ask: (path, call) => host.ask(path, call),
    });
    const port = await server.listen(flags.port);
    stdout.write(`http://127.0.0.1:${port}/#key=${token}${place}\n`);
    stderr.write(
      `The explorer of ${client.endpoint.text} is at this address, which opens it to whoever has it; Ctrl-C ends it.\n`,
    );
    if (!signal.aborted) await once(signal, 'abort');
    return 0;
  },
});

/** Where the page shows an image that is known to be there. */
async function placeOf(client: EngineClient, image: string, signal: AbortSignal): Promise<string> {
  const path = image.split('/').map(encodeURIComponent).join('/');
  await client.call('GET', `/images/${path}/json`, { signal });
  return `&at=${encodeURIComponent(`/image/${encodeURIComponent(image)}`)}`;
}

/** The host of a session for as long as a page is open: another one may have taken its place, or it left when idle. */
class FollowedHost {
  readonly #session: Session;
  #client: Promise<EngineClient> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  client(): Promise<EngineClient> {
    const { choice, hostScript, signal } = this.#session;
    this.#client ??= connectOrStart(choice, hostScript, signal).catch((error: unknown) => {
      this.#client = undefined;
      throw error;
    });
    return this.#client;
  }

  async ask(path: string, signal: AbortSignal): Promise<Answer> {
    try {
      return await (await this.client()).request('GET', path, { signal });
    } catch (error) {
      if (!isFailure(error, 'unavailable')) throw error;
      this.#client = undefined;
      return await (await this.client()).request('GET', path, { signal });
    }
  }
}
