import { resolve } from 'node:path';
import { becomeProgram } from '../../client/become-program.ts';
import { defineCommand } from '../../command.ts';
import { dataFlag, importScript } from './program.ts';

export const importData = defineCommand({
  short: "Take over the data folder of Docker's registry, without copying its blobs",
  usage: 'FOLDER',
  count: [1, 1],
  flags: { data: dataFlag },
  async run(session, { flags, args: [source = ''] }) {
    const script = importScript(session.hostScript);
    return becomeProgram({ script, args: [resolve(flags.data), resolve(source)], env: session.env });
  },
});
