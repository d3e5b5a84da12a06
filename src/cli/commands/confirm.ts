import { createInterface } from 'node:readline/promises';
import { cancelled } from '../../lib/error.ts';
import type { Session } from '../session.ts';

/** Asks before something is removed; anything but `y` and `yes` is a no. */
export async function confirm(session: Session, question: string): Promise<boolean> {
  session.stdout.write(`${question}\nAre you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: session.stdin });
  try {
    for await (const answer of lines) return /^y(es)?$/i.test(answer.trim());
    if (session.signal.aborted) throw cancelled(session.signal);
    return false;
  } finally {
    lines.close();
  }
}
