import { Failure } from '../lib/error.ts';
import type { Container } from './container.ts';
import { checkName, randomName } from './names.ts';
import { exitCodeOf } from './record.ts';

/** Of so many containers that are gone it is known how they ended. */
const DEPARTED = 200;

/** The containers in the host's memory, by ID and name. */
export class ContainerTable {
  /** Oldest first. */
  readonly #containers = new Map<string, Container>();

  /** Exit codes by ID, oldest first. */
  readonly #departed = new Map<string, number>();

  add(container: Container): void {
    this.#containers.set(container.id, container);
  }

  delete(container: Container): void {
    this.#containers.delete(container.id);
  }

  /** Keeps how a container ended that went by itself: its client may ask a moment too late. */
  noteEnd(container: Container): void {
    const [oldest] = this.#departed.keys();
    if (oldest !== undefined && this.#departed.size === DEPARTED) this.#departed.delete(oldest);
    this.#departed.set(container.id, exitCodeOf(container.record.phase));
  }

  /** The exit code of a container that went by itself a while ago; `id` is its whole ID. */
  endOf(id: string): number | undefined {
    return this.#departed.get(id);
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
