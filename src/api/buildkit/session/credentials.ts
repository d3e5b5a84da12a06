import { isFailure } from '../../../lib/error.ts';
import { message, string } from '../../../lib/protobuf.ts';
import type { AskRegistryAuth } from '../../backend/build.ts';
import type { ClientSession } from './sessions.ts';

/** moby.filesync.v1.Auth: github.com/moby/buildkit, session/auth/auth.proto */
const CREDENTIALS = 'moby.filesync.v1.Auth/Credentials';
const CredentialsRequest = message({ host: string(1) });
const CredentialsResponse = message({ username: string(1), secret: string(2) });

/** What the client of a session has for a registry, asked for once for each. */
export function credentialsOf(session: Pick<ClientSession, 'has' | 'grpc'>): AskRegistryAuth {
  const known = new Map<string, ReturnType<AskRegistryAuth>>();
  return (host, options) => {
    const before = known.get(host);
    if (before) return before;
    const answer = ask(session, host, options);
    known.set(host, answer);
    answer.catch(() => known.delete(host));
    return answer;
  };
}

const ask = async (
  session: Pick<ClientSession, 'has' | 'grpc'>,
  ...[host, { signal }]: Parameters<AskRegistryAuth>
): ReturnType<AskRegistryAuth> => {
  if (!session.has(CREDENTIALS)) return undefined;
  // Clients know Docker Hub by the name of its server.
  const request = CredentialsRequest.encode({ host: host === 'docker.io' ? 'registry-1.docker.io' : host });
  try {
    const { username, secret } = CredentialsResponse.decode(await session.grpc.call(CREDENTIALS, request, { signal }));
    if (secret === '') return undefined;
    return username === '' ? { identitytoken: secret } : { username, password: secret };
  } catch (error) {
    if (isFailure(error, 'unsupported')) return undefined;
    throw error;
  }
};
