import type { EndpointConfig, NetworkSettings } from '../../wire/container.ts';
import type { ContainerLink } from './endpoint-names.ts';
import type { PortWishes } from './port-plan.ts';
import type { DnsWishes } from './resolv.ts';

export interface AttachRequest {
  /** Whose namespace to share instead of having one; what follows is then not looked at. */
  readonly sharedWith?: string;
  /**
   * The networks to join, by name or ID (`default` for bridge), in the order of their interfaces: address and aliases on
   * each. `host` stands alone.
   */
  readonly endpoints: Readonly<Record<string, EndpointConfig | null>>;
  /** The container's name, without a slash. */
  readonly name: string;
  readonly hostname: string;
  readonly ports: PortWishes;
  readonly dns: DnsWishes;
  /** Names of its own for other containers, on networks of the user. */
  readonly links: readonly ContainerLink[];
  /** For the first interface. */
  readonly mac?: string;
}

/** What a container gets. */
export interface Attachment {
  /** For the runtime: the network namespace to join. Undefined: the host's own. Good while the attachment lasts. */
  readonly namespacePath: string | undefined;
  readonly settings: NetworkSettings;
  /** Content of the container's resolv.conf. */
  readonly resolvConf: string;
  /** Containers that it links to where there is no name server, for its hosts file. */
  readonly linked: readonly LinkedContainer[];
}

/** A container that another one links to on the default bridge. */
export interface LinkedContainer {
  /** Its ID. */
  readonly container: string;
  readonly alias: string;
  readonly address: string;
  /** What it is called there, the alias first. */
  readonly names: readonly string[];
}
