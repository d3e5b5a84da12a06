import { Failure, isFailure } from '../../lib/error.ts';
import { type EngineClient, isNotFound } from '../client/engine-client.ts';
import { type Command, defineCommand } from '../command.ts';
import { objectFormatFlag, platformFlag } from '../flags/common.ts';
import { text, toggle } from '../flags/flag.ts';
import { indentJson } from '../format/indent-json.ts';
import { compileTemplate, type Template } from '../gotemplate/evaluate.ts';
import type { Session } from '../session.ts';
import { nilField } from './inspect-fields.ts';

const TYPES = ['container', 'image', 'network', 'volume'] as const;
type ObjectType = (typeof TYPES)[number];

export const inspect = defineCommand({
  short: 'Show everything about containers, images, networks and volumes',
  usage: 'NAME|ID [NAME|ID...]',
  count: [1, Number.POSITIVE_INFINITY],
  flags: {
    format: objectFormatFlag,
    size: toggle('Show the sizes of containers', { short: 's' }),
    type: text('Look only among objects of this type: container, image, network, volume'),
  },
  async run(session, { flags, args }) {
    const types = flags.type === '' ? TYPES : TYPES.filter((type) => type === flags.type);
    if (types.length === 0) throw new Failure('invalid', 'TYPE', `"${flags.type}" is not a valid value for --type`);
    return await inspectAll(session, args, types, flags);
  },
});

export const inspectImage = inspecting('image', 'IMAGE', 'Show everything about one or more images');
export const inspectContainer = inspecting('container', 'CONTAINER', 'Show everything about one or more containers');
export const inspectVolume = inspecting('volume', 'VOLUME', 'Show everything about one or more volumes');
export const inspectNetwork = inspecting('network', 'NETWORK', 'Show everything about one or more networks');

function inspecting(type: ObjectType, noun: string, short: string): Command {
  return defineCommand({
    short,
    usage: `${noun} [${noun}...]`,
    count: [1, Number.POSITIVE_INFINITY],
    flags: {
      format: objectFormatFlag,
      ...(type === 'container' && { size: toggle('Show sizes', { short: 's' }) }),
      ...(type === 'image' && { platform: platformFlag }),
    },
    run: (session, { flags, args }) => inspectAll(session, args, [type], { size: false, ...flags }),
  });
}

/** Prints what is found and complains about what is not; exit code 1 when anything was missing. */
async function inspectAll(
  session: Session,
  names: readonly string[],
  types: readonly ObjectType[],
  flags: { format: string; size: boolean; platform?: string },
): Promise<number> {
  const client = await session.client();
  const print = templateOf(flags.format);
  const found: string[] = [];
  const complaints: string[] = [];
  for (const name of names) {
    try {
      found.push(await fetchObject(client, name, types, flags, session.signal));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      complaints.push(types.length > 1 ? `Error: No such object: ${name}` : error.message);
    }
  }
  if (print && found.length === 0) session.stdout.write('\n');
  else if (print) for (const raw of found) session.stdout.write(`${print(JSON.parse(raw))}\n`);
  else if (flags.format === 'json') session.stdout.write(`[${found.map((raw) => raw.trim()).join(',')}]\n`);
  else if (found.length === 0) session.stdout.write('[]\n');
  else session.stdout.write(`[\n${found.map((raw) => `    ${indentJson(raw, 1)}`).join(',\n')}\n]\n`);
  for (const complaint of complaints) session.stderr.write(`${complaint}\n`);
  return complaints.length > 0 ? 1 : 0;
}

function templateOf(format: string): Template | undefined {
  if (format === '' || format === 'json') return undefined;
  try {
    return compileTemplate(format, { nil: nilField });
  } catch (error) {
    if (!isFailure(error)) throw error;
    throw new Failure(error.kind, error.code, error.message, { cause: error, exitCode: 64 });
  }
}

async function fetchObject(
  client: EngineClient,
  name: string,
  types: readonly ObjectType[],
  flags: { size: boolean; platform?: string },
  signal: AbortSignal,
): Promise<string> {
  let missing: unknown = new Failure('not-found', 'NO_SUCH_OBJECT', `No such object: ${name}`);
  for (const type of types) {
    try {
      return await client.text('GET', pathOf(type, name), {
        query: { size: (type === 'container' && flags.size) || undefined, platform: flags.platform || undefined },
        signal,
      });
    } catch (error) {
      // a host may have no networks or volumes at all
      if (!isFailure(error, 'not-found', 'unsupported')) throw error;
      missing = isNotFound(error) ? error : missing;
    }
  }
  throw missing;
}

function pathOf(type: ObjectType, name: string): string {
  switch (type) {
    case 'container':
      return `/containers/${name}/json`;
    case 'image':
      return `/images/${name}/json`;
    case 'network':
      return `/networks/${name}`;
    case 'volume':
      return `/volumes/${name}`;
  }
}
