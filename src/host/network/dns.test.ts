import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  answerAddresses,
  answerCode,
  answerName,
  codeOf,
  FORMAT_ERROR,
  isAnswerTo,
  parseQuestion,
  reversedAddress,
  TYPE_A,
} from './dns-message.ts';
import { readDnsMessages, withLength } from './dns-stream.ts';
import { hasNames, namedResolver, nameSource, namesOf } from './endpoint-names.ts';
import { parseIpv4 } from './ipv4.ts';
import type { Network } from './network-registry.ts';
import type { Endpoint } from './network-views.ts';

/** A query as a resolver sends it. */
function query(name: string, type = TYPE_A, flags = 0x0100): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label)]);
  const head = Buffer.from([0x12, 0x34, flags >> 8, flags & 255, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, type, 0, 1])]);
}

const asked = (message: Buffer) => {
  const question = parseQuestion(message);
  assert.ok(question);
  return question;
};

test('questions', async (t) => {
  assert.deepEqual(parseQuestion(query('Web.Front')), { name: 'web.front', type: TYPE_A, size: 12 + 11 + 4 });
  const pointer = query('web');
  pointer[12] = 0xc0;
  for (const [what, message] of [
    ['nothing', Buffer.alloc(0)],
    ['a head alone', query('web').subarray(0, 12)],
    ['a name without end', query('web').subarray(0, 15)],
    ['no type', query('web').subarray(0, 17)],
    ['an answer', query('web', TYPE_A, 0x8100)],
    ['another kind of request', query('web', TYPE_A, 0x2800)],
    ['a compressed name', pointer],
    ['a name that is too long', query(Array(70).fill('abc').join('.'))],
  ] as const)
    await t.test(what, () => assert.equal(parseQuestion(message), undefined));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void parseQuestion(Buffer.from(bytes))));
});

test('answers', () => {
  const message = query('web');
  const question = asked(message);
  const answer = answerAddresses(message, question, [parseIpv4('10.0.0.9') ?? 0], 'udp');
  assert.ok(isAnswerTo(answer, message, question));
  assert.deepEqual([...answer.subarray(-4)], [10, 0, 0, 9]);
  assert.deepEqual([answer.readUInt16BE(2), answer.readUInt16BE(6)], [0x8180, 1]);
  const many = answerAddresses(message, question, Array<number>(60).fill(1), 'udp');
  assert.ok(many.length <= 512 && (many.readUInt16BE(2) & 0x0200) !== 0, 'cut, and it says so');
  assert.equal(answerAddresses(message, question, Array<number>(60).fill(1), 'tcp').readUInt16BE(6), 60);
  assert.match(answerName(message, question, 'web.front').toString('latin1'), /\x03web\x05front\0$/);
  assert.equal(codeOf(answerCode(Buffer.alloc(12), FORMAT_ERROR)), FORMAT_ERROR);
  assert.ok(!isAnswerTo(answer, query('other'), asked(query('other'))));
  assert.equal(reversedAddress('9.0.0.10.in-addr.arpa'), parseIpv4('10.0.0.9'));
  assert.equal(reversedAddress(`9${'.0'.repeat(30)}.f.ip6.arpa`), (0xfn << 124n) | 9n);
  assert.equal(reversedAddress(`9${'.0'.repeat(29)}.f.ip6.arpa`), undefined);
  assert.equal(reversedAddress('999.0.0.10.in-addr.arpa'), undefined);
});

test('messages on a TCP connection come in pieces of any size', async () => {
  const bytes = Buffer.concat([
    withLength(Buffer.from('one')),
    withLength(Buffer.alloc(0)),
    withLength(Buffer.from('three')),
  ]);
  for (const size of [1, 2, 3, 100]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    const found: string[] = [];
    for await (const message of readDnsMessages(pieces)) found.push(String(message));
    assert.deepEqual(found, ['one', '', 'three']);
  }
});

test('who finds whom', () => {
  const endpoint = (containerName: string, address: string, aliases: string[] = []): Endpoint =>
    ({ containerName, hostname: '', aliases, place: { address: parseIpv4(address) } }) as unknown as Endpoint; // the fields that names need
  const network = (name: string, endpoints: [string, Endpoint][]): Network =>
    ({ record: { name, driver: 'bridge' }, endpoints: new Map(endpoints) }) as unknown as Network; // likewise
  const [db, twin] = ['d'.repeat(64), 'e'.repeat(64)];
  const front = network('front', [
    [db, endpoint('db', '10.0.0.2', ['store'])],
    [twin, endpoint('twin', '10.0.0.3', ['store'])],
  ]);
  const bridge = network('bridge', [['f'.repeat(64), endpoint('hidden', '172.17.0.2')]]);
  assert.deepEqual([hasNames(front), hasNames(bridge)], [true, false]);
  assert.deepEqual(namesOf(db, endpoint('db', '10.0.0.2', ['store', 'db'])), ['db', 'store', 'd'.repeat(12)]);
  const links = [{ container: twin, alias: 'Linked', name: 'twin' }];
  const source = nameSource({ networks: () => [bridge, front], links, upstream: () => [] });
  for (const [name, expected] of [
    ['db', ['10.0.0.2']],
    ['db.front', ['10.0.0.2']],
    ['linked', ['10.0.0.3']],
    ['d'.repeat(12), ['10.0.0.2']],
    ['store', ['10.0.0.2', '10.0.0.3']],
    ['hidden', undefined],
    ['db.back', undefined],
  ] as const)
    assert.deepEqual(
      source.addressesOf(name)?.ipv4.toSorted(),
      expected?.map((address) => parseIpv4(address)),
      name,
    );
  assert.equal(source.nameOf(parseIpv4('10.0.0.3') ?? 0), 'twin.front');
  assert.equal(source.nameOf(parseIpv4('172.17.0.2') ?? 0), undefined);
});

test('the resolver settings of a container with names', () => {
  const host = { servers: ['192.0.2.1'], search: ['example.org'], options: ['edns0'] };
  const none = { servers: [], search: [], options: [] };
  assert.deepEqual(namedResolver(host, none), {
    servers: ['127.0.0.11'],
    search: ['example.org'],
    options: ['edns0', 'ndots:0'],
  });
  assert.deepEqual(namedResolver(host, { ...none, options: ['ndots:2'] }).options, ['ndots:2']);
});
