import type { FileType } from './insight.ts';

const LETTERS: Readonly<Record<FileType, string>> = {
  file: '-',
  hardlink: '-',
  directory: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
};

/** Type and permission bits as `ls -l` shows them: `-rwsr-xr-x`. */
export function fileMode(type: FileType, mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-'));
  const special = (at: number, mask: number, set: string) => {
    if (mode & mask) bits[at] = bits[at] === 'x' ? set : set.toUpperCase();
  };
  special(2, 0o4000, 's');
  special(5, 0o2000, 's');
  special(8, 0o1000, 't');
  return LETTERS[type] + bits.join('');
}
