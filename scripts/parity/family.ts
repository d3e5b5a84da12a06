/** One thing that a user does, as lines of a shell in which `docker` is the unmodified client and `run` is `docker run` without a network. */
export interface ParityCase {
  readonly script: string;
  /** Why the two differ, where they may. */
  readonly differs?: string;
}

export interface ParityFamily {
  readonly title: string;
  readonly cases: readonly ParityCase[];
}

/** Lines of a family, one case each. ` ### ` begins the reason of a difference. */
export function family(title: string, lines: string): ParityFamily {
  const cases = lines
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line): ParityCase => {
      const [script = '', differs] = line.split(' ### ');
      return differs === undefined ? { script } : { script, differs };
    });
  return { title, cases };
}
