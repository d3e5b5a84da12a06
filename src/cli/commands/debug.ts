import { Failure } from '../../lib/error.ts';
import { debugBuild } from '../build/debug-build.ts';
import { defineCommand } from '../command.ts';
import { integer, toggle } from '../flags/flag.ts';

export const debug = defineCommand({
  short: 'Open a shell where a step of a build failed or ended',
  usage: '[BUILD | IMAGE [COMMAND] [ARG...]]',
  count: [0, Number.POSITIVE_INFINITY],
  interspersed: false,
  flags: {
    before: toggle('Show what was before the step'),
    retry: toggle("Run the step's command again, on what was before it"),
    step: integer('Number of the step (default the one that failed, else the last)'),
  },
  async run(session, { flags, given, args: [build = '', ...command] }) {
    if (given.has('step') && flags.step < 1)
      throw new Failure('invalid', 'STEP_UNKNOWN', `invalid step ${flags.step}: steps count from 1`);
    if (flags.retry && command.length > 0)
      throw new Failure('invalid', 'RETRY_COMMAND', "--retry runs the step's own command: leave yours out");
    return await debugBuild(session, build, {
      ...(given.has('step') ? { Step: flags.step } : {}),
      Before: flags.before,
      Retry: flags.retry,
      Cmd: command,
    });
  },
});
