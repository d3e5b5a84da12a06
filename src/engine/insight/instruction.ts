/** What kind of instruction a history entry tells of; `other` when it is none or does not say. */
export type InstructionKind = 'RUN' | 'COPY' | 'ADD' | 'other';

/**
 * The kind of instruction behind a `created_by`, in the forms of the classic builder (`/bin/sh -c #(nop) COPY ...`,
 * `|1 A=b /bin/sh -c make`, with whatever SHELL says) and of BuildKit (`RUN /bin/sh -c make # buildkit`).
 */
export function instructionKind(createdBy: string): InstructionKind {
  const nop = /^\/\S+(?: \S+)*? #\(nop\) +([A-Z]+) /.exec(createdBy);
  const keyword = nop?.[1] ?? /^([A-Z]+) /.exec(createdBy)?.[1];
  if (keyword === 'RUN' || keyword === 'COPY' || keyword === 'ADD') return keyword;
  if (nop || keyword !== undefined) return 'other';
  return runsShell(createdBy) ? 'RUN' : 'other';
}

/** Whether it is a shell, its flag and a command, behind the variables of `|1 A=b` if there are some. */
function runsShell(createdBy: string): boolean {
  const words = createdBy.split(' ');
  const isShell = (at: number) =>
    /\/\S/.test(words[at] ?? '') && words[at + 1]?.startsWith('-') === true && at + 2 < words.length;
  if (/^\|\d+$/.test(words[0] ?? '')) return words.some((_, at) => at > 0 && isShell(at));
  return createdBy.startsWith('/') && isShell(0);
}
