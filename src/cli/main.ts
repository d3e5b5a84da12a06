import { findCommand } from './command-table.ts';
import { list, text, toggle } from './flags/flag.ts';
import { parseFlags } from './flags/parse-flags.ts';
import { openSession } from './open-session.ts';
import { report } from './report.ts';
import { standardError, standardOutput } from './standard-streams.ts';

const GLOBAL_FLAGS = {
  host: list('Address of the host: unix:///path, tcp://name:port or ssh://user@name', { short: 'H' }),
  dataRoot: text('Folder of the store, for a host that this command starts'),
  config: text('Folder of the client configuration (credentials)', { shown: '"~/.docker"' }),
  debug: toggle('Show where an unexpected error came from', { short: 'D' }),
  tls: toggle('Use TLS; implied by --tlsverify'),
  tlscacert: text('Trust only certificates that this CA signed', { shown: '"~/.docker/ca.pem"' }),
  tlscert: text('File of the TLS certificate', { shown: '"~/.docker/cert.pem"' }),
  tlskey: text('File of the TLS key', { shown: '"~/.docker/key.pem"' }),
  tlsverify: toggle('Use TLS and verify the host'),
  version: toggle('Print the version and quit', { short: 'v' }),
};

/**
 * Runs the command line `argv` (without program name) and returns the exit code. `hostScript` is started when no host
 * listens at the default address.
 */
export async function main(argv: readonly string[], hostScript: URL): Promise<number> {
  let debug = false;
  try {
    const parsed = parseFlags(GLOBAL_FLAGS, argv, { interspersed: false });
    const { values, rest } = parsed;
    debug = values.debug;
    if (values.config !== '') process.env['DOCKER_CONFIG'] = values.config;
    if (values.version) return await printVersion();
    if (parsed.help || rest.length === 0 || rest[0] === 'help') return await printHelp(rest);
    const found = await findCommand(rest);
    if (found === undefined) return await unknownCommand(rest);
    return await found.command.execute(openSession(values, hostScript), found.path, found.argv);
  } catch (error) {
    return report(error, debug);
  }
}

async function printVersion(): Promise<number> {
  const { VERSION } = await import('./version-number.ts');
  standardOutput().write(`strake version ${VERSION}\n`);
  return 0;
}

async function printHelp(rest: readonly string[]): Promise<number> {
  const { helpFor } = await import('./help.ts');
  const topic = rest[0] === 'help' ? rest.slice(1) : rest;
  const help = await helpFor(topic, GLOBAL_FLAGS, standardOutput().columns ?? 80);
  if (help === undefined) return await unknownCommand(topic);
  standardOutput().write(help);
  return 0;
}

async function unknownCommand(words: readonly string[]): Promise<number> {
  const { complain } = await import('./help.ts');
  const { text, exitCode } = await complain(words);
  standardError().write(text);
  return exitCode;
}
