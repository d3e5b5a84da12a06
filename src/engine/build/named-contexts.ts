import { presentFiles } from '../../build/context/build-context.ts';
import type { ContextPaths } from '../../build/context/needed-paths.ts';
import type { NamedContexts, OpenedNamedContext } from '../../build/needs.ts';
import { Failure } from '../../lib/error.ts';
import type { Scope } from '../../lib/scope.ts';
import { makeScratchFolder } from '../../lib/scratch.ts';
import type { Digest, ImageId } from '../../oci/digest.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import type { NamedContext } from '../../wire/build-input.ts';
import type { ClientContent } from '../transfer/content-source.ts';
import type { TakeImageRequest } from '../transfer/take-image.ts';
import {
  type ContextOptions,
  type ContextPlace,
  contextAt,
  offeredPlace,
  onDisk,
  packedPlace,
  unpack,
} from './build-context.ts';
import { openNamedFolder } from './client/client-context.ts';
import type { ClientFolder } from './client/client-folder.ts';
import { fetchRemoteContext } from './remote-context.ts';

export type NamedSource =
  | NamedContext
  | { readonly kind: 'client'; readonly folder: ClientFolder }
  | { readonly kind: 'layout'; readonly content: ClientContent; readonly manifest: Digest };

interface NamedOptions extends Omit<ContextOptions, 'dockerfile' | 'dockerfileFolder'> {
  /** What the build takes of a context; asked when it is opened. */
  readonly needed: (name: string) => ContextPaths;
  /** Brings an image that the client has; the caller keeps it. */
  readonly takeImage: (request: TakeImageRequest) => Promise<ImageId>;
}

/**
 * The contexts of `--build-context`. Folders are looked for at once, so that a client can send those that this host does
 * not see; what is remote is fetched when a step first needs it, once.
 */
export function namedContexts(
  named: ReadonlyMap<string, NamedSource>,
  scope: Scope,
  options: NamedOptions,
): NamedContexts {
  const openers = new Map([...named].map(([name, source]) => [name, opener(name, source, scope, options)]));
  const opened = new Map<string, Promise<OpenedNamedContext>>();
  return {
    names: [...named.keys()],
    open(name, platform) {
      const open = openers.get(name);
      if (!open) throw new Failure('internal', 'CONTEXT_UNKNOWN', `there is no context "${name}"`);
      const key = named.get(name)?.kind === 'layout' ? `${name} ${formatPlatform(platform)}` : name;
      const result = opened.get(key) ?? open(platform);
      opened.set(key, result);
      return result;
    },
  };
}

function opener(
  name: string,
  source: NamedSource,
  scope: Scope,
  options: NamedOptions,
): (platform: Platform) => Promise<OpenedNamedContext> {
  const folder = (place: ContextPlace): OpenedNamedContext => ({
    kind: 'folder',
    context: presentFiles(contextAt(place)),
  });
  switch (source.kind) {
    case 'image':
      return async () => ({ kind: 'image', name: source.reference });
    case 'folder': {
      const place = offeredPlace(source.offer, options);
      return async () => folder(place);
    }
    case 'packed':
      return async () => folder(packedPlace(options.packed, source.folder));
    case 'client':
      return async () => ({
        kind: 'folder',
        context: await openNamedFolder(source.folder, options.needed(name), scope, options),
      });
    case 'layout':
      return async (platform) => {
        const kept = scope.use(options.store.leases.begin());
        const { content, manifest } = source;
        return {
          kind: 'image',
          name: await options.takeImage({ name, content, manifest, platform, kept, ...options }),
        };
      };
    case 'remote':
      return async () => folder(await fetched(name, source.url, scope, options));
  }
}

async function fetched(name: string, url: string, scope: Scope, options: NamedOptions): Promise<ContextPlace> {
  const scratch = scope.use(makeScratchFolder(options.store.scratch, 'remote'));
  const remote = await fetchRemoteContext(url, scratch.path, options);
  if (remote.kind === 'folder') return onDisk(remote.folder);
  if (remote.kind === 'tar') return unpack(remote.body, scope, options);
  throw new Failure('invalid', 'CONTEXT_TEXT', `the build context "${name}" is a text, not a tar or a git repository`);
}
