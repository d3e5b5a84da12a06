import { text } from '../../flags/flag.ts';

const DEFAULT_DATA = '/var/lib/strake-registry';

export const dataFlag = text('Folder of its data', { initial: DEFAULT_DATA, shown: DEFAULT_DATA });

/** A script of the registry, which lies beside that of the host. */
export function registryScript(hostScript: URL, name: 'registry' | 'registry-import'): URL {
  return new URL(hostScript.href.replace(/host(\.[jt]s)$/, `${name}$1`));
}
