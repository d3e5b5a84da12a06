import { parseReference } from '../../oci/reference.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { readJsonLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { platformFlag } from '../flags/common.ts';
import { list, text } from '../flags/flag.ts';
import { drawProgress } from '../format/progress-lines.ts';
import { openInput, postFile } from './input-file.ts';

export const importImage = defineCommand({
  short: 'Make an image of the files in a tar archive',
  usage: 'file|URL|- [REPOSITORY[:TAG]]',
  count: [1, 2],
  aliases: ['image import', 'import'],
  flags: {
    change: list('Apply a Dockerfile instruction to the image', { short: 'c' }),
    message: text('Message of the history entry', { short: 'm' }),
    platform: platformFlag,
  },
  async run(session, { flags, args: [source = '', name] }) {
    if (name !== undefined) parseReference(name);
    const remote = /^https?:\/\//.test(source);
    const file = remote || source === '-' ? undefined : await openInput(source);
    const client = await session.client();
    const request = {
      query: {
        fromSrc: remote ? source : '-',
        repo: name,
        message: flags.message || undefined,
        changes: flags.change,
        platform: flags.platform || undefined,
      },
      headers: { 'Content-Type': 'text/plain' },
      signal: session.signal,
    };
    const answer = file
      ? await postFile(client, '/images/create', { ...request, file })
      : await client.request('POST', '/images/create', { ...request, ...(source === '-' && { body: session.stdin }) });
    await drawProgress(readJsonLines<ProgressLine>(answer.body), session.stdout);
    return 0;
  },
});
