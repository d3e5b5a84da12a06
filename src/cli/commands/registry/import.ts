import { resolve } from 'node:path';
import { becomeProgram } from '../../client/become-program.ts';
import { defineCommand } from '../../command.ts';
import { dataFlag, registryScript } from './program.ts';

export const importData = defineCommand({
  short: "Take over the data folder of Docker's registry, without copying its blobs",
  usage: 'FOLDER',
  count: [1, 1],
  flags: { data: dataFlag },
  async run(session, { flags, args: [source = ''] }) {
    const script = registryScript(session.hostScript, 'registry-import');
    return becomeProgram(script, [resolve(flags.data), resolve(source)], session.env);
  },
});
