import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Attachment } from '../host/network/attachment.ts';
import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';
import { linkEnvironment, meantLinks } from './links.ts';

/** Finds one container, of which a link needs little. */
function finding(config: object) {
  const container = { id: 'id', name: 'db', record: { config } } as unknown as Container; // see above
  return (ref: string) => {
    if (ref === 'id' || ref === 'db') return container;
    throw new Failure('not-found', 'CONTAINER_NOT_FOUND', `No such container: ${ref}`);
  };
}

function variables(alias: string, config: object): string[] {
  const linked = [{ container: 'id', alias, address: '10.0.0.2', names: [alias] }];
  return linkEnvironment('web', { linked } as unknown as Attachment, finding(config)); // nothing else is looked at
}

test('variables of a link: ports by number, three in a row as a range, name and environment', () => {
  const ports = ['80/tcp', '53/udp', '53/tcp', '54/udp', '9/sctp', '7001/tcp', '7000/tcp', '7002/tcp'];
  const config = {
    ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
    Env: ['A=1', 'B=', 'HOME=/x', 'PATH=/bin', 'bad', 'C=a=b'],
  };
  const all = variables('my-db.x', config);
  assert.deepEqual(all.slice(0, 11), [
    'MY_DB.X_PORT=sctp://10.0.0.2:9',
    'MY_DB.X_PORT_7000_TCP_START=tcp://10.0.0.2:7000',
    'MY_DB.X_PORT_7000_TCP_ADDR=10.0.0.2',
    'MY_DB.X_PORT_7000_TCP_PROTO=tcp',
    'MY_DB.X_PORT_7000_TCP_PORT_START=7000',
    'MY_DB.X_PORT_7000_TCP_END=tcp://10.0.0.2:7002',
    'MY_DB.X_PORT_7000_TCP_PORT_END=7002',
    'MY_DB.X_PORT_9_SCTP=sctp://10.0.0.2:9',
    'MY_DB.X_PORT_9_SCTP_ADDR=10.0.0.2',
    'MY_DB.X_PORT_9_SCTP_PORT=9',
    'MY_DB.X_PORT_9_SCTP_PROTO=sctp',
  ]);
  const single = all.filter((entry) => /^[^=]*_PORT_\d+_[A-Z]+=/.test(entry)).map((entry) => entry.split('=')[1]);
  const numbers = ['sctp:9', 'tcp:53', 'udp:53', 'udp:54', 'tcp:80', 'tcp:7000', 'tcp:7001', 'tcp:7002'];
  assert.deepEqual(
    single,
    numbers.map((text) => text.replace(':', '://10.0.0.2:')),
  );
  assert.deepEqual(all.slice(-4), [
    'MY_DB.X_NAME=/web/my-db.x',
    'MY_DB.X_ENV_A=1',
    'MY_DB.X_ENV_B=',
    'MY_DB.X_ENV_C=a=b',
  ]);
  assert.deepEqual(variables('db', {}), ['DB_NAME=/web/db']);
});

test('what a link means: by name, by ID, as inspect shows it, and after its container is gone', () => {
  const gone = 'f'.repeat(64);
  const meant = meantLinks(['db', 'id:x', '/db:/web/y', `${gone}:z`], finding({}));
  assert.deepEqual(
    meant.map(({ container, alias, name }) => [container, alias, name]),
    [
      ['id', 'db', 'db'],
      ['id', 'x', 'db'],
      ['id', 'y', 'db'],
      [gone, 'z', gone.slice(0, 12)],
    ],
  );
});
