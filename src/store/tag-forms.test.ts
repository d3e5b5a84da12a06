import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageForm } from '../oci/image-form.ts';
import { parseReference } from '../oci/reference.ts';
import { addImage, openTestStore } from './test-store.ts';

const name = { ...parseReference('r.example/a'), tag: '1' };
const form: ImageForm = { oci: true, annotations: [{ on: 'index', key: 'a', value: 'b' }], attestations: [] };

test('a form is kept with its tag, and goes when the tag is given again or taken away', async () => {
  await using store = await openTestStore();
  const { names, forms } = store.images;
  const image = addImage(store, ['a'], {}).id;
  const other = addImage(store, ['b'], {}).id;
  for (const leave of [() => names.tag(name, other), () => names.tag(name, image), () => names.untag(name)]) {
    names.tag(name, image);
    forms.set(name, form);
    assert.deepEqual(forms.of(name), form);
    assert.equal(forms.of({ ...name, tag: '2' }), undefined);
    leave();
    assert.equal(forms.of(name), undefined);
  }
});
