/** Go's zero time, which Docker's clients take for "not known". */
const ZERO = '0001-01-01T00:00:00Z';

/** A time of an image config as the API shows it: RFC 3339, the zero time when the config does not say. */
export function shownTime(time: string | undefined): string {
  return time === undefined || Number.isNaN(Date.parse(time)) ? ZERO : time;
}

/** The same in seconds since the epoch. */
export function unixSeconds(time: string | undefined): number {
  return Math.floor(Date.parse(shownTime(time)) / 1000);
}
