import { Failure, isFailure } from '../../../lib/error.ts';
import { bytes, message, string } from '../../../lib/protobuf.ts';
import { SECRET_LIMIT } from '../../../wire/build-input.ts';
import type { LentToBuild } from '../../backend/build.ts';
import { byteStream } from './byte-stream.ts';
import type { ClientSession } from './sessions.ts';

/** moby.buildkit.secrets.v1.Secrets: github.com/moby/buildkit, session/secrets/secrets.proto */
const GET_SECRET = 'moby.buildkit.secrets.v1.Secrets/GetSecret';
const GetSecretRequest = message({ id: string(1) });
const GetSecretResponse = message({ data: bytes(1) });

/** moby.sshforward.v1.SSH: github.com/moby/buildkit, session/sshforward/ssh.proto */
const CHECK_AGENT = 'moby.sshforward.v1.SSH/CheckAgent';
const FORWARD_AGENT = 'moby.sshforward.v1.SSH/ForwardAgent';
const CheckAgentRequest = message({ id: string(1) });

/** What the client of a session lends to RUN steps: `--secret` and `--ssh` of its command. */
export function lentBy(session: Pick<ClientSession, 'has' | 'grpc' | 'closed'>): LentToBuild {
  return {
    async secret(id, { signal }) {
      if (!session.has(GET_SECRET)) return undefined;
      const answer = await unlessMissing(session.grpc.call(GET_SECRET, GetSecretRequest.encode({ id }), { signal }));
      if (!answer) return undefined;
      const { data } = GetSecretResponse.decode(answer);
      if (data.length > SECRET_LIMIT)
        throw new Failure('invalid', 'SECRET_TOO_LARGE', `secret ${id} too big. max size ${SECRET_LIMIT}`);
      return Buffer.from(data);
    },
    async agent(id, { signal }) {
      if (!session.has(FORWARD_AGENT)) return undefined;
      try {
        await session.grpc.call(CHECK_AGENT, CheckAgentRequest.encode({ id }), { signal });
      } catch (error) {
        if (signal.aborted || session.closed.aborted) throw error;
        return undefined; // clients say in words of their own that they have no agent of that ID
      }
      const metadata = { 'buildkit.ssh.id': id };
      return {
        kind: 'stream',
        connect: () => byteStream(session.grpc.open(FORWARD_AGENT, { metadata, signal })),
      };
    },
  };
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isFailure(error, 'not-found', 'unsupported')) return undefined;
    throw error;
  }
}
