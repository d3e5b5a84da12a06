import * as size from '../../lib/scaled-size.ts';

/** Size with decimal units and `precision` significant digits, as Docker's clients show it: `1.88kB`, `133MB`. */
export function humanSize(bytes: number, precision = 4): string {
  return size.decimalSize(bytes, precision);
}

/** Size with binary units: `23.54GiB`. */
export function binarySize(bytes: number): string {
  return size.binarySize(bytes, 4);
}

/** Length of a time in words, one unit only: `2 minutes`, `About an hour`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(milliseconds / 60_000);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(milliseconds / 3_600_000 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(Math.trunc(milliseconds / 3_600_000) / 24 / 365)} years`;
}

/** `2 minutes ago`, of a time in Unix seconds; `N/A` for one that was never set. */
export function timeAgo(seconds: number, now = Date.now()): string {
  return seconds === UNSET ? 'N/A' : `${humanDuration(now - seconds * 1000)} ago`;
}

/** A time in Unix seconds as Go prints it, in local time: `2026-11-21 12:56:40 +0000 UTC`. */
export function goTime(seconds: number): string {
  const { date, time, zone } = localTime(seconds);
  const name = new Intl.DateTimeFormat('en', { timeZoneName: 'short' })
    .formatToParts(seconds * 1000)
    .find(({ type }) => type === 'timeZoneName')?.value;
  return `${date} ${time} ${zone.replace(':', '')} ${name ?? 'UTC'}`;
}

/** A time in Unix seconds by RFC 3339, in local time: `2026-11-21T12:56:40Z`. */
export function rfc3339(seconds: number): string {
  const { date, time, zone } = localTime(seconds);
  return `${date}T${time}${zone === '+00:00' ? 'Z' : zone}`;
}

/** A time in nanoseconds since the epoch with all nine digits: `2026-11-21T12:56:40.123456789Z`. */
export function rfc3339Nano(nanoseconds: bigint): string {
  const { date, time, zone } = localTime(Number(nanoseconds / 1_000_000_000n));
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, '0');
  return `${date}T${time}.${fraction}${zone === '+00:00' ? 'Z' : zone}`;
}

/** Unix seconds of 0001-01-01, Docker's value for no time. */
const UNSET = -62135596800;

function localTime(seconds: number): { date: string; time: string; zone: string } {
  const at = new Date(seconds * 1000);
  const offset = -at.getTimezoneOffset();
  const minutes = Math.abs(offset);
  return {
    date: `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`,
    time: `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
    zone: `${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`,
  };
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
