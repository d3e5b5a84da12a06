import { Failure } from '../../lib/error.ts';
import type { ProgressLine } from '../../wire/progress.ts';
import { readJsonLines } from '../client/json-lines.ts';
import { defineCommand } from '../command.ts';
import { platformFlag } from '../flags/common.ts';
import { text, toggle } from '../flags/flag.ts';
import { drawProgress } from '../format/progress-lines.ts';
import { openInput, postFile } from './input-file.ts';

export const load = defineCommand({
  short: 'Read images from a tar archive',
  usage: '',
  count: [0, 0],
  aliases: ['image load', 'load'],
  flags: {
    input: text('File to read, instead of stdin', { short: 'i' }),
    platform: platformFlag,
    quiet: toggle('Show no progress', { short: 'q' }),
  },
  async run(session, { flags }) {
    if (flags.input === '' && session.stdin.isTTY)
      throw new Failure('invalid', 'TERMINAL', 'requested load from stdin, but stdin is empty');
    const file = flags.input === '' ? undefined : await openInput(flags.input);
    const client = await session.client();
    const quiet = flags.quiet || session.stdout.isTTY !== true;
    const request = {
      query: { quiet, platform: flags.platform || undefined },
      headers: { 'Content-Type': 'application/x-tar' },
      signal: session.signal,
    };
    const answer = file
      ? await postFile(client, '/images/load', { ...request, file })
      : await client.request('POST', '/images/load', { ...request, body: session.stdin });
    await drawProgress(readJsonLines<ProgressLine>(answer.body), session.stdout);
    return 0;
  },
});
