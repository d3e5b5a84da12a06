import { Failure } from '../../lib/error.ts';
import { FILE_HEADER, type FileOffer } from '../../wire/file-offer.ts';
import type { ArchiveSource } from '../backend.ts';
import { object, text } from '../check.ts';
import type { Exchange } from '../exchange.ts';

/** The file that a client offers instead of a body. */
export function readFileOffer(exchange: Exchange): FileOffer | undefined {
  const header = exchange.header(FILE_HEADER);
  if (header === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
  } catch {
    throw invalid('expected base64 of JSON');
  }
  const { path, device, inode } = fileOffer(parsed, FILE_HEADER);
  if (!path?.startsWith('/') || !/^[0-9]+$/.test(device ?? '') || !/^[0-9]+$/.test(inode ?? ''))
    throw invalid('expected an absolute path, a device and an inode number');
  return { path, device: device ?? '', inode: inode ?? '' };
}

/** The archive of a request: its body, or a file that the client offers. */
export function readArchiveSource(exchange: Exchange): ArchiveSource {
  const offer = readFileOffer(exchange);
  return offer ? { kind: 'file', offer } : { kind: 'tar', body: exchange.body() };
}

const fileOffer = object({ path: text, device: text, inode: text });

const invalid = (what: string): Failure =>
  new Failure('invalid', 'FILE_OFFER', `invalid header ${FILE_HEADER}: ${what}`);
