import type { NamePorts } from './name-server.ts';
import type { Protocol } from './port-plan.ts';
import { NAME_SERVER } from './resolv.ts';

export type Family = 4 | 6;

/** What the containers of a bridge may do. */
export interface BridgePolicy {
  /** Nothing gets in or out. */
  readonly internal: boolean;
  /** They may reach each other. */
  readonly talk: boolean;
  /** What they send outside has the machine's own address. */
  readonly masquerade: boolean;
}

/** One subnet of a bridge. */
export interface BridgeRule {
  readonly bridge: string;
  readonly family: Family;
  /** As a CIDR block. */
  readonly subnet: string;
  readonly policy: BridgePolicy;
}

/** A published port: what arrives from outside at the host's port goes to the container. */
export interface ForwardRule {
  readonly protocol: Protocol;
  readonly family: Family;
  /** Undefined: every address of the host. */
  readonly hostAddress: string | undefined;
  readonly hostPort: number;
  readonly bridge: string;
  readonly address: string;
  readonly port: number;
}

export interface FirewallRules {
  readonly bridges: readonly BridgeRule[];
  readonly forwards: readonly ForwardRule[];
}

/** The rules of one family, which are loaded with a program of their own. */
export function rulesOf(rules: FirewallRules, family: Family): FirewallRules {
  const isOfFamily = (rule: { readonly family: Family }) => rule.family === family;
  return { bridges: rules.bridges.filter(isOfFamily), forwards: rules.forwards.filter(isOfFamily) };
}

/**
 * Input of `iptables-restore --noflush`, or `ip6tables-restore`, that makes our chains hold exactly these rules, all of
 * one family. The chains are named after `tag`. `hooked` are the jumps into them that exist already, as iptables-save prints them by table (`-A FORWARD -j ...`).
 *
 * Containers of one bridge reach each other and the outside; from elsewhere only replies and published ports get in.
 * The accepting jump stands first in FORWARD, because other programs make DROP its policy.
 */
export function renderIptables(tag: string, rules: FirewallRules, hooked: IptablesHooks): string {
  const [forward, dnat, snat] = chains(tag);
  const wanted = iptablesHooks(tag);
  const filter: string[] = [];
  for (const { bridge, policy } of rules.bridges)
    filter.push(`-A ${forward} -i ${bridge} -o ${bridge} -j ${policy.talk ? 'ACCEPT' : 'DROP'}`);
  for (const { bridge, policy } of rules.bridges) {
    if (policy.internal) filter.push(`-A ${forward} -i ${bridge} -j DROP`);
    else filter.push(`-A ${forward} -o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT`);
    filter.push(`-A ${forward} -o ${bridge} -j DROP`);
  }
  for (const { bridge, policy } of rules.bridges)
    if (!policy.internal) filter.push(`-A ${forward} -i ${bridge} -j ACCEPT`);
  const nat: string[] = [];
  for (const rule of rules.forwards) {
    const where = rule.hostAddress === undefined ? '' : ` -d ${rule.hostAddress}/${rule.family === 4 ? 32 : 128}`;
    const match = `${where} -p ${rule.protocol} -m ${rule.protocol} --dport ${rule.hostPort}`;
    nat.push(`-A ${dnat} ! -i ${rule.bridge}${match} -j DNAT --to-destination ${targetOf(rule)}`);
  }
  for (const { bridge, subnet } of rules.bridges.filter(isMasqueraded))
    nat.push(`-A ${snat} -s ${subnet} ! -o ${bridge} -j MASQUERADE`);
  return [
    '*filter',
    `:${forward} - [0:0]`,
    ...filter,
    ...missing(wanted.filter, hooked.filter),
    'COMMIT',
    '*nat',
    `:${dnat} - [0:0]`,
    `:${snat} - [0:0]`,
    ...nat,
    ...missing(wanted.nat, hooked.nat),
    'COMMIT',
    '',
  ].join('\n');
}

/** Input of `iptables-restore --noflush` that takes away our chains and the jumps into them. */
export function renderIptablesRemoval(tag: string, hooked: IptablesHooks): string {
  const [forward, dnat, snat] = chains(tag);
  const drop = (names: readonly string[]) => names.map((chain) => `-X ${chain}`);
  const declare = (names: readonly string[]) => names.map((chain) => `:${chain} - [0:0]`);
  const unhook = (jumps: readonly string[]) => jumps.map((jump) => jump.replace(/^-A/, '-D'));
  return [
    '*filter',
    ...declare([forward]),
    ...unhook(hooked.filter),
    ...drop([forward]),
    'COMMIT',
    '*nat',
    ...declare([dnat, snat]),
    ...unhook(hooked.nat),
    ...drop([dnat, snat]),
    'COMMIT',
    '',
  ].join('\n');
}

export interface IptablesHooks {
  readonly filter: readonly string[];
  readonly nat: readonly string[];
}

