/** Debian's docker-registry for tests: the reference implementation, on a folder and a port of its own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, run, until } from './harness.ts';

export interface DockerRegistry extends AsyncDisposable {
  /** `address:port`, as image names have it. */
  readonly host: string;
}

export interface RegistryOptions {
  /** Address to listen on, and the name that is given to clients. Default `127.0.0.1` and `localhost`. */
  readonly address?: string;
  /** With the user `me`, whose password is `secret`. */
  readonly users?: boolean;
  readonly tls?: Certificates;
  /** A new folder for its files, which then stay. */
  readonly keep?: string;
}

/** PEM files. */
export interface Certificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
}

/** bcrypt of "secret" */
const PASSWORD_FILE = 'me:$2b$04$QJ.R4pTP5eDkYqFkQoq2yOvDJ.ITXMQcuGuRfYnIbUPgPTd7.E0Fy\n';

export async function startRegistry(parent: string, options: RegistryOptions = {}): Promise<DockerRegistry> {
  const address = options.address ?? '127.0.0.1';
  const port = await freePort(address);
  const folder = options.keep ?? join(parent, `registry-${port}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'htpasswd'), PASSWORD_FILE);
  const { tls } = options;
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: {
      addr: `${address}:${port}`,
      ...(tls && { tls: { certificate: tls.certificate, key: tls.key, clientcas: [tls.authority] } }),
    },
    ...(options.users && { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }),
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config)); // JSON is YAML
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: ['ignore', log, log] });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await until(async () => {
    assert.equal(child.exitCode, null, `docker-registry has ended:\n${readFileSync(join(folder, 'log'), 'utf8')}`);
    const probe = await run('curl', ['-sk', '-o', '/dev/null', `${tls ? 'https' : 'http'}://${address}:${port}/v2/`]);
    return probe.code === 0 || (tls !== undefined && probe.code !== 7); // 7: nobody listens
  }, 20);
  return {
    host: `${options.address ?? 'localhost'}:${port}`,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
      if (options.keep === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** An authority, a certificate of it for an address, and one for clients. */
export async function makeCertificates(folder: string, address: string): Promise<Certificates> {
  const file = (name: string) => join(folder, name);
  const openssl = async (...args: string[]) => {
    const { code, stderr } = await run('openssl', args);
    assert.equal(code, 0, stderr);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  await openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', file('ca.key'), '-out', file('ca.crt'));
  const signed = ['-CA', file('ca.crt'), '-CAkey', file('ca.key')];
  for (const name of ['server', 'client']) {
    const more = [
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=IP:${address}`,
      '-addext',
      'basicConstraints=CA:FALSE',
    ];
    await openssl(
      'req',
      '-x509',
      ...signed,
      ...key,
      ...more,
      '-keyout',
      file(`${name}.key`),
      '-out',
      file(`${name}.crt`),
    );
  }
  return {
    authority: file('ca.crt'),
    certificate: file('server.crt'),
    key: file('server.key'),
    clientCertificate: file('client.crt'),
    clientKey: file('client.key'),
  };
}
