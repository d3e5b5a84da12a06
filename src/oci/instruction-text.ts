import { printable } from '../lib/printable.ts';

/**
 * The instruction behind a history entry's command as a Dockerfile has it, on one line: `RUN make` of
 * `/bin/sh -c make`, `ENV A=b` of `/bin/sh -c #(nop)  ENV A=b`. Digests of copied files are cut to 12 digits, and
 * nothing in it drives a terminal.
 */
export function instructionText(createdBy: string): string {
  const line = printable(createdBy.replace(/\s+/g, ' ').trim());
  const plain = line.replace(/ # buildkit$/, '').replace(/\b(file|dir|multi):([0-9a-f]{12})[0-9a-f]{52}\b/g, '$1:$2');
  const nop = /^\/\S+(?: \S+)*? #\(nop\) +(.*)$/.exec(plain);
  if (nop) return nop[1] ?? '';
  const run = /^(?:RUN )?(?:\|\d+ .*?)?\/\S+(?: -o \S+| -\S+)+ (.*)$/.exec(plain);
  return run ? `RUN ${run[1]}` : plain;
}
