// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words under test hold them
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveMount } from './mount.ts';
import { parseMountFlag } from './mount-flag.ts';

const none = { mode: undefined, uid: undefined, gid: undefined };
const bind = { type: 'bind', from: undefined, source: '', target: '/t', readOnly: true };
const cache = {
  type: 'cache',
  id: undefined,
  from: undefined,
  source: '',
  target: '/t',
  readOnly: false,
  sharing: 'shared',
  owner: none,
};
const tmpfs = { type: 'tmpfs', target: '/t', readOnly: false, size: undefined };
const secret = { type: 'secret', id: 'k', target: '/run/secrets/k', env: undefined, required: false, owner: none };
const ssh = { type: 'ssh', id: 'default', target: undefined, required: false, owner: none };

const VALID: readonly (readonly [flag: string, mount: object])[] = [
  ['target=/t', bind],
  ['type=bind,dst=/t', bind],
  ['TYPE=BIND,destination=/t', bind],
  ['target=', { ...bind, target: '' }],
  ['target=/t,source=a', { ...bind, source: 'a' }],
  ['target=/t,from=build,src=/a', { ...bind, from: 'build', source: '/a' }],
  ['target=/t,rw', { ...bind, readOnly: false }],
  ['target=/t,readwrite=true', { ...bind, readOnly: false }],
  ['target=/t,ro=false', { ...bind, readOnly: false }],
  ['target=/t,readonly', bind],
  ['"target=/a,b"', { ...bind, target: '/a,b' }],
  ['target=$T', { ...bind, target: '/var' }],
  ['target=/t,source=${S:-d}', { ...bind, source: 'd' }],
  ['type=cache,target=/t', cache],
  ['target=/t,type=cache,id=x', { ...cache, id: 'x' }],
  ['type=cache,target=/t,sharing=LOCKED', { ...cache, sharing: 'locked' }],
  [
    'type=cache,target=/t,sharing=private,from=b,source=s,ro',
    { ...cache, sharing: 'private', from: 'b', source: 's', readOnly: true },
  ],
  ['type=cache,target=/t,mode=0700,uid=1000,gid=7', { ...cache, owner: { mode: 0o700, uid: 1000, gid: 7 } }],
  ['type=tmpfs,target=/t', tmpfs],
  ['type=tmpfs,target=/t,size=64m', { ...tmpfs, size: 64 << 20 }],
  ['type=tmpfs,target=/t,size=1.5GiB', { ...tmpfs, size: 1.5 * 2 ** 30 }],
  ['size=100,type=tmpfs,target=/t', { ...tmpfs, size: 100 }],
  ['type=secret,id=k', secret],
  ['type=secret,src=k', secret],
  ['type=secret,target=/a/k', { ...secret, target: '/a/k' }],
  ['type=secret,id=x/k', { ...secret, id: 'x/k' }],
  ['type=secret,id=k,env=K', { ...secret, target: undefined, env: 'K' }],
  ['type=secret,id=k,env=K,target=/f', { ...secret, target: '/f', env: 'K' }],
  ['required,type=secret,id=k', { ...secret, required: true }],
  ['type=secret,id=k,required=false,mode=0440', { ...secret, owner: { ...none, mode: 0o440 } }],
  ['type=ssh', ssh],
  ['type=ssh,id=git,required=1,target=/s', { ...ssh, id: 'git', required: true, target: '/s' }],
];

const INVALID: readonly (readonly [flag: string, message: string])[] = [
  ['type=volume,target=/t', 'unsupported mount type "volume"'],
  ['type=sercet,id=k', 'unsupported mount type "sercet" (did you mean secret?)'],
  ['target=/t,sorce=x', "unexpected key 'sorce' in 'sorce=x' (did you mean source?)"],
  ['target', "invalid field 'target' must be a key=value pair"],
  ['target=/t,ro=maybe', 'invalid value for readonly: maybe'],
  ['target=/t,rw=maybe', 'invalid value for rw: maybe'],
  ['target=/t,size=1', "unexpected key 'size' for mount type 'bind'"],
  ['target=/t,env=X', "unexpected key 'env' for mount type 'bind'"],
  ['target=/t,sharing=locked', 'invalid cache sharing set for bind mount'],
  ['type=cache,target=/t,sharing=none', 'unsupported sharing value "none"'],
  ['type=cache,target=/t,mode=9', 'invalid value 9 for mode'],
  ['type=cache,target=/t,uid=-1', 'invalid value -1 for uid'],
  ['type=cache,target=/t,gid=4294967296', 'invalid value 4294967296 for gid'],
  ['type=tmpfs,target=/t,size=big', 'invalid value for size: big'],
  ['type=tmpfs,target=/t,uid=1', 'uid not allowed for "tmpfs" type mounts'],
  ['type=secret', 'invalid secret mount. one of source, target required'],
  ['type=secret,id=a,source=b', "both source and id can't be set"],
  ['type=secret,id=a,from=b', 'secret mount should not have a from'],
  ['type=ssh,source=b', 'ssh does not support source'],
  ['type=cache,target=/t,required', "unexpected key 'required' for mount type 'cache'"],
];

const expand = (word: string) => (word === '$T' ? '/var' : word.replace('${S:-d}', 'd'));

for (const [flag, mount] of VALID)
  test(`--mount=${flag}`, () => assert.deepEqual(resolveMount(parseMountFlag(flag), expand), mount));
for (const [flag, message] of INVALID)
  test(`refuses --mount=${flag}`, () =>
    assert.throws(() => resolveMount(parseMountFlag(flag), expand), { message, code: 'MOUNT_INVALID' }));
