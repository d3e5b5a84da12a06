import { Failure, isFailure } from '../../lib/error.ts';
import { type ProgramResult, runProgram } from '../../lib/run-program.ts';
import {
  type BridgeRule,
  type Family,
  type FirewallRules,
  type ForwardRule,
  findIptablesHooks,
  findTags,
  type IptablesHooks,
  iptablesHooks,
  renderIptables,
  renderIptablesNames,
  renderIptablesRemoval,
  renderNft,
  renderNftNames,
  renderNftRemoval,
  rulesOf,
} from './firewall-rules.ts';

/** `tags` are those of all hosts that had rules when it was found. */
type Backend = { readonly tags: readonly string[] } & (
  | { readonly kind: 'iptables'; readonly program: string; hooks: IptablesHooks }
  | { readonly kind: 'nft' }
);

/** Tried in this order. The plain name is what the machine's administrator, and every other program, uses. */
const IPTABLES = { 4: ['iptables', 'iptables-legacy'], 6: ['ip6tables', 'ip6tables-legacy'] } as const;
const FAMILIES = [4, 6] as const;
const ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };
/** Milliseconds for one run of a program, which may wait for another program's lock. */
const PATIENCE = 30_000;

/**
 * The packet rules of this host, kept as a list and loaded as a whole: one run of one program for any number of
 * changes that were made meanwhile. `tag` (hexadecimal) tells our rules from those of another host on the machine.
 */
export class Firewall {
  readonly #tag: string;
  readonly #bridges = new Set<BridgeRule>();
  readonly #forwards = new Set<ForwardRule>();
  readonly #backends = new Map<Family, Promise<Backend>>();
  /** Of which the kernel may have rules. */
  readonly #loaded = new Set<Family>();
  #running: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;

  constructor(tag: string) {
    this.#tag = tag;
  }

  /** Adds rules; resolves when the kernel has them. When it fails, the rules are not kept. */
  async add(rules: Partial<FirewallRules>): Promise<void> {
    for (const rule of rules.bridges ?? []) this.#bridges.add(rule);
    for (const rule of rules.forwards ?? []) this.#forwards.add(rule);
    try {
      await this.#load();
    } catch (error) {
      this.#forget(rules);
      throw error;
    }
  }

  /** Makes these rules those of the kernel, in place of all that an earlier process left. */
  async replace(rules: FirewallRules): Promise<void> {
    for (const family of FAMILIES) if (rulesOf(rules, family).bridges.length === 0) await this.#clearFamily(family);
    await this.add(rules);
  }

  /** Takes away rules that were added, by identity. */
  async remove(rules: Partial<FirewallRules>): Promise<void> {
    this.#forget(rules);
    await this.#load();
  }

  /**
   * Makes the ports of the name server in a namespace those where resolvers ask. They are others, so that a container can
   * have a name server of its own. The rules end with the namespace.
   */
  async redirectNames(namespace: string, ports: { readonly udp: number; readonly tcp: number }): Promise<void> {
    const backend = await this.#find(4);
    const program = backend.kind === 'nft' ? ['nft', '-f', '-'] : [`${backend.program}-restore`, '-n', '-w', '10'];
    const rules = backend.kind === 'nft' ? renderNftNames(ports) : renderIptablesNames(ports);
    await succeed('nsenter', [`--net=${namespace}`, ...program], rules);
  }

  /** Removes everything of our tag from the kernel, also what an earlier process left. Does nothing without a firewall. */
  async clear(): Promise<void> {
    this.#bridges.clear();
    this.#forwards.clear();
    await this.#running.catch(() => {});
    // The rules of IPv4, by which other hosts find what a dead one left, go last.
    for (const family of FAMILIES.toReversed()) await this.#clearFamily(family);
    this.#backends.clear();
    this.#loaded.clear();
  }

