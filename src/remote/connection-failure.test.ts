import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionFailure } from './connection-failure.ts';

const url = new URL('https://r.test:5000/v2/');
const told = (message: string, more: object): Error => Object.assign(new Error(message), more);
const ssl = (reason: string) => `write EPROTO 40AD:error:0A00010B:SSL routines:some_function:${reason}:../a/b.c:77:\n`;

const rows: readonly (readonly [what: string, error: Error, code: string, words: string])[] = [
  [
    'refused',
    told('x', { code: 'ECONNREFUSED', address: '::1', port: 1 }),
    'REGISTRY_REFUSED',
    'dial tcp ::1:1: connect: connection refused',
  ],
  ['no name', told('x', { code: 'ENOTFOUND' }), 'REGISTRY_UNKNOWN', 'dial tcp: lookup r.test: no such host'],
  [
    'plain',
    told('x', { code: 'ERR_SSL_X', reason: 'wrong version number' }),
    'REGISTRY_NOT_TLS',
    'http: server gave HTTP response to HTTPS client',
  ],
  [
    'plain, noticed by a write',
    told(ssl('wrong version number'), { code: 'EPROTO' }),
    'REGISTRY_NOT_TLS',
    'http: server gave HTTP response to HTTPS client',
  ],
  [
    'an alert',
    told('x', { code: 'ERR_SSL_X', reason: 'tlsv13 alert certificate required' }),
    'REGISTRY_UNTRUSTED',
    'remote error: tls: certificate required',
  ],
  [
    'an alert, noticed by a write',
    told(ssl('sslv3 alert bad certificate'), { code: 'EPROTO' }),
    'REGISTRY_UNTRUSTED',
    'remote error: tls: bad certificate',
  ],
  ['broken off', told('socket hang up', { code: 'ECONNRESET' }), 'REGISTRY_UNREACHABLE', 'socket hang up'],
];
for (const [what, error, code, words] of rows)
  test(`a connection that failed: ${what}`, () => {
    const failure = connectionFailure('GET', url, error);
    assert.equal(failure.code, code);
    assert.equal(failure.message, `Get "https://r.test:5000/v2/": ${words}`);
  });
