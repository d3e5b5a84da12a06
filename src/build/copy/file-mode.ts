import { Failure } from '../../lib/error.ts';

/** What `--chmod` does to the permission bits of a file. `isFolder` counts for `X` alone. */
export type ModeChange = (mode: number, isFolder: boolean) => number;

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/;
const ACTION = /([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)/g;

const SHIFTS: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
const SET_ID: Readonly<Record<string, number>> = { u: 0o4000, g: 0o2000, o: 0 };
const STICKY = 0o1000;

/**
 * Reads octal digits, or clauses as chmod(1) has them: `u+rwX,go=u-w`. Without letters in front a clause is for all, as if
 * there were no umask.
 */
export function parseMode(text: string): ModeChange {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode <= 0o7777) return () => mode;
  }
  const clauses = text.split(',').map((clause) => {
    const [, who, actions] = CLAUSE.exec(clause) ?? [];
    if (who === undefined || actions === undefined) throw invalid(text);
    const whom = who === '' || who.includes('a') ? ['u', 'g', 'o'] : [...new Set(who)];
    return { whom, actions: [...actions.matchAll(ACTION)].map(([, operator = '', what = '']) => ({ operator, what })) };
  });
  return (before, isFolder) => {
    let mode = before & 0o7777;
    for (const { whom, actions } of clauses)
      for (const { operator, what } of actions) mode = apply(mode, whom, operator, what, isFolder);
    return mode;
  };
}

function apply(mode: number, whom: readonly string[], operator: string, what: string, isFolder: boolean): number {
  const bits = bitsOf(mode, what, isFolder);
  let chosen = 0;
  let cleared = 0;
  for (const who of whom) {
    const shift = SHIFTS[who] ?? 0;
    const special = SET_ID[who] ?? 0;
    chosen |= bits << shift;
    if (what.includes('s')) chosen |= special;
    if (who === 'o' && what.includes('t')) chosen |= STICKY;
    // Like chmod(1), `=` leaves the set-ID bits of a folder alone unless they are named.
    cleared |= (0o7 << shift) | (isFolder && !what.includes('s') ? 0 : special) | (who === 'o' ? STICKY : 0);
  }
  if (operator === '+') return mode | chosen;
  if (operator === '-') return mode & ~chosen;
  return (mode & ~cleared) | chosen;
}

/** Read, write and execute as three bits: named, or those that user, group or others have. */
function bitsOf(mode: number, what: string, isFolder: boolean): number {
  const copied = SHIFTS[what];
  if (copied !== undefined) return (mode >> copied) & 0o7;
  const executes = what.includes('x') || (what.includes('X') && (isFolder || (mode & 0o111) !== 0));
  return (what.includes('r') ? 4 : 0) | (what.includes('w') ? 2 : 0) | (executes ? 1 : 0);
}

function invalid(text: string): Failure {
  return new Failure(
    'invalid',
    'CHMOD_INVALID',
    `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
    {
      hint: 'or clauses like u=rwX,go=rX',
    },
  );
}
