import { Failure } from '../../lib/error.ts';
import { defineCommand } from '../command.ts';
import { parseCopyArgument } from '../copy/copy-paths.ts';
import { copyFromContainer } from '../copy/from-container.ts';
import { copyToContainer } from '../copy/to-container.ts';
import { toggle } from '../flags/flag.ts';

export const cp = defineCommand({
  short: 'Copy files between a container and this machine, or a tar',
  usage: 'CONTAINER:SRC_PATH DEST_PATH|-\n        strake cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  count: [2, 2],
  aliases: ['container cp', 'cp'],
  flags: {
    archive: toggle('Keep owner and group', { short: 'a' }),
    'follow-link': toggle('Copy what a link in SRC_PATH names, not the link', { short: 'L' }),
    quiet: toggle('Say nothing on a terminal', { short: 'q' }),
  },
  async run(session, { flags, args: [source = '', destination = ''] }) {
    if (source === '') throw new Failure('invalid', 'COPY_ARGUMENT', 'source can not be empty');
    if (destination === '') throw new Failure('invalid', 'COPY_ARGUMENT', 'destination can not be empty');
    const from = parseCopyArgument(source);
    const to = parseCopyArgument(destination);
    const options = { followLink: flags['follow-link'], archive: flags.archive };
    if (from.container !== undefined && to.container !== undefined)
      throw new Failure('invalid', 'COPY_ARGUMENT', 'copying between containers is not supported');
    if (from.container !== undefined)
      await copyFromContainer(session, { container: from.container, path: from.path }, destination, options);
    else if (to.container !== undefined)
      await copyToContainer(session, source, { container: to.container, path: to.path }, options);
    else throw new Failure('invalid', 'COPY_ARGUMENT', 'must specify at least one container source');
    if (!flags.quiet && session.stdout.isTTY === true) session.stderr.write(`Copied ${source} to ${destination}\n`);
    return 0;
  },
});
