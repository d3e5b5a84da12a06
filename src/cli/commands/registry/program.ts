import { text } from '../../flags/flag.ts';

const DEFAULT_DATA = '/var/lib/strake-registry';

export const dataFlag = text('Folder of its data', { initial: DEFAULT_DATA, shown: DEFAULT_DATA });

/** The registry's program, which lies beside that of the host. */
export function registryScript(hostScript: URL): URL {
  return new URL(hostScript.href.replace(/host\.js$/, 'registry.cjs').replace(/host\.ts$/, 'registry.ts'));
}

/** The program that takes over data of another registry. */
export function importScript(hostScript: URL): URL {
  return new URL(hostScript.href.replace(/host(\.[jt]s)$/, 'registry-import$1'));
}
