import { Failure } from '../../lib/error.ts';
import { CONTEXT_HEADER, type ContextOffer } from '../../wire/build.ts';
import type { NamedContext } from '../../wire/build-input.ts';
import {
  AGENTS_HEADER,
  CONTEXTS_HEADER,
  type ContextsOffer,
  SECRET_LIMIT,
  SECRETS_HEADER,
} from '../../wire/build-input.ts';
import type { LentToBuild } from '../backend/build.ts';
import { type Check, flag, map, object, text } from '../check.ts';
import type { Exchange } from '../exchange.ts';
import { headerJson, invalidHeader, placeOffer } from './header-json.ts';

/** What a client lends to a build: its secrets, and agents if it is a process of this machine. */
export function readLent(exchange: Exchange): LentToBuild {
  const agents = headerJson(exchange, AGENTS_HEADER, map(text)) ?? {};
  const [first] = Object.keys(agents);
  const user = first === undefined ? undefined : exchange.peerUser();
  if (first !== undefined && user === undefined)
    throw new Failure('unsupported', 'AGENT_REMOTE', `--ssh ${first}: the client is not on the machine of the host`, {
      hint: 'build on the machine of the host, over its unix socket',
    });
  const secrets = readSecrets(exchange.header(SECRETS_HEADER));
  return {
    secret: async (id) => secrets.get(id),
    agent: async (id) => {
      const path = Object.hasOwn(agents, id) ? agents[id] : undefined;
      return path === undefined || user === undefined ? undefined : { kind: 'socket', path, user };
    },
  };
}

/** The folder that a client offers as the build's context. */
export function readContextOffer(exchange: Exchange): ContextOffer | undefined {
  return headerJson(exchange, CONTEXT_HEADER, placeOffer);
}

/** The contexts of `--build-context`. */
export function readNamedContexts(exchange: Exchange): ContextsOffer {
  const { named = {}, packed = false } = headerJson(exchange, CONTEXTS_HEADER, contextsOffer) ?? {};
  return { named, packed };
}

function readSecrets(header: string | undefined): Map<string, Buffer> {
  const secrets = new Map<string, Buffer>();
  for (const pair of (header ?? '').split(',').filter(Boolean)) {
    const equals = pair.indexOf('=');
    const id = decodeId(pair.slice(0, Math.max(equals, 0)));
    const content = Buffer.from(pair.slice(equals + 1), 'base64');
    // The message must not show what came: it may be the secret.
    if (equals < 0 || id === '') throw invalidHeader(SECRETS_HEADER, 'expected id=<base64>, joined by commas');
    if (content.length > SECRET_LIMIT)
      throw new Failure('invalid', 'SECRET_TOO_LARGE', `secret ${id} too big. max size ${SECRET_LIMIT}`);
    secrets.set(id, content);
  }
  return secrets;
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

const namedFields = object({ kind: text, offer: placeOffer, folder: text, reference: text, url: text });

const namedContext: Check<NamedContext> = (value, at) => {
  const { kind, offer, folder, reference, url } = namedFields(value, at);
  if (kind === 'folder' && offer) return { kind, offer };
  if (kind === 'packed' && folder !== undefined && /^[0-9]+$/.test(folder)) return { kind, folder };
  if (kind === 'image' && reference !== undefined) return { kind, reference };
  if (kind === 'remote' && url !== undefined) return { kind, url };
  throw invalidHeader(at, 'expected a folder, packed, image or remote context');
};

const contextsOffer = object({ named: map(namedContext), packed: flag });
