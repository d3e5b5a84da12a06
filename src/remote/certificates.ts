import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { Failure, messageOf } from '../lib/error.ts';

/** Where distributions keep the certificates that the machine trusts. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * What a TLS connection to `host` trusts and presents: the machine's certificates, and what Docker's folder for that host
 * holds: `*.crt` are authorities, `<name>.cert` with `<name>.key` is the client's own certificate.
 * https://docs.docker.com/engine/security/certificates/
 */
export function secureContextFor(host: string, folder: string): SecureContext {
  const own = folderOf(host, folder);
  const names = existsSync(own) ? readdirSync(own).sort() : [];
  const read = (name: string) => readFileSync(join(own, name));
  const clients = names.filter((name) => name.endsWith('.cert'));
  for (const name of clients)
    if (!names.includes(keyOf(name)))
      throw new Failure(
        'invalid',
        'CERTIFICATE_KEY_MISSING',
        `missing key ${keyOf(name)} for client certificate ${name}`,
        {
          hint: `CA certificates in ${own} must end in .crt`,
        },
      );
  try {
    return createSecureContext({
      ca: [...systemAuthorities(), ...names.filter((name) => name.endsWith('.crt')).map(read)],
      cert: clients.map(read),
      key: clients.map((name) => read(keyOf(name))),
    });
  } catch (error) {
    throw new Failure('invalid', 'CERTIFICATE_INVALID', `certificates in ${own} cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Changes when the folder of a host's certificates does. */
export function certificatesState(host: string, folder: string): string {
  const own = folderOf(host, folder);
  if (!existsSync(own)) return '';
  return readdirSync(own)
    .map((name) => `${name} ${statSync(join(own, name), { throwIfNoEntry: false })?.mtimeMs}`)
    .join();
}

/** A redirect may name any host, `..` too. */
const folderOf = (host: string, folder: string): string => join(folder, host.replace(/^\.+/, '-'));

const keyOf = (certificate: string): string => certificate.replace(/\.cert$/, '.key');

function systemAuthorities(): (string | Buffer)[] {
  const bundle = [process.env['SSL_CERT_FILE'] ?? '', ...SYSTEM_BUNDLES].find(
    (path) => path !== '' && existsSync(path),
  );
  return bundle === undefined ? [...rootCertificates] : [readFileSync(bundle)];
}
