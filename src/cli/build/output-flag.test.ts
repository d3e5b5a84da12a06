import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOutput } from './output-flag.ts';

const good: readonly (readonly [string, object])[] = [
  ['out', { kind: 'folder', form: 'tree', path: 'out', names: [] }],
  ['-', { kind: 'file', form: 'tree', path: '-', names: [] }],
  ['type=local,dest=out/here', { kind: 'folder', form: 'tree', path: 'out/here', names: [] }],
  ['TYPE=local,Dest=Out', { kind: 'folder', form: 'tree', path: 'Out', names: [] }],
  ['type=local,"dest=a,b"', { kind: 'folder', form: 'tree', path: 'a,b', names: [] }],
  ['type=tar', { kind: 'file', form: 'tree', path: '-', names: [] }],
  ['type=tar,dest=a=b.tar', { kind: 'file', form: 'tree', path: 'a=b.tar', names: [] }],
  ['type=image', { kind: 'image', names: [] }],
  ['type=image,name=app:1', { kind: 'image', names: ['app:1'] }],
  ['type=image,"name=app:1,app:2",push=false', { kind: 'image', names: ['app:1', 'app:2'] }],
  ['type=docker', { kind: 'image', names: [] }],
  ['type=docker,dest=-', { kind: 'file', form: 'docker', path: '-', names: [] }],
  ['type=oci,dest=a.tar,name=app', { kind: 'file', form: 'oci', path: 'a.tar', names: ['app'] }],
  ['type=oci', { kind: 'file', form: 'oci', path: '-', names: [] }],
  ['type=oci,tar=false,dest=layout', { kind: 'folder', form: 'oci', path: 'layout', names: [] }],
];
for (const [text, expected] of good) test(`output ${text}`, () => assert.deepEqual(parseOutput(text), expected));

const bad: readonly (readonly [string, RegExp])[] = [
  ['', /expected key=value/],
  ['dest=x', /type is required for output: dest=x/],
  ['type=local', /dest is required for local exporter/],
  ['type=local,dest=-', /dest cannot be stdout for local exporter/],
  ['type=oci,tar=false', /dest is required for oci exporter with tar=false/],
  ['type=local,dst', /invalid value dst: expected key=value/],
  ['type=zip,dest=x', /unknown output type "zip"/],
  ['type=local,dest=x,mode=1', /unknown option 'mode' of output type local/],
  ['type=local,type=tar', /type is given twice/],
  ['type=image,push=true', /a build does not push/],
  ['type=registry', /a build does not push/],
  ['type=image,name=UPPER', /invalid reference format/],
];
for (const [text, message] of bad) test(`bad output "${text}"`, () => assert.throws(() => parseOutput(text), message));
