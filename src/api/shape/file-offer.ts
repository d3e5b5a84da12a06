import { FILE_HEADER, type FileOffer } from '../../wire/file-offer.ts';
import type { ArchiveSource } from '../backend/images.ts';
import type { Exchange } from '../exchange.ts';
import { headerJson, placeOffer } from './header-json.ts';

/** The file that a client offers instead of a body. */
export function readFileOffer(exchange: Exchange): FileOffer | undefined {
  return headerJson(exchange, FILE_HEADER, placeOffer);
}

/** The archive of a request: its body, or a file that the client offers. */
export function readArchiveSource(exchange: Exchange): ArchiveSource {
  const offer = readFileOffer(exchange);
  return offer ? { kind: 'file', offer } : { kind: 'tar', body: exchange.body() };
}
