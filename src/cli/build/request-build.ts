import { Readable } from 'node:stream';
import { Failure, isFailure } from '../../lib/error.ts';
import { CONTEXT_HEADER } from '../../wire/build.ts';
import { CONTEXTS_HEADER, type ContextsOffer, type NamedContext } from '../../wire/build-input.ts';
import type { Answer, EngineClient, Query, RequestInput } from '../client/engine-client.ts';
import type { Output, Session } from '../session.ts';
import type { BuildSource } from './build-source.ts';
import { type ContextPart, contextsTar, contextTar } from './context-tar.ts';
import type { NamedSource } from './named-source.ts';
import { sentContext } from './send-context.ts';

export interface BuildInput {
  readonly source: BuildSource;
  /** `--build-context`, by name. */
  readonly named: ReadonlyMap<string, NamedSource>;
  readonly query: Query;
  readonly headers: Readonly<Record<string, string>>;
  readonly compress: boolean;
  /** Where to count what is sent. */
  readonly report: Output | undefined;
}

type Parts = Pick<RequestInput, 'body' | 'headers'>;

/** Sends the request: with an offer of the folders when the host can see them, with what is in them as a tar otherwise. */
export async function requestBuild(session: Session, client: EngineClient, input: BuildInput): Promise<Answer> {
  const { query } = input;
  const post = (parts: Parts) =>
    client.request('POST', '/build', {
      query,
      ...parts,
      headers: { ...input.headers, ...parts.headers },
      signal: session.signal,
    });
  if (client.strakeVersion !== undefined && client.endpoint.kind === 'unix')
    try {
      return await post(offered(input));
    } catch (error) {
      if (!isFailure(error) || error.code !== 'HTTP_412') throw error;
    }
  const hasFolders = [...input.named.values()].some(({ kind }) => kind === 'folder');
  return await post(hasFolders ? packed(input) : sent(input));
}

/** Nothing is sent but names of folders and what comes from stdin. */
function offered(input: BuildInput): Parts {
  const { source, named } = input;
  const contexts = contextsHeader(named, (_, { offer }) => ({ kind: 'folder', offer }));
  if (source.kind !== 'folder') {
    const { body, headers } = sent(input);
    return { ...(body && { body }), headers: { ...headers, ...contexts } };
  }
  const headers = { ...contexts, [CONTEXT_HEADER]: encoded(source.offer), 'Content-Type': 'text/plain' };
  return { headers, ...(source.sent && { body: source.sent }) };
}

/** The own context is the body. */
function sent(input: BuildInput): Parts {
  const { source } = input;
  const contexts = contextsHeader(input.named, () => undefined);
  if (source.kind === 'remote') return { headers: contexts };
  const tar = source.kind === 'tar' ? source.tar() : Readable.from(contextTar(source.part));
  return { headers: { ...contexts, 'Content-Type': 'application/x-tar' }, body: sentContext(tar, input) };
}

/** The body holds all contexts that are folders, the own one in `0`. */
function packed(input: BuildInput): Parts {
  const { source } = input;
  const parts = new Map<string, ContextPart>();
  if (source.kind === 'folder') parts.set('0', source.part);
  if (source.kind === 'tar')
    throw new Failure('invalid', 'BUILD_CONTEXT', 'a context from stdin does not go with --build-context of a folder', {
      hint: 'the host does not see the folder: give both as folders',
    });
  const contexts = contextsHeader(
    input.named,
    (number, { part }) => {
      parts.set(`${number}`, part);
      return { kind: 'packed', folder: `${number}` };
    },
    true,
  );
  const body = sentContext(Readable.from(contextsTar(parts)), input);
  return { headers: { ...contexts, 'Content-Type': 'application/x-tar' }, body };
}

/** No header without contexts. `folderAs` says how a folder is told, its number from 1. */
function contextsHeader(
  named: BuildInput['named'],
  folderAs: (number: number, source: Extract<NamedSource, { kind: 'folder' }>) => NamedContext | undefined,
  packed = false,
): Record<string, string> {
  if (named.size === 0) return {};
  const told: Record<string, NamedContext> = {};
  for (const [index, [name, source]] of [...named].entries()) {
    const one = source.kind === 'folder' ? folderAs(index + 1, source) : source;
    if (one) told[name] = one;
  }
  const offer: ContextsOffer = { named: told, packed };
  return { [CONTEXTS_HEADER]: encoded(offer) };
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}
