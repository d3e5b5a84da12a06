import { listNames } from '../../../remote/list-names.ts';
import { defineCommand } from '../../command.ts';
import { writeAll } from '../../session.ts';
import { connectTo, insecureFlag, parseTarget } from './connect.ts';

export const ls = defineCommand({
  short: 'List the repositories of a registry, or the tags of a repository',
  usage: 'HOST[:PORT][/REPOSITORY]',
  count: [1, 1],
  flags: { insecure: insecureFlag },
  async run(session, { flags, args: [text = ''] }) {
    const { registry, reference } = parseTarget(text);
    const request = reference
      ? { url: `v2/${reference.path}/tags/list`, field: 'tags', scopes: [`repository:${reference.path}:pull`] }
      : { url: 'v2/_catalog', field: 'repositories', scopes: ['registry:catalog:*'] };
    using opened = await connectTo(session, registry, flags.insecure);
    for await (const name of listNames(opened.connection, { ...request, signal: session.signal }))
      await writeAll(session.stdout, `${name}\n`);
    return 0;
  },
});
