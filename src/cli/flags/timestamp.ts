import { parseDuration } from '../../lib/duration.ts';
import { Failure } from '../../lib/error.ts';

/**
 * A point in time as the API takes it (`seconds.nanoseconds`), of what a person writes: Unix seconds, RFC 3339 with or
 * without its smaller parts and zone, or a duration before `now`. Empty gives undefined.
 */
export function timestampQuery(text: string, now = Date.now()): string | undefined {
  if (text === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return text;
  if (/^-?[\d.]+[a-z\u00b5\u03bc]/.test(text) && !text.includes('T')) {
    const milliseconds = now - parseDuration(text) / 1e6;
    return format(milliseconds);
  }
  const match = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2})(?::(\d{2}))?(?::(\d{2}))?(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(text);
  if (!match) throw invalid(text);
  const [, day, hours = '00', minutes = '00', seconds = '00', fraction = '', zone = ''] = match;
  const at = Date.parse(`${day}T${hours}:${minutes}:${seconds}${zone}`);
  if (Number.isNaN(at)) throw invalid(text);
  return `${Math.floor(at / 1000)}.${(fraction.slice(1) || '0').padEnd(9, '0').slice(0, 9)}`;
}

function format(milliseconds: number): string {
  return `${Math.floor(milliseconds / 1000)}.${String(Math.floor(milliseconds % 1000)).padStart(3, '0')}000000`;
}

function invalid(text: string): Failure {
  return new Failure('invalid', 'TIMESTAMP', `failed to parse value as time or duration: "${text}"`);
}
