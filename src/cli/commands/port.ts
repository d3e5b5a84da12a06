import { Failure } from '../../lib/error.ts';
import type { ContainerInspect, PortBinding } from '../../wire/container.ts';
import { defineCommand } from '../command.ts';

export const port = defineCommand({
  short: 'Show the published ports of a container',
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  count: [1, 2],
  aliases: ['container port', 'port'],
  flags: {},
  async run(session, { args: [name = '', wanted] }) {
    const client = await session.client();
    const path = `/containers/${name}/json`;
    const { NetworkSettings } = await client.json<ContainerInspect>('GET', path, { signal: session.signal });
    const ports = NetworkSettings.Ports ?? {};
    if (wanted !== undefined) {
      const key = wanted.includes('/') ? wanted : `${wanted}/tcp`;
      const bindings = ports[key];
      if (!bindings) throw new Failure('not-found', 'PORT', `Error: No public port '${wanted}' published for ${name}`);
      session.stdout.write(bindings.map((binding) => `${address(binding)}\n`).join(''));
      return 0;
    }
    const lines = Object.entries(ports).flatMap(([key, bindings]) =>
      (bindings ?? []).map((binding) => ({ key, line: `${key} -> ${address(binding)}\n` })),
    );
    lines.sort((a, b) => Number.parseInt(a.key, 10) - Number.parseInt(b.key, 10));
    session.stdout.write(lines.map(({ line }) => line).join(''));
    return 0;
  },
});

function address({ HostIp, HostPort }: PortBinding): string {
  return HostIp.includes(':') ? `[${HostIp}]:${HostPort}` : `${HostIp}:${HostPort}`;
}