  /** The tags of other hosts, alive or not, that had rules when this one first looked. None without a firewall. */
  async others(): Promise<readonly string[]> {
    const backend = await this.#findAny(4);
    return backend?.tags.filter((tag) => tag !== this.#tag) ?? [];
  }

  async #clearFamily(family: Family): Promise<void> {
    const backend = await this.#findAny(family);
    if (backend?.kind === 'nft') await succeed('nft', ['-f', '-'], renderNftRemoval(this.#tag, family));
    if (backend?.kind === 'iptables') {
      const saved = await succeed(`${backend.program}-save`, []);
      if (saved.includes(`STRAKE-${this.#tag}-`)) {
        const removal = renderIptablesRemoval(this.#tag, findIptablesHooks(this.#tag, saved));
        await succeed(`${backend.program}-restore`, ['-n', '-w', '10'], removal);
      }
    }
  }

  #forget(rules: Partial<FirewallRules>): void {
    for (const rule of rules.bridges ?? []) this.#bridges.delete(rule);
    for (const rule of rules.forwards ?? []) this.#forwards.delete(rule);
  }

  /** Joins the load that waits for the one under way, or becomes it. */
  #load(): Promise<void> {
    if (!this.#queued) {
      const run = () => {
        this.#queued = undefined;
        return this.#write();
      };
      this.#queued = this.#running.then(run, run);
      this.#running = this.#queued;
    }
    return this.#queued;
  }

  async #write(): Promise<void> {
    const rules: FirewallRules = { bridges: [...this.#bridges], forwards: [...this.#forwards] };
    for (const family of FAMILIES) {
      const ofFamily = rulesOf(rules, family);
      if (ofFamily.bridges.length > 0) this.#loaded.add(family);
      if (this.#loaded.has(family)) await this.#writeFamily(ofFamily, family);
    }
  }

  async #writeFamily(rules: FirewallRules, family: Family): Promise<void> {
    const backend = await this.#find(family);
    if (backend.kind === 'nft') {
      await succeed('nft', ['-f', '-'], renderNft(this.#tag, rules, family));
      return;
    }
    const program = `${backend.program}-restore`;
    await succeed(program, ['-n', '-w', '10'], renderIptables(this.#tag, rules, backend.hooks));
    backend.hooks = iptablesHooks(this.#tag);
  }

  #findAny(family: Family): Promise<Backend | undefined> {
    return this.#find(family).catch((error: unknown) => {
      if (isFailure(error, 'unavailable')) return undefined;
      throw error;
    });
  }

  #find(family: Family): Promise<Backend> {
    const found =
      this.#backends.get(family) ??
      findBackend(this.#tag, family).catch((error: unknown) => {
        this.#backends.delete(family); // the package may be installed meanwhile
        throw error;
      });
    this.#backends.set(family, found);
    return found;
  }
}

async function findBackend(tag: string, family: Family): Promise<Backend> {
  for (const program of IPTABLES[family]) {
    const saved = await attempt(`${program}-save`, []);
    if (saved?.exitCode !== 0) continue;
    return { kind: 'iptables', program, hooks: findIptablesHooks(tag, saved.stdout), tags: findTags(saved.stdout) };
  }
  const listed = await attempt('nft', ['list', 'tables']);
  if (listed?.exitCode === 0) return { kind: 'nft', tags: findTags(listed.stdout) };
  throw new Failure(
    'unavailable',
    'FIREWALL_MISSING',
    `bridge networks need a packet filter: no ${IPTABLES[family][0]} or nft works`,
    {
      hint: 'install the package "iptables" (or "nftables"), or use --network host or none',
    },
  );
}

/** The result of a program, or undefined when it is not installed. */
async function attempt(program: string, args: readonly string[], stdin?: string): Promise<ProgramResult | undefined> {
  const options = { signal: AbortSignal.timeout(PATIENCE), env: ENVIRONMENT, limit: 64 << 20 };
  try {
    return await runProgram(program, args, stdin === undefined ? options : { ...options, stdin });
  } catch (error) {
    if (isFailure(error, 'unavailable')) return undefined;
    throw error;
  }
}

async function succeed(program: string, args: readonly string[], stdin?: string): Promise<string> {
  const result = await attempt(program, args, stdin);
  if (result?.exitCode === 0) return result.stdout;
  const reason = result ? result.stderr.trim() || `exit code ${result.exitCode}` : 'it is not installed';
  throw new Failure('unavailable', 'FIREWALL', `cannot set the packet rules with ${program}: ${reason}`);
}
