import type { InstructionBase } from '../../instruction.ts';

/** Index in `original` at which `word` stands as a word of its own, behind the keyword; 0 when it does not. */
export function wordAt({ original, keyword }: InstructionBase, word: string): number {
  for (let at = original.indexOf(word, keyword.length); at >= 0; at = original.indexOf(word, at + 1)) {
    const before = original[at - 1] ?? ' ';
    const after = original[at + word.length] ?? ' ';
    if (/\s/.test(before) && /\s/.test(after)) return at;
  }
  return 0;
}

export function isUrl(source: string): boolean {
  return /^(https?|git|ssh):\/\/|^git@/i.test(source);
}

/** A file name by which ADD would unpack. */
export function isArchive(source: string): boolean {
  return /\.(tar|tgz|tbz2?|txz|tzst|tar\.(gz|bz2|xz|zst|lzma|Z))$/i.test(source);
}

/** `path` without `./`, doubled and trailing slashes. */
export function cleanPath(path: string): string {
  const cleaned = path.replace(/\/+/g, '/').replace(/(^|\/)(\.\/)+/g, '$1');
  return cleaned.length > 1 ? cleaned.replace(/\/\.?$/, '') || '/' : cleaned;
}
