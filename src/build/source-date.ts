import { Failure } from '../lib/error.ts';

const NAME = 'SOURCE_DATE_EPOCH';
/** The year 9999: what RFC 3339 can say. */
const LIMIT = 253_402_300_799;

/**
 * The time that a build pretends to happen at, in seconds since 1970, from the build argument SOURCE_DATE_EPOCH:
 * nothing that it makes is newer. Undefined when it is not given. https://reproducible-builds.org/specs/source-date-epoch/
 */
export function sourceDateOf(buildArgs: Readonly<Record<string, string | null>>): number | undefined {
  const text = buildArgs[NAME] ?? '';
  if (text === '') return undefined;
  if (!/^[0-9]{1,12}$/.test(text) || Number(text) > LIMIT)
    throw new Failure('invalid', 'SOURCE_DATE_EPOCH', `invalid ${NAME}: ${text}`, {
      hint: 'give seconds since 1970, such as the output of "git log -1 --format=%ct"',
    });
  return Number(text);
}

/** The component of a key whose result has times that the source date bounds. */
export function sourceDateComponent(sourceDate: number | undefined): Record<string, string> {
  return sourceDate === undefined ? {} : { [NAME]: String(sourceDate) };
}
