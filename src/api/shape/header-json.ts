import { Failure } from '../../lib/error.ts';
import type { ContextOffer } from '../../wire/build.ts';
import { type Check, object, text } from '../check.ts';
import type { Exchange } from '../exchange.ts';

/** A header of a Strake client that holds base64 of JSON; undefined when it is not there. */
export function headerJson<T>(exchange: Exchange, header: string, check: Check<T>): T | undefined {
  const value = exchange.header(header);
  if (value === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value, 'base64').toString('utf8'));
  } catch {
    throw invalidHeader(header, 'expected base64 of JSON');
  }
  return check(parsed, header);
}

/** A file or folder of this machine by path, device and inode number. */
export const placeOffer: Check<ContextOffer> = (value, at) => {
  const { path = '', device = '', inode = '' } = fields(value, at);
  if (!path.startsWith('/') || !/^[0-9]+$/.test(device) || !/^[0-9]+$/.test(inode))
    throw invalidHeader(at, 'expected an absolute path, a device and an inode number');
  return { path, device, inode };
};

const fields = object({ path: text, device: text, inode: text });

export function invalidHeader(header: string, what: string): Failure {
  return new Failure('invalid', 'HEADER_INVALID', `invalid header ${header}: ${what}`);
}
