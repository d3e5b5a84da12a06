import { Failure, messageOf, systemCode } from '../lib/error.ts';

/**
 * Why there is no answer, in the words that users of Docker know. Codes: REGISTRY_REFUSED, REGISTRY_UNKNOWN,
 * REGISTRY_UNTRUSTED, REGISTRY_NOT_TLS, else REGISTRY_UNREACHABLE (worth another try).
 */
export function connectionFailure(method: string, url: URL, error: unknown): Failure {
  const [code, reason, hint] = reasonOf(url, error);
  const verb = method.slice(0, 1) + method.slice(1).toLowerCase();
  return new Failure('unavailable', code, `${verb} "${url.origin}${url.pathname}": ${reason}`, {
    cause: error,
    ...(hint !== undefined && { hint }),
  });
}

function reasonOf(url: URL, error: unknown): readonly [code: string, reason: string, hint?: string] {
  const code = systemCode(error) ?? '';
  switch (code) {
    case 'ECONNREFUSED':
      return ['REGISTRY_REFUSED', `dial tcp ${addressOf(error) ?? url.host}: connect: connection refused`];
    case 'ENOTFOUND':
      return ['REGISTRY_UNKNOWN', `dial tcp: lookup ${url.hostname}: no such host`];
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return untrusted(url, 'certificate signed by unknown authority');
    case 'CERT_HAS_EXPIRED':
      return untrusted(url, 'certificate has expired or is not yet valid');
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return untrusted(url, `certificate is not valid for ${url.hostname}`);
    default:
      return tlsReason(url, error) ?? ['REGISTRY_UNREACHABLE', messageOf(error) || code || 'connection failed'];
  }
}

/** A failed handshake, in the words of OpenSSL: a field of the error, or amid its message when a write noticed it first. */
function tlsReason(url: URL, error: unknown): readonly [string, string, string?] | undefined {
  const told = error instanceof Error && 'reason' in error ? error.reason : undefined;
  const reason = typeof told === 'string' ? told : /:SSL routines:[^:]*:([^:]+):/.exec(messageOf(error))?.[1];
  if (reason === undefined) return undefined;
  if (/^(wrong version number|packet length too long|http request)$/.test(reason))
    return [
      'REGISTRY_NOT_TLS',
      'http: server gave HTTP response to HTTPS client',
      `if that is meant: --insecure-registry ${url.host} of \`strake host\`, or --insecure of this command`,
    ];
  return ['REGISTRY_UNTRUSTED', `remote error: tls: ${reason.replace(/^.* alert /, '')}`];
}

function untrusted(url: URL, reason: string): readonly [string, string, string] {
  return [
    'REGISTRY_UNTRUSTED',
    `tls: failed to verify certificate: x509: ${reason}`,
    `put the certificate of its authority into /etc/docker/certs.d/${url.host}/ca.crt`,
  ];
}

/** Node tries all addresses of a name and gathers their errors; the first tells. */
function addressOf(error: unknown): string | undefined {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  if (typeof first !== 'object' || first === null || !('address' in first) || !('port' in first)) return undefined;
  return `${first.address}:${first.port}`;
}
