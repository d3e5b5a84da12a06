import { isFailure } from '../../lib/error.ts';
import type { VersionInfo } from '../../wire/system.ts';
import { EngineClient, NEWEST_VERSION } from '../client/engine-client.ts';
import { defineCommand } from '../command.ts';
import { objectFormatFlag } from '../flags/common.ts';
import { alignTabs } from '../format/tabwriter.ts';
import { VERSION } from '../version-number.ts';

export const version = defineCommand({
  short: 'Show the versions of the command and of the host',
  usage: '',
  count: [0, 0],
  flags: { format: objectFormatFlag },
  async run(session, { flags }) {
    let client: EngineClient | undefined;
    let server: VersionInfo | undefined;
    let complaint = '';
    try {
      // A question about versions is no reason to start a host.
      client = await EngineClient.connect(session.choice.endpoint, session.signal);
      server = await client.json<VersionInfo>('GET', '/version', { signal: session.signal });
    } catch (error) {
      if (!isFailure(error) || error.kind === 'cancelled') throw error;
      complaint = error.message;
    }
    const own = {
      Version: VERSION,
      ApiVersion: client?.apiVersion ?? NEWEST_VERSION,
      DefaultAPIVersion: NEWEST_VERSION,
      NodeVersion: process.version,
      Os: process.platform,
      Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    };
    if (flags.format !== '') {
      const { compileTemplate } = await import('../gotemplate/evaluate.ts');
      // Templates for Docker write the field as its program has it, the document has another case.
      const template = flags.format === 'json' ? '{{json .}}' : flags.format.replaceAll('.APIVersion', '.ApiVersion');
      const value = JSON.parse(JSON.stringify({ Client: own, Server: server ?? null }));
      session.stdout.write(`${compileTemplate(template)(value)}\n`);
    } else session.stdout.write(alignTabs(clientText(own) + serverText(server), { minWidth: 20, padding: 3 }));
    if (complaint === '') return 0;
    session.stderr.write(`${complaint}\n`);
    return 1;
  },
});

function clientText(own: Record<string, string>): string {
  const negotiated =
    own['ApiVersion'] === own['DefaultAPIVersion'] ? '' : ` (downgraded from ${own['DefaultAPIVersion']})`;
  return [
    'Client:',
    ` Version:\t${own['Version']}`,
    ` API version:\t${own['ApiVersion']}${negotiated}`,
    ` Node version:\t${own['NodeVersion']}`,
    ` OS/Arch:\t${own['Os']}/${own['Arch']}`,
    '',
  ].join('\n');
}

function serverText(server: VersionInfo | undefined): string {
  if (!server) return '';
  const title = server.Platform.Name === '' ? '' : ` ${server.Platform.Name}`;
  const lines = ['', `Server:${title}`];
  for (const { Name, Version, Details } of server.Components ?? []) {
    lines.push(` ${Name}:`, `  Version:\t${Version}`);
    const details = Details ?? {};
    if (Name === 'Engine') {
      lines.push(
        `  API version:\t${details['ApiVersion']} (minimum version ${details['MinAPIVersion']})`,
        ...(details['GoVersion'] === undefined ? [] : [`  Go version:\t${details['GoVersion']}`]),
        ...(details['NodeVersion'] === undefined ? [] : [`  Node version:\t${details['NodeVersion']}`]),
        `  Git commit:\t${details['GitCommit'] ?? ''}`,
        `  Built:\t${builtAt(details['BuildTime'] ?? '')}`,
        `  OS/Arch:\t${details['Os']}/${details['Arch']}`,
        `  Experimental:\t${details['Experimental'] ?? 'false'}`,
      );
    } else for (const key of Object.keys(details).sort()) lines.push(`  ${key}:\t${details[key]}`);
  }
  return `${lines.join('\n')}\n`;
}

/** `Thu May  7 21:09:36 2026` */
function builtAt(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const [weekday, month] = date
    .toUTCString()
    .replace(',', '')
    .split(' ')
    .filter((word) => /^[A-Z][a-z]{2}$/.test(word));
  const clock = date.toISOString().slice(11, 19);
  return `${weekday} ${month} ${String(date.getUTCDate()).padStart(2)} ${clock} ${date.getUTCFullYear()}`;
}
