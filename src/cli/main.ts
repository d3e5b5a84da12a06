import { Failure, isFailure, messageOf, type SourceRange } from '../lib/error.ts';
import { connectOrStart } from './client/connect.ts';
import type { EngineClient } from './client/engine-client.ts';
import { chooseHost, type HostChoice } from './client/host-choice.ts';
import { findCommand } from './command-table.ts';
import { list, text, toggle } from './flags/flag.ts';
import { parseFlags } from './flags/parse-flags.ts';
import type { Session } from './session.ts';

const GLOBAL_FLAGS = {
  host: list('Address of the host: unix:///path or tcp://name:port', { short: 'H' }),
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
    const session = openSession(chooseHost(values, process.env, process.getuid?.() ?? 0), hostScript);
    return await found.command.execute(session, found.path, found.argv);
  } catch (error) {
    return await report(error, debug);
  }
}

function openSession(choice: HostChoice, hostScript: URL): Session {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.kill(process.pid, 'SIGKILL');
    const exitCode = name === 'SIGINT' ? 130 : name === 'SIGTERM' ? 143 : 129;
    controller.abort(new Failure('cancelled', 'INTERRUPTED', 'interrupted', { exitCode }));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, onSignal);
  let client: Promise<EngineClient> | undefined;
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return process.stdout;
    },
    get stderr() {
      return process.stderr;
    },
    env: process.env,
    choice,
    hostScript,
    signal: controller.signal,
    client() {
      client ??= connectOrStart(choice, hostScript, controller.signal);
      return client;
    },
    takeSignals() {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}

async function printVersion(): Promise<number> {
  const { VERSION } = await import('./version-number.ts');
  process.stdout.write(`strake version ${VERSION}\n`);
  return 0;
}

async function printHelp(rest: readonly string[]): Promise<number> {
  const { helpFor } = await import('./help.ts');
  const topic = rest[0] === 'help' ? rest.slice(1) : rest;
  const help = await helpFor(topic, GLOBAL_FLAGS, process.stdout.columns ?? 80);
  if (help === undefined) return await unknownCommand(topic);
  process.stdout.write(help);
  return 0;
}

async function unknownCommand(words: readonly string[]): Promise<number> {
  const { complain } = await import('./help.ts');
  const { text, exitCode } = await complain(words);
  process.stderr.write(text);
  return exitCode;
}

/** Where in a Dockerfile it happened, and the lines themselves. */
function showPlace({ file, line, column, excerpt }: SourceRange): string {
  const place = `${file}:${line}${column === undefined ? '' : `:${column}`}`;
  return excerpt === undefined || excerpt === '' ? `at ${place}\n` : `at ${place}:\n${excerpt.replace(/^/gm, '  ')}\n`;
}

async function report(error: unknown, debug: boolean): Promise<number> {
  if (isFailure(error)) {
    if (error.kind === 'cancelled') return error.exitCode ?? 130;
    if (error.code === 'FLAG_UNKNOWN' || error.code === 'FLAG_VALUE') {
      const usage = 'Usage:  strake [OPTIONS] COMMAND [ARG...]';
      process.stderr.write(`${error.message}\n\n${usage}\n\nRun 'strake --help' for more information\n`);
      return 125;
    }
    if (error.message !== '') process.stderr.write(`${error.message}\n`);
    if (error.source) process.stderr.write(showPlace(error.source));
    if (error.hint !== undefined) process.stderr.write(`  (${error.hint})\n`);
    if (debug && error.kind === 'internal') process.stderr.write(`${error.stack}\n`);
    return error.exitCode ?? 1;
  }
  process.stderr.write(`strake: ${debug && error instanceof Error ? error.stack : messageOf(error)}\n`);
  return 1;
}
