import type { PortSummary } from '../../wire/container.ts';

/** Ports of a container as lists show them, neighbours joined: `0.0.0.0:80->80/tcp, 9000-9002/tcp`. */
export function showPorts(ports: readonly PortSummary[] | null): string {
  const groups = new Map<string, { ip: string; type: string; first: number; last: number }>();
  const shown: string[] = [];
  const mapped: string[] = [];
  for (const port of [...(ports ?? [])].sort(comparePorts)) {
    const ip = port.IP ?? '';
    if (ip !== '' && port.PublicPort !== port.PrivatePort) {
      mapped.push(`${joined(ip, String(port.PublicPort))}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = `${ip}/${port.Type}`;
    const group = groups.get(key);
    if (group && port.PrivatePort === group.last + 1) {
      group.last = port.PrivatePort;
      continue;
    }
    if (group) shown.push(showGroup(group));
    const fresh = { ip, type: port.Type, first: port.PrivatePort, last: port.PrivatePort };
    if (group) Object.assign(group, fresh);
    else groups.set(key, fresh);
  }
  return [...shown, ...[...groups.values()].map(showGroup), ...mapped].join(', ');
}

function showGroup({ ip, type, first, last }: { ip: string; type: string; first: number; last: number }): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${ip === '' ? range : `${joined(ip, range)}->${range}`}/${type}`;
}

function joined(ip: string, port: string): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function comparePorts(a: PortSummary, b: PortSummary): number {
  return (
    a.PrivatePort - b.PrivatePort ||
    order(a.IP ?? '', b.IP ?? '') ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    order(a.Type, b.Type)
  );
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
