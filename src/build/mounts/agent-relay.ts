import type { Duplex } from 'node:stream';
import { Failure } from '../../lib/error.ts';

/** Message numbers of https://datatracker.ietf.org/doc/draft-ietf-sshm-ssh-agent/ */
const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const SIGN_REQUEST = 13;

/** OpenSSH's own bound. */
const MESSAGE_LIMIT = 256 << 10;

/**
 * Passes requests of `client` on to an SSH agent, one after the other, until one side ends. Only listing keys and signing
 * pass; whoever wants to add, remove or lock keys is told that it failed. Never rejects: a broken side ends both.
 */
export async function relayAgent(client: Duplex, connect: () => Duplex): Promise<void> {
  let agent: Duplex | undefined;
  try {
    agent = connect();
    const answers = messages(agent);
    for await (const request of messages(client)) {
      if (!isHarmless(request)) {
        client.write(frame(Buffer.of(FAILURE)));
        continue;
      }
      agent.write(frame(request));
      const answer = await answers.next();
      if (answer.done === true) break;
      client.write(frame(answer.value));
    }
  } catch {
    // The program in the container sees the end of its connection.
  } finally {
    client.end();
    agent?.destroy();
  }
}

function isHarmless(message: Buffer): boolean {
  return message[0] === REQUEST_IDENTITIES || message[0] === SIGN_REQUEST;
}

function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  return Buffer.concat([length, message]);
}

/** Cuts a stream into messages: a length of four bytes, then so many. */
async function* messages(stream: Duplex): AsyncGenerator<Buffer, void> {
  let rest = Buffer.alloc(0);
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4) {
      const length = rest.readUInt32BE();
      if (length === 0 || length > MESSAGE_LIMIT)
        throw new Failure('invalid', 'AGENT_MESSAGE', `a message of an SSH agent has ${length} bytes`);
      if (rest.length < 4 + length) break;
      yield rest.subarray(4, 4 + length);
      rest = rest.subarray(4 + length);
    }
  }
}
