import { isIP } from 'node:net';
import { Failure, isFailure, messageOf, systemCode } from '../../lib/error.ts';
import { Scope } from '../../lib/scope.ts';
import type { PortBinding } from '../../wire/container.ts';
import type { ForwardRule } from './firewall-rules.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from './ipv4.ts';
import { formatIpv6, type Ipv6, parseIpv6 } from './ipv6.ts';
import type { PortRequest, Protocol } from './port-plan.ts';
import { proxyTcp, proxyUdp } from './port-proxy.ts';

/** Host ports that a container holds; disposing frees them. The forward rules are for the firewall. */
export interface PublishedPorts extends AsyncDisposable {
  readonly bindings: Readonly<Record<string, PortBinding[]>>;
  readonly forwards: readonly ForwardRule[];
  /** The host port of each request. */
  readonly numbers: readonly number[];
}

/** The container that gets what arrives. */
export interface PortTarget {
  readonly bridge: string;
  readonly address: Ipv4;
  /** Without one, only those who connect to this machine itself are served over IPv6. */
  readonly address6: Ipv6 | undefined;
}

/** Attempts to find one number that is free on every address. */
const ATTEMPTS = 32;

/**
 * The published ports of this host. A port is held by a listening socket, so no other program can take it, and that
 * socket serves the clients of this machine; the forward rules serve those from outside, with their own address. SCTP has
 * the rules alone, which work where the kernel has no sockets of it.
 */
export class Ports {
  /** `tcp 8080` to the host addresses on which containers of this host hold it. */
  readonly #held = new Map<string, Set<string>>();

  /** Takes a host port for every request, or none: Failure of kind `conflict` when one is not to be had. */
  async publish(requests: readonly PortRequest[], target: PortTarget): Promise<PublishedPorts> {
    await using scope = new Scope();
    const bindings: Record<string, PortBinding[]> = {};
    const forwards: ForwardRule[] = [];
    const numbers: number[] = [];
    for (const request of requests) {
      const taken = await this.#take(request, target, scope);
      numbers.push(taken.port);
      const held = taken.addresses.map((address) => ({ HostIp: address, HostPort: String(taken.port) }));
      bindings[request.key] = [...(bindings[request.key] ?? []), ...held];
      const { protocol, containerPort } = request;
      for (const { family, hostAddress } of forwarded(request.hostAddress)) {
        const address =
          family === 4
            ? formatIpv4(target.address)
            : target.address6 === undefined
              ? undefined
              : formatIpv6(target.address6);
        if (address === undefined) continue;
        const { bridge } = target;
        forwards.push({ protocol, family, hostAddress, hostPort: taken.port, bridge, address, port: containerPort });
      }
    }
    const kept = scope.move();
    return { bindings, forwards, numbers, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
  }

  async #take(request: PortRequest, target: PortTarget, scope: Scope): Promise<{ port: number; addresses: string[] }> {
    const candidates = request.first === 0 ? Array<number>(ATTEMPTS).fill(0) : range(request.first, request.last);
    let refusal: unknown;
    for (const candidate of candidates) {
      await using attempt = new Scope();
      try {
        const taken = await (request.protocol === 'sctp'
          ? this.#claim(request, candidate || freeNumber(), target, attempt)
          : this.#bind(request, request.protocol, candidate, target.address, attempt));
        scope.use(attempt.move());
        return taken;
      } catch (error) {
        if (!isFailure(error, 'conflict')) throw error;
        refusal = error;
      }
    }
    throw refusal;
  }

  /** Binds one number on all addresses of the request. */
  async #bind(
    request: PortRequest,
    protocol: 'tcp' | 'udp',
    candidate: number,
    target: Ipv4,
    scope: Scope,
  ): Promise<{ port: number; addresses: string[] }> {
    const listen = protocol === 'tcp' ? proxyTcp : proxyUdp;
    const to = { host: formatIpv4(target), port: request.containerPort };
    const addresses: string[] = [];
    let port = candidate;
    for (const address of request.hostAddress === '' ? ['0.0.0.0', '::'] : [request.hostAddress]) {
      try {
        port = scope.use(await listen(address, port, to)).port;
      } catch (error) {
        if (request.hostAddress === '' && address === '::' && isWithoutIpv6(error)) continue;
        throw this.#refusal(error, request.protocol, address, port);
      }
      addresses.push(address);
      scope.use(this.#hold(request.protocol, port, address));
    }
    return { port, addresses };
  }

  /** Takes one SCTP number on the addresses that packet rules serve. */
  #claim({ protocol, hostAddress }: PortRequest, port: number, target: PortTarget, scope: Scope) {
    const families = new Set(forwarded(hostAddress).map(({ family }) => family));
    if (target.address6 === undefined) families.delete(6);
    if (families.size === 0)
      throw new Failure('unsupported', 'PORT', `sctp port ${port} of ${hostAddress} would be served to nobody`, {
        hint: 'sctp ports are published by packet rules: not on loopback, and over IPv6 to containers that have such an address',
      });
    const wanted = hostAddress === '' ? [...families].map((family) => ANY[family]) : [hostAddress];
    const addresses = wanted.map((address) => {
      const others = this.#held.get(`${protocol} ${port}`) ?? new Set();
      const any = ANY[address.includes(':') ? 6 : 4];
      const isTaken = address === any ? [...others].some((other) => isIP(other) === isIP(any)) : others.has(any);
      if (isTaken || others.has(address))
        throw this.#refusal(Object.assign(new Error('taken'), { code: 'EADDRINUSE' }), protocol, address, port);
      scope.use(this.#hold(protocol, port, address));
      return address;
    });
    return { port, addresses };
  }

  #hold(protocol: Protocol, port: number, address: string): Disposable {
    const key = `${protocol} ${port}`;
    const addresses = this.#held.get(key) ?? new Set();
    this.#held.set(key, addresses.add(address));
    return {
      [Symbol.dispose]: () => {
        addresses.delete(address);
        if (addresses.size === 0) this.#held.delete(key);
      },
    };
  }

