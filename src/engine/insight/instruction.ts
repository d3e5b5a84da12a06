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
  return /^(\|\d+ .*)?\/\S+ -\S* /.test(createdBy) ? 'RUN' : 'other';
}