/** The jumps that lead into our chains once the rules are loaded. */
export function iptablesHooks(tag: string): IptablesHooks {
  const [forward, dnat, snat] = chains(tag);
  return {
    filter: [`-A FORWARD -j ${forward}`],
    nat: [`-A PREROUTING -m addrtype --dst-type LOCAL -j ${dnat}`, `-A POSTROUTING -j ${snat}`],
  };
}

/** The jumps into our chains in the output of iptables-save. */
export function findIptablesHooks(tag: string, saved: string): IptablesHooks {
  const hooks = { filter: [] as string[], nat: [] as string[] };
  const jump = new RegExp(`^-A (FORWARD|PREROUTING|POSTROUTING) .*-j STRAKE-${tag}-`);
  let table: string[] | undefined;
  for (const line of saved.split('\n')) {
    if (line.startsWith('*')) table = line === '*filter' ? hooks.filter : line === '*nat' ? hooks.nat : undefined;
    else if (jump.test(line)) table?.push(line);
  }
  return hooks;
}

/** The tags of all hosts that chains of iptables-save, or tables of `nft list tables`, are named after. */
export function findTags(listed: string): readonly string[] {
  return [...new Set([...listed.matchAll(/\b(?:STRAKE|strake)-([0-9a-f]{8})\b/g)].map(([, tag = '']) => tag))];
}

/** Input of `nft -f -` that makes our own table of a family hold exactly these rules, all of that family. */
export function renderNft(tag: string, rules: FirewallRules, family: Family): string {
  const ip = nftFamily(family);
  const filter: string[] = [];
  for (const { bridge, policy } of rules.bridges)
    filter.push(`iifname "${bridge}" oifname "${bridge}" ${policy.talk ? 'accept' : 'drop'}`);
  for (const { bridge, policy } of rules.bridges) {
    if (policy.internal) filter.push(`iifname "${bridge}" drop`);
    else {
      filter.push(`oifname "${bridge}" ct state related,established accept`);
      filter.push(`oifname "${bridge}" ct status dnat accept`);
    }
    filter.push(`oifname "${bridge}" drop`);
  }
  const dnat = rules.forwards.map((rule) => {
    const where = rule.hostAddress === undefined ? 'fib daddr type local' : `${ip} daddr ${rule.hostAddress}`;
    return `iifname != "${rule.bridge}" ${where} ${rule.protocol} dport ${rule.hostPort} dnat to ${targetOf(rule)}`;
  });
  const snat = rules.bridges
    .filter(isMasqueraded)
    .map(({ bridge, subnet }) => `${ip} saddr ${subnet} oifname != "${bridge}" masquerade`);
  return [
    renderNftRemoval(tag, family),
    `table ${ip} strake-${tag} {`,
    ...nftChain('forward', 'filter hook forward priority filter', filter),
    ...nftChain('prerouting', 'nat hook prerouting priority dstnat', dnat),
    ...nftChain('postrouting', 'nat hook postrouting priority srcnat', snat),
    '}',
    '',
  ].join('\n');
}

/** Input of `nft -f -` that takes our table away, whether it exists or not. */
export function renderNftRemoval(tag: string, family: Family): string {
  const ip = nftFamily(family);
  return `table ${ip} strake-${tag}\ndelete table ${ip} strake-${tag}\n`;
}

function nftFamily(family: Family): string {
  return family === 4 ? 'ip' : 'ip6';
}

function isMasqueraded({ policy }: BridgeRule): boolean {
  return policy.masquerade && !policy.internal;
}

function targetOf({ family, address, port }: ForwardRule): string {
  return family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}

/** Input of iptables-restore, inside a namespace, that leads questions to the name server's ports. */
export function renderIptablesNames(ports: NamePorts): string {
  const rules = (['udp', 'tcp'] as const).map(
    (protocol) =>
      `-A OUTPUT -d ${NAME_SERVER}/32 -p ${protocol} -m ${protocol} --dport 53 -j DNAT --to-destination ${NAME_SERVER}:${ports[protocol]}`,
  );
  return ['*nat', ...rules, 'COMMIT', ''].join('\n');
}

/** The same for `nft -f -`. */
export function renderNftNames(ports: NamePorts): string {
  const rules = (['udp', 'tcp'] as const).map(
    (protocol) => `ip daddr ${NAME_SERVER} ${protocol} dport 53 dnat to ${NAME_SERVER}:${ports[protocol]}`,
  );
  return ['table ip names {', ...nftChain('output', 'nat hook output priority -100', rules), '}', ''].join('\n');
}

function nftChain(name: string, hook: string, rules: readonly string[]): string[] {
  return [`  chain ${name} {`, `    type ${hook}; policy accept;`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function chains(tag: string): readonly [forward: string, dnat: string, snat: string] {
  return [`STRAKE-${tag}-FORWARD`, `STRAKE-${tag}-DNAT`, `STRAKE-${tag}-SNAT`];
}

/** Commands that put the absent jumps first in their chains. */
function missing(wanted: readonly string[], hooked: readonly string[]): string[] {
  return wanted.filter((jump) => !hooked.includes(jump)).map((jump) => jump.replace(/^-A/, '-I'));
}
