import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';
import { checkName, randomName } from './names.ts';

/** The containers in the host's memory, by ID and name. */
export class ContainerTable {
  /** Oldest first. */
  readonly #containers = new Map<string, Container>();

  add(container: Container): void {
    this.#containers.set(container.id, container);
  }

  delete(container: Container): void {
    this.#containers.delete(container.id);
  }

  /** Newest first. */
  all(): Container[] {
    return [...this.#containers.values()].reverse();
  }

  /** `ref` is a name (a leading slash is ignored), an ID or a unique beginning of one. */
  find(ref: string): Container {
    const name = ref.replace(/^\//, '');
    const exact = this.#containers.get(ref) ?? this.#named(name);
    if (exact) return exact;
    const matches = /^[0-9a-f]+$/.test(ref) ? this.all().filter(({ id }) => id.startsWith(ref)) : [];
    if (matches.length > 1)
      throw new Failure('invalid', 'CONTAINER_AMBIGUOUS', `multiple IDs found with provided prefix: ${ref}`);
    const [match] = matches;
    if (match) return match;
    throw new Failure('not-found', 'CONTAINER_NOT_FOUND', `No such container: ${ref}`);
  }

  /** Throws when a new container cannot have this name. */
  refuseName(name: string): void {
    checkName(name);
    const holder = this.#named(name);
    if (!holder) return;
    throw new Failure(
      'conflict',
      'CONTAINER_NAME_USED',
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  }

  freeName(): string {
    const taken = new Set(this.all().map((container) => container.name));
    for (let attempt = 0; ; attempt++) {
      const name = randomName(attempt);
      if (!taken.has(name)) return name;
    }
  }

  #named(name: string): Container | undefined {
    return this.all().find((container) => container.name === name);
  }
}
