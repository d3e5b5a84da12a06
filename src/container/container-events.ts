import type { Container } from './container.ts';

export interface ContainerEvent {
  readonly type: 'container' | 'network' | 'volume';
  readonly action: string;
  /** Of the container, network or volume. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export function containerEvent(
  container: Container,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): ContainerEvent {
  const { config } = container.record;
  const common = { ...config.Labels, image: config.Image ?? '', name: container.name };
  return { type: 'container', action, id: container.id, attributes: { ...common, ...attributes } };
}

export function networkEvents(
  container: Container,
  action: 'connect' | 'disconnect',
  networks: readonly { readonly name: string; readonly id: string }[],
): ContainerEvent[] {
  return networks.map(({ name, id }) => ({
    type: 'network',
    action,
    id,
    attributes: { container: container.id, name, type: networkType(name) },
  }));
}

/** That the container's volumes are in use, or no more. */
export function volumeEvents({ id, record }: Container, action: 'mount' | 'unmount'): ContainerEvent[] {
  return record.mounts.flatMap((mount): ContainerEvent[] => {
    if (mount.type !== 'volume') return [];
    const place = { destination: mount.destination, propagation: '', 'read/write': String(!mount.readOnly) };
    const attributes = { container: id, driver: 'local', ...(action === 'mount' ? place : {}) };
    return [{ type: 'volume', action, id: mount.name, attributes }];
  });
}

function networkType(name: string): string {
  return name === 'host' ? 'host' : name === 'none' ? 'null' : 'bridge';
}
