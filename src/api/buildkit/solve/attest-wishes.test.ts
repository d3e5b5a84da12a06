import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAttestWishes } from './attest-wishes.ts';

const wishesOf = (attrs: Readonly<Record<string, string>>) => readAttestWishes(new Map(Object.entries(attrs)));

const wishes: readonly [attrs: Readonly<Record<string, string>>, mode: 'min' | 'max' | undefined][] = [
  [{}, undefined],
  [{ 'attest:provenance': '' }, 'max'],
  [{ 'attest:provenance': 'mode=min,builder-id=b' }, 'min'],
  [{ 'attest:provenance': 'mode=full' }, 'max'],
  [{ 'attest:provenance': 'mode=min,inline-only=true' }, undefined],
  [{ 'attest:provenance': 'mode=max,disabled=true', 'attest:sbom': 'disabled=true' }, undefined],
  [{ 'attest:provenance': 'false' }, undefined],
  [{ 'build-arg:BUILDKIT_ATTEST_PROVENANCE': 'mode=max' }, 'max'],
];
for (const [attrs, mode] of wishes)
  test(`wished: ${JSON.stringify(attrs)}`, () => assert.equal(wishesOf(attrs).provenance?.mode, mode));

const refused: readonly [attrs: Readonly<Record<string, string>>, message: RegExp][] = [
  [{ 'attest:provenance': 'mode=most' }, /invalid mode "most" of provenance/],
  [{ 'attest:provenance': 'version=v1' }, /invalid version "v1" of provenance/],
  [{ 'attest:vsa': '' }, /unknown attestation type "vsa"/],
];
for (const [attrs, message] of refused)
  test(`refused: ${JSON.stringify(attrs)}`, () => assert.throws(() => wishesOf(attrs), { message }));

test('a scanner, or the usual one', () => {
  assert.equal(wishesOf({ 'attest:sbom': '' }).sbom?.generator, 'docker.io/docker/buildkit-syft-scanner:stable-1');
  assert.equal(wishesOf({ 'build-arg:BUILDKIT_ATTEST_SBOM': 'generator=r.example/s' }).sbom?.generator, 'r.example/s');
  assert.equal(wishesOf({ 'attest:sbom': 'disabled=true' }).sbom, undefined);
});
