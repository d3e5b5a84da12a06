/** A real S3-compatible object store for tests: Ceph from Debian's packages, one monitor, one OSD in memory and one gateway. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, run, until } from './harness.ts';

export interface Ceph extends AsyncDisposable {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** What programs find their credentials by. */
  readonly env: { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string };
  /** Requests that it has had. */
  requests(): Promise<number>;
}

const KEYS = { AWS_ACCESS_KEY_ID: 'access', AWS_SECRET_ACCESS_KEY: 'not-a-secret' };

export async function startCeph(): Promise<Ceph> {
  const folder = mkdtempSync(join(tmpdir(), 'strake-ceph-'));
  const fsid = randomUUID();
  const monitor = await freePort('127.0.0.1');
  const gateway = await freePort('127.0.0.1');
  const file = (name: string) => join(folder, name);
  writeFileSync(file('ceph.conf'), configuration({ folder, fsid, monitor, gateway }));
  const env = { ...process.env, CEPH_ARGS: '--no-mon-config', CEPH_CONF: file('ceph.conf') };
  const running: ChildProcess[] = [];
  const log = file('log');

  const must = async (program: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(program, ['-c', file('ceph.conf'), ...args], { env });
    assert.equal(code, 0, `${program} ${args.join(' ')}\n${stderr}`);
    return stdout.trim();
  };
  /** A monitor that has just begun refuses some commands for a moment; those asked here may be asked again. */
  const ask = async (...args: string[]): Promise<string> => {
    let told = '';
    await until(async () => {
      const { code, stdout } = await run('ceph', ['-c', file('ceph.conf'), '--connect-timeout', '60', ...args], {
        env,
      });
      told = stdout.trim();
      return code === 0;
    }, 60);
    return told;
  };
  const start = (program: string, ...args: string[]): ChildProcess => {
    const output = openSync(log, 'a');
    const child = spawn(program, ['-c', file('ceph.conf'), '-f', ...args], { env, stdio: ['ignore', output, output] });
    closeSync(output);
    running.push(child);
    return child;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL'); // nothing of it is kept
    await ended;
  };
  const answers = async () => (await run('curl', ['-s', '-o', '/dev/null', `http://127.0.0.1:${gateway}/`])).code === 0;
  const startGateway = async () => {
    const child = start('radosgw', '-n', 'client.rgw');
    await until(async () => {
      assert.equal(child.exitCode, null, `radosgw has ended:\n${readFileSync(log, 'utf8').slice(-3000)}`);
      return await answers();
    }, 120);
  };
  const stop = async () => {
    await Promise.all(running.map(end));
    rmSync(folder, { recursive: true, force: true });
  };

  try {
    for (const name of ['mon', 'osd', 'rgw', 'run']) mkdirSync(file(name));
    await must('monmaptool', '--create', '--addv', 'a', `[v1:127.0.0.1:${monitor}]`, '--fsid', fsid, file('monmap'));
    const keyring = ['--create-keyring', file('keyring'), '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *'];
    const { code, stderr } = await run('ceph-authtool', keyring, { env });
    assert.equal(code, 0, stderr);
    const admin = ['mon', 'osd', 'mgr', 'mds'].flatMap((service) => ['--cap', service, 'allow *']);
    await run('ceph-authtool', [file('keyring'), '--gen-key', '-n', 'client.admin', ...admin], { env });
    await must('ceph-mon', '--mkfs', '-i', 'a', '--monmap', file('monmap'), '--keyring', file('keyring'));
    copyFileSync(file('keyring'), file('mon/keyring'));
    start('ceph-mon', '-i', 'a');
    const uuid = randomUUID();
    const id = await ask('osd', 'new', uuid);
    await must('ceph-osd', '-i', id, '--mkfs', '--osd-uuid', uuid);
    start('ceph-osd', '-i', id);
    await until(async () => /\b1 up\b/.test(await ask('osd', 'stat')), 60);
    await startGateway();
    const user = ['--uid=strake', '--display-name=strake', '--access-key', KEYS.AWS_ACCESS_KEY_ID];
    await must(
      'radosgw-admin',
      '-n',
      'client.rgw',
      'user',
      'create',
      ...user,
      '--secret-key',
      KEYS.AWS_SECRET_ACCESS_KEY,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoint: `http://127.0.0.1:${gateway}`,
    env: KEYS,
    requests: () => requestsOf(file('run/client.rgw.asok')),
    [Symbol.asyncDispose]: stop,
  };
}

/** Asks the gateway's own counters. https://docs.ceph.com/en/latest/dev/perf_counters/ */
async function requestsOf(path: string): Promise<number> {
  const socket = connect(path);
  socket.write('{"prefix": "perf dump"}\0');
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8', 4)).rgw.req; // after the answer's length
}

function configuration(options: { folder: string; fsid: string; monitor: number; gateway: number }): string {
  const { folder, fsid, monitor, gateway } = options;
  return `[global]
fsid = ${fsid}
monmap = ${folder}/monmap
mon host = v1:127.0.0.1:${monitor}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
keyring = ${folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 4294967296
mon data = ${folder}/mon
osd data = ${folder}/osd
rgw data = ${folder}/rgw
run dir = ${folder}/run
pid file = ${folder}/run/$name.pid
admin socket = ${folder}/run/$name.asok
log file = ${folder}/run/$name.log
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${gateway} tcp_nodelay=1
rgw relaxed s3 bucket names = true
`;
}