  #refusal(error: unknown, protocol: Protocol, address: string, port: number): Failure {
    const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    const code = systemCode(error);
    if (code === 'EADDRINUSE' && this.#held.has(`${protocol} ${port}`))
      return new Failure('conflict', 'PORT_ALLOCATED', `Bind for ${place} failed: port is already allocated`);
    if (code === 'EADDRINUSE')
      return new Failure('conflict', 'PORT_IN_USE', `listen ${protocol} ${place}: bind: address already in use`, {
        cause: error,
        hint: 'another program on this machine uses the port',
      });
    const reason = code === 'EADDRNOTAVAIL' ? 'cannot assign requested address' : messageOf(error);
    return new Failure('invalid', 'PORT', `listen ${protocol} ${place}: bind: ${reason}`, { cause: error });
  }
}

/** For which host addresses packets from outside can arrive: not for those of loopback. */
function forwarded(text: string): Pick<ForwardRule, 'family' | 'hostAddress'>[] {
  if (text === '')
    return [
      { family: 4, hostAddress: undefined },
      { family: 6, hostAddress: undefined },
    ];
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) {
    const hostAddress = ipv4 === 0 ? undefined : formatIpv4(ipv4);
    return ipv4 >>> 24 === 127 ? [] : [{ family: 4, hostAddress }];
  }
  const ipv6 = parseIpv6(text);
  if (ipv6 === undefined || ipv6 === 1n) return [];
  return [{ family: 6, hostAddress: ipv6 === 0n ? undefined : formatIpv6(ipv6) }];
}

/** Where Docker begins to look. */
const FIRST_FREE = 49_153;

function freeNumber(): number {
  return FIRST_FREE + Math.floor(Math.random() * (65_536 - FIRST_FREE));
}

const ANY = { 4: '0.0.0.0', 6: '::' } as const;

function isWithoutIpv6(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL';
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
