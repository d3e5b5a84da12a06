import { messageOf, systemCode } from '../lib/error.ts';

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'file exists',
  ENOSPC: 'no space left on device',
};

/** What the system said, in its own words: `no such file or directory`. */
export function systemMessage(error: unknown): string {
  return WORDS[systemCode(error) ?? ''] ?? messageOf(error);
}
