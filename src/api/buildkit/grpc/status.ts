/** How a call of gRPC ended, and what that is as a Failure. https://grpc.io/docs/guides/status-codes/ */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { type ErrorKind, Failure, type FailureDetail, isFailure, messageOf } from '../../../lib/error.ts';

export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
  /** A google.rpc.Status with typed details. */
  readonly details?: Uint8Array | undefined;
}

/** A failure that a peer is told in another way than by its kind alone. */
export class DetailedFailure extends Failure {
  readonly status: GrpcStatus;

  constructor(kind: ErrorKind, code: string, detail: FailureDetail & { readonly status: GrpcStatus }) {
    super(kind, code, detail.status.message, detail);
    this.status = detail.status;
  }
}

export const OK = 0;
export const CANCELLED = 1;
export const UNKNOWN = 2;

const CODES: Readonly<Record<ErrorKind, number>> = {
  cancelled: CANCELLED,
  invalid: 3,
  'not-found': 5,
  exists: 6,
  denied: 7,
  exhausted: 8,
  conflict: 9,
  unsupported: 12,
  internal: 13,
  unavailable: 14,
  'data-loss': 15,
  unauthenticated: 16,
};

/** Kinds of the codes that are no kind's own. */
const OTHER_KINDS: Readonly<Record<number, ErrorKind>> = { 4: 'unavailable', 10: 'conflict', 11: 'invalid' };

/** Bounds that keep the trailers below what HTTP/2 peers take. */
const MESSAGE_BYTES = 8 << 10;
const DETAIL_BYTES = 32 << 10;

/** The status of anything that was thrown. */
export function statusOf(error: unknown): GrpcStatus {
  if (error instanceof DetailedFailure) return error.status;
  return { code: isFailure(error) ? CODES[error.kind] : UNKNOWN, message: messageOf(error) };
}

/** A status as trailers. */
export function statusTrailers({ code, message, details }: GrpcStatus): OutgoingHttpHeaders {
  return {
    'grpc-status': String(code),
    ...(message === '' ? {} : { 'grpc-message': encodeMessage(message) }),
    ...(details && details.length <= DETAIL_BYTES
      ? { 'grpc-status-details-bin': Buffer.from(details).toString('base64').replace(/=+$/, '') }
      : {}),
  };
}

/** What a peer's trailers say went wrong; undefined when nothing did. */
export function failureIn(headers: IncomingHttpHeaders): Failure | undefined {
  const said = headers['grpc-status'];
  const code = typeof said === 'string' && /^\d{1,3}$/.test(said) ? Number(said) : UNKNOWN;
  if (code === OK) return undefined;
  const message = headers['grpc-message'];
  return failureOf(code, typeof message === 'string' ? decodeMessage(message) : '');
}

/** What a status that is not OK says as a Failure. */
export function failureOf(code: number, message: string): Failure {
  return new Failure(kindOf(code), 'GRPC_STATUS', message === '' ? `the call ended with code ${code}` : message);
}

function kindOf(code: number): ErrorKind {
  for (const [kind, own] of Object.entries(CODES)) {
    if (own === code) return kind as ErrorKind; // the keys of CODES are the kinds
  }
  return OTHER_KINDS[code] ?? 'internal';
}

function encodeMessage(message: string): string {
  let text = '';
  for (const byte of Buffer.from(message).subarray(0, MESSAGE_BYTES)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return text;
}

/** What is no escape is taken as it is: a message is for people. */
function decodeMessage(text: string): string {
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
