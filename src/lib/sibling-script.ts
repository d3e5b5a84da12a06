/**
 * URL of a script that is started by URL (a worker): beside the calling file under the same extension, so that it is
 * found both in the source tree (`.ts`) and in the bundle (`.js`, all scripts in one folder).
 */
export function siblingScript(importMetaUrl: string, name: string): URL {
  const extension = importMetaUrl.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${extension}`, importMetaUrl);
}
