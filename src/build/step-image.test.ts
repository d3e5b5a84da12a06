import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiffId, digestOf, type ImageId } from '../oci/digest.ts';
import { encodeConfig, type ImageConfig } from '../oci/image-config.ts';
import { addStep, emptyImage } from './step-image.ts';

function memoryImages() {
  const byStep = new Map<string, { id: ImageId; config: ImageConfig }>();
  return {
    childByStep: (parent: ImageId | undefined, stepKey: string) => byStep.get(`${parent} ${stepKey}`),
    put({ config, parent, stepKey }: { config: ImageConfig; parent: ImageId | undefined; stepKey: string }) {
      const { id } = encodeConfig(config);
      byStep.set(`${parent} ${stepKey}`, { id, config });
      return id;
    },
  };
}

const scratch = emptyImage({ os: 'linux', architecture: 'amd64' });
const step = {
  config: { Env: ['A=1'] },
  createdBy: 'x',
  isDated: false,
  author: undefined,
  created: '2026-01-01T00:00:00.000Z',
  diffId: undefined,
};

test('the same step on the same parent gives the same image, whenever it is made', () => {
  const images = memoryImages();
  const first = addStep(images, scratch, step, true);
  assert.equal(addStep(images, scratch, { ...step, created: '2027-01-01T00:00:00.000Z' }, true).id, first.id);
  assert.notEqual(addStep(images, scratch, { ...step, createdBy: 'y' }, true).id, first.id);
});

test('without reuse it is a new image', () => {
  const images = memoryImages();
  const first = addStep(images, scratch, step, true);
  const later = addStep(images, scratch, { ...step, created: '2027-01-01T00:00:00.000Z' }, false);
  assert.notEqual(later.id, first.id);
  assert.equal(later.known, false);
});

test('a date that is asked for is part of the step', () => {
  const images = memoryImages();
  const dated = { ...step, isDated: true };
  const first = addStep(images, scratch, dated, true);
  assert.equal(addStep(images, scratch, dated, true).id, first.id);
  const later = addStep(images, scratch, { ...dated, created: '2027-01-01T00:00:00.000Z' }, true);
  assert.equal(later.config.created, '2027-01-01T00:00:00.000Z');
});

test('metadata adds a history entry and no layer, files add both', () => {
  const images = memoryImages();
  const diffId = digestOf('layer') as string as DiffId;
  const meta = addStep(images, scratch, step, true);
  const files = addStep(images, meta, { ...step, diffId }, true);
  assert.deepEqual(
    files.config.history?.map((entry) => entry.empty_layer),
    [true, undefined],
  );
  assert.deepEqual(files.config.rootfs.diff_ids, [diffId]);
});

test('a base without history gets an entry for each layer', () => {
  const diffId = digestOf('layer') as string as DiffId;
  const base = {
    known: false,
    id: undefined,
    config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers' as const, diff_ids: [diffId] } },
  };
  assert.equal(addStep(memoryImages(), base, step, true).config.history?.length, 2);
});
