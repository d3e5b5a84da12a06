/** Replays scenarios (golden/*.json) whose answers were recorded from dockerd 20.10; the word about names in upper case is 28's. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { messageOf } from '../../lib/error.ts';
import { chainIds, digestOf, type ImageId, shortId } from '../../oci/digest.ts';
import { parseReference } from '../../oci/reference.ts';
import { checkStore } from '../../store/check.ts';
import { newContainerId } from '../../store/containers.ts';
import type { Store } from '../../store/open-store.ts';
import { addImage, gather, openTestStore } from '../../store/test-store.ts';
import { Images } from './images.ts';

const golden = new URL('./golden/', import.meta.url);
const signal = new AbortController().signal;

interface Step {
  readonly do: string;
  readonly name: string;
  readonly of: string;
  readonly to: string;
  readonly repo: string;
  readonly image: string;
  readonly layer?: boolean;
  readonly running?: boolean;
  readonly force?: boolean;
  readonly noprune?: boolean;
  readonly all?: boolean;
  readonly filters?: Record<string, string[]>;
  readonly answer?: unknown;
}

/** A host on which a scenario runs: its images and containers have names, which stand for IDs in answers. */
class Scene {
  readonly #store: Store;
  readonly #images: Images;
  readonly #ids = new Map<string, string>();
  readonly #running = new Set<string>();
  readonly #shown: [string, string][] = [];
  #chains = 0;
  #clock = Date.UTC(2026, 0, 1);

  constructor(store: Store) {
    this.#store = store;
    this.#images = new Images({
      store,
      emit: () => {},
      containersOf: (image) => store.containers.usersOf(image).map((id) => ({ id, running: this.#running.has(id) })),
      receiveLayer: () => assert.fail('no scenario receives a layer'),
      applyChanges: (config) => config,
    });
  }

  async run(step: Step): Promise<void> {
    const answer = await this.#act(step).catch((error: unknown) => ({ error: messageOf(error) }));
    if (!('answer' in step)) return assert.equal(answer, undefined, JSON.stringify(step));
    const shown = this.#show(answer);
    const { do: what, name, filters } = step;
    assert.deepEqual(sortPruned(shown), sortPruned(step.answer), JSON.stringify({ what, name, filters }));
  }

  async #act(step: Step): Promise<unknown> {
    const name = step.name === undefined ? '' : this.#complete(step.name);
    const filters = Object.fromEntries(
      Object.entries(step.filters ?? {}).map(([key, values]) => [key, values.map((value) => this.#complete(value))]),
    );
    switch (step.do) {
      case 'import':
        return this.#learn(step.name, [step.name]);
      case 'child': {
        const parent = this.#store.images.resolve(this.#ids.get(step.of) ?? '');
        const below = this.#seeds.get(parent.id) ?? [];
        return this.#learn(step.name, step.layer ? [...below, step.name] : below, parent.id);
      }
      case 'digest': {
        const digest = digestOf(`manifest ${step.image}`);
        const id = this.#store.images.resolve(this.#ids.get(step.image) ?? '').id;
        this.#store.images.names.addDigest(parseReference(step.repo), digest, id);
        this.#ids.set(`manifest_${step.image}`, digest);
        this.#shown.push([digest, `manifest-${step.image}`]);
        return undefined;
      }
      case 'container': {
        const image = this.#store.images.resolve(this.#ids.get(step.image) ?? '');
        const id = newContainerId();
        const layers = image.config.rootfs.diff_ids;
        this.#store.containers.create({ id, name: step.name, image: image.id, record: {}, layers });
        if (step.running) this.#running.add(id);
        this.#shown.push([id, step.name], [id.slice(0, 12), `${step.name}.short`]);
        return undefined;
      }
      case 'drop':
        return this.#store.containers.delete(this.#store.containers.resolve(step.name).id);
      case 'tag':
        return this.#images.tag(name, parseReference(step.to));
      case 'remove':
        return this.#images.remove(name, { force: step.force ?? false, prune: !step.noprune });
      case 'list':
        return (await this.#images.list({ all: step.all ?? false, filters, sharedSize: false, manifests: false })).map(
          (row) => ({
            Id: row.Id,
            ParentId: row.ParentId,
            RepoTags: row.RepoTags,
            RepoDigests: row.RepoDigests,
          }),
        );
      case 'history':
        return (await this.#images.history(name)).map(({ Id, Tags }) => ({ Id, Tags }));
      case 'prune':
        return { ImagesDeleted: (await this.#images.prune({ filters, signal })).ImagesDeleted ?? [] };
      default:
        return assert.fail(`no step "${step.do}"`);
    }
  }

  readonly #seeds = new Map<ImageId, readonly string[]>();

  #learn(name: string, seeds: readonly string[], parent?: ImageId): void {
    this.#clock += 1000;
    const created = new Date(this.#clock).toISOString();
    const image = addImage(this.#store, seeds, {
      created,
      ...(parent === undefined ? {} : { parent, config: { Labels: { step: name } } }),
      history: [
        ...(parent === undefined ? [] : (this.#store.images.demand(parent).config.history ?? [])),
        { created, ...(parent === undefined || seeds.at(-1) === name ? {} : { empty_layer: true }) },
      ],
    });
    this.#seeds.set(image.id, seeds);
    this.#ids.set(name, image.id);
    this.#shown.push([image.id, name], [shortId(image.id), `${name}.short`]);
    for (const chain of chainIds(image.config.rootfs.diff_ids))
      if (!this.#shown.some(([id]) => id === chain)) this.#shown.push([chain, `chain${++this.#chains}`]);
  }

  /** `$name` is an ID, `$name.hex` its digits, `$name.short` the first twelve of them. */
  #complete(text: string): string {
    return text.replace(/\$(\w+)(\.short|\.hex)?/, (_, name: string, form: string | undefined) => {
      const id = this.#ids.get(name) ?? '';
      const hex = id.slice('sha256:'.length);
      return form === undefined ? id : form === '.hex' ? hex : hex.slice(0, 12);
    });
  }

  #show(answer: unknown): unknown {
    let text = JSON.stringify(answer ?? '');
    for (const [id, name] of this.#shown.toSorted(([a], [b]) => b.length - a.length)) text = text.replaceAll(id, name);
    return JSON.parse(text);
  }
}

/** Docker prunes in the order of a hash table: only the set of rows can be compared. */
function sortPruned(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('ImagesDeleted' in answer)) return answer;
  const { ImagesDeleted: rows } = answer;
  return { ...answer, ImagesDeleted: Array.isArray(rows) ? rows.map((row) => JSON.stringify(row)).sort() : rows };
}

for (const file of readdirSync(golden)) {
  test(`as Docker does: ${file.replace('.json', '')}`, async () => {
    await using store = await openTestStore();
    const scene = new Scene(store);
    const { steps } = JSON.parse(readFileSync(new URL(file, golden), 'utf8')) as { steps: Step[] }; // our own file
    for (const step of steps) {
      await scene.run(step);
      const problems = await gather(checkStore(store, { signal }));
      assert.deepEqual(
        problems.map((problem) => problem.message),
        [],
      );
    }
  });
}
