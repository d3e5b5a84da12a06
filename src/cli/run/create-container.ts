import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { Failure, messageOf, systemCode } from '../../lib/error.ts';
import { familiarReference, parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { ContainerCreateBody } from '../../wire/container.ts';
import { type EngineClient, isNotFound } from '../client/engine-client.ts';
import type { Session } from '../session.ts';
import type { ContainerFlags } from './container-flags.ts';

const ID = /^(sha256:)?[0-9a-f]{64}$/;

/** Creates a container, pulling its image when `--pull` says so or when the host does not have it. Returns its ID. */
export async function createContainer(
  session: Session,
  client: EngineClient,
  flags: ContainerFlags,
  body: ContainerCreateBody,
): Promise<string> {
  if (!['always', 'missing', 'never', ''].includes(flags.pull))
    throw new Failure(
      'invalid',
      'PULL',
      `invalid pull option: '${flags.pull}': must be one of "always", "missing" or "never"`,
    );
  using idFile = flags.cidfile === '' ? undefined : openIdFile(flags.cidfile);
  const image = body.Image ?? '';
  if (!ID.test(image)) parseReference(image);
  const fetch = async () => {
    const { pullImage } = await import('../commands/pull.ts');
    await pullImage(session, image, { platform: flags.platform, quiet: flags.quiet, output: session.stderr });
  };
  const create = () =>
    client.json<{ Id: string; Warnings: string[] | null }>('POST', '/containers/create', {
      query: { name: flags.name || undefined, platform: flags.platform || undefined },
      json: body,
      signal: session.signal,
    });

  if (flags.pull === 'always') await fetch();
  let answer: { Id: string; Warnings: string[] | null };
  try {
    answer = await create();
  } catch (error) {
    const missing = isNotFound(error) && /no such image/i.test(error.message) && flags.pull !== 'never';
    const reference = missing ? nameOf(image) : undefined;
    if (reference === undefined) throw error;
    if (!flags.quiet) session.stderr.write(`Unable to find image '${reference}' locally\n`);
    await fetch();
    answer = await create();
  }
  for (const warning of answer.Warnings ?? []) session.stderr.write(`WARNING: ${warning}\n`);
  idFile?.keep(answer.Id);
  return answer.Id;
}

/** The name to pull, or undefined for an ID, which no registry knows. */
function nameOf(image: string): string | undefined {
  if (ID.test(image)) return undefined;
  return familiarReference(withDefaultTag(parseReference(image)));
}

/** Claims the file before the container exists; without a container it disappears again. */
function openIdFile(path: string): Disposable & { keep(id: string): void } {
  let file: number;
  try {
    file = openSync(path, 'wx', 0o644);
  } catch (error) {
    const message =
      systemCode(error) === 'EEXIST'
        ? `container ID file found, make sure the other container isn't running or delete ${path}`
        : `failed to create the container ID file: ${messageOf(error)}`;
    throw new Failure('invalid', 'CIDFILE', message, { cause: error });
  }
  let kept = false;
  return {
    keep(id) {
      writeSync(file, id);
      kept = true;
    },
    [Symbol.dispose]() {
      closeSync(file);
      if (!kept) rmSync(path, { force: true });
    },
  };
}
