import { Failure } from '../../lib/error.ts';
import type { BuildExplanation } from '../../wire/build-explain.ts';
import { whyText } from '../build/why-text.ts';
import { defineCommand } from '../command.ts';
import { text } from '../flags/flag.ts';

export const why = defineCommand({
  short: 'Explain why steps of a build were not taken from the cache',
  usage: '[BUILD | IMAGE]',
  count: [0, 1],
  flags: { format: text("Output format: 'text' or 'json'", { initial: 'text', shown: '"text"' }) },
  async run(session, { flags, args: [build] }) {
    if (!['text', 'json'].includes(flags.format))
      throw new Failure('invalid', 'FORMAT', `invalid format "${flags.format}": expected text or json`);
    const client = await session.client();
    const query = { build };
    const { signal } = session;
    const explanation = await client.json<BuildExplanation>('GET', '/strake/builds/explain', { query, signal });
    session.stdout.write(flags.format === 'json' ? `${JSON.stringify(explanation, null, 2)}\n` : whyText(explanation));
    return 0;
  },
});
