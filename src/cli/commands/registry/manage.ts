import { Failure, isFailure } from '../../../lib/error.ts';
import type { RegistryConnection } from '../../../remote/connection.ts';
import { bodyOf } from '../../../remote/http.ts';
import type {
  RegistryCheckLine,
  RegistryGcReport,
  RegistryPruned,
  RegistryPruneRules,
  RegistryRestored,
} from '../../../wire/registry-admin.ts';
import { readJsonLines } from '../../client/json-lines.ts';
import { defineCommand } from '../../command.ts';
import { duration, integer, text, toggle } from '../../flags/flag.ts';
import { humanSize } from '../../format/human.ts';
import type { Session } from '../../session.ts';
import { confirm } from '../confirm.ts';
import { connectTo, insecureFlag, parseRegistry, parseTarget } from './connect.ts';

/** Takes a registry as a whole. */
const REGISTRY = { usage: 'HOST[:PORT]', count: [1, 1] } as const;

export const gc = defineCommand({
  ...REGISTRY,
  short: 'Remove what nothing needs any more from a registry, while it serves',
  flags: {
    now: toggle('Also what a lease still holds; pushes that are under way must then be repeated'),
    insecure: insecureFlag,
  },
  async run(session, { flags, args: [host = ''] }) {
    const asked = flags.now ? 'gc/now' : 'gc';
    for await (const line of ask<RegistryGcReport>(session, parseRegistry(host), flags.insecure, asked)) {
      const { blobs, uploads, bytes } = line;
      session.stdout.write(`Deleted ${count(blobs, 'blob')} and ${count(uploads, 'unfinished upload')}\n`);
      session.stdout.write(`Total reclaimed space: ${humanSize(bytes)}\n`);
    }
    return 0;
  },
});

export const check = defineCommand({
  ...REGISTRY,
  short: 'Prove that everything in a registry is whole, while it serves',
  flags: {
    repair: toggle('Count damaged blobs as missing, so that the next push brings them back; delete stray files'),
    insecure: insecureFlag,
  },
  async run(session, { flags, args: [host = ''] }) {
    const asked = flags.repair ? 'repair' : 'check';
    for await (const line of ask<RegistryCheckLine>(session, parseRegistry(host), flags.insecure, asked)) {
      if ('problem' in line) {
        const repair = line.repair === 'done' ? ': repaired' : line.repair === 'possible' ? ': --repair mends it' : '';
        session.stdout.write(`${line.problem}${repair}\n`);
        continue;
      }
      const looked = `${count(line.blobs, 'blob')}, ${count(line.manifests, 'manifest')}`;
      const problems =
        line.problems === 0 ? 'no problem' : `${count(line.problems, 'problem')}, ${line.repaired} repaired`;
      session.stdout.write(`Checked ${looked}: ${problems}\n`);
      return line.problems > line.repaired ? 1 : 0;
    }
    throw new Failure('data-loss', 'ANSWER_CUT', 'the registry ended its answer before the check was complete');
  },
});

export const restore = defineCommand({
  short: 'Put back what was deleted from a registry, while its time of grace lasts',
  usage: 'HOST[:PORT]/REPOSITORY[:TAG|@DIGEST]',
  count: [1, 1],
  flags: { insecure: insecureFlag },
  async run(session, { flags, args: [target = ''] }) {
    const { registry, reference } = parseTarget(target);
    if (!reference)
      throw new Failure('invalid', 'REFERENCE_INVALID', `"${target}" is a registry: expected HOST/REPOSITORY`);
    const { path, tag, digest } = reference;
    const asked = { repository: path, reference: digest ? `@${digest}` : tag === undefined ? '' : `:${tag}` };
    for await (const line of ask<RegistryRestored>(session, registry, flags.insecure, 'restore', asked))
      for (const name of line.restored) session.stdout.write(`Restored: ${registry}/${path}${name}\n`);
    return 0;
  },
});

export const prune = defineCommand({
  short: 'Delete old tags and untagged images of a registry by rules',
  usage: 'HOST[:PORT][/REPOSITORY]',
  count: [1, 1],
  flags: {
    tags: text('Tags that may go, * for anything'),
    keepLast: integer('So many of the newest of these tags stay in each repository'),
    olderThan: duration('What was changed in this time stays'),
    untagged: toggle('Delete images with no tag that no index names and that refer to none'),
    dryRun: toggle('Only show what would go'),
    force: toggle('Do not ask', { short: 'f' }),
    insecure: insecureFlag,
  },
  async run(session, { flags, args: [target = ''] }) {
    const { registry, reference } = parseTarget(target);
    if (flags.tags === '' && !flags.untagged)
      throw new Failure('invalid', 'RULES_MISSING', 'nothing would go: give --tags, --untagged or both');
    if (flags.keepLast < 0 || flags.olderThan < 0)
      throw new Failure('invalid', 'FLAG_VALUE', '--keep-last and --older-than must not be negative');
    const question = `WARNING! This deletes images of ${target} that the rules let go.`;
    if (!flags.dryRun && !flags.force && !(await confirm(session, question))) return 0;
    const rules: RegistryPruneRules = {
      repository: reference?.path,
      tags: flags.tags || undefined,
      keepLast: flags.keepLast,
      olderThan: flags.olderThan / 1e6,
      untagged: flags.untagged,
      dryRun: flags.dryRun,
    };
    const verb = flags.dryRun ? 'Would delete' : 'Deleted';
    for await (const line of ask<RegistryPruned>(session, registry, flags.insecure, 'prune', rules))
      session.stdout.write(`${verb}: ${registry}/${line.repository}${line.reference}\n`);
    return 0;
  },
});

/** POSTs to the registry's own API; the lines of its answer. The type is the API's promise. */
async function* ask<T>(
  session: Session,
  registry: string,
  insecure: readonly string[],
  path: string,
  body?: object,
): AsyncGenerator<T> {
  using opened = await connectTo(session, registry, insecure);
  const answer = await post(opened.connection, registry, path, body, session.signal);
  yield* readJsonLines<T>(bodyOf(answer, session.signal));
}

async function post(
  connection: RegistryConnection,
  registry: string,
  path: string,
  body: object | undefined,
  signal: AbortSignal,
) {
  const bytes = Buffer.from(body === undefined ? '' : JSON.stringify(body));
  try {
    return await connection.send({
      method: 'POST',
      url: `_strake/${path}`,
      scopes: ['registry:admin:*'],
      expect: [200],
      body: {
        length: bytes.length,
        async *open() {
          yield bytes;
        },
      },
      signal,
      retry: false,
    });
  } catch (error) {
    if (!isFailure(error, 'not-found', 'unsupported') || error.code === 'MANIFEST_UNKNOWN') throw error;
    throw new Failure('unsupported', 'NOT_STRAKE', `${registry} is not a registry of Strake`, { cause: error });
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
