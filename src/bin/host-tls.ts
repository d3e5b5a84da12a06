import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerTls } from '../api/server.ts';
import { Failure, messageOf } from '../lib/error.ts';

export interface TlsFlags {
  readonly tls: boolean;
  /** Let in only clients with a certificate that the CA signed. */
  readonly tlsverify: boolean;
  /** Files; without them those of DOCKER_CERT_PATH, else of ~/.docker, as dockerd has it. */
  readonly tlscacert: string | undefined;
  readonly tlscert: string | undefined;
  readonly tlskey: string | undefined;
}

/** How the host proves itself on TCP, and whom it lets in; undefined: without TLS. */
export function hostTls(flags: TlsFlags, env: NodeJS.ProcessEnv): ServerTls | undefined {
  if (!flags.tls && !flags.tlsverify) return undefined;
  const folder = env['DOCKER_CERT_PATH'] || join(env['HOME'] ?? '/root', '.docker');
  const read = (flag: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new Failure('invalid', 'TLS_FILE', `cannot read the file of --${flag}: ${messageOf(error)}`);
    }
  };
  return {
    cert: read('tlscert', flags.tlscert ?? join(folder, 'cert.pem')),
    key: read('tlskey', flags.tlskey ?? join(folder, 'key.pem')),
    clientCa: flags.tlsverify ? read('tlscacert', flags.tlscacert ?? join(folder, 'ca.pem')) : undefined,
  };
}
