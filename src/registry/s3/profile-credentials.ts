import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../../lib/error.ts';
import type { Log } from '../../lib/log.ts';
import { watchFile } from '../auth/watched-file.ts';
import {
  type CredentialSource,
  type Credentials,
  type Environment,
  noCredentials,
  readCredentials,
  unavailable,
} from './credential-source.ts';
import { containerCredentials, instanceCredentials } from './machine-credentials.ts';
import { assumedRole, type TokenService, webIdentityCredentials } from './token-service.ts';

type Profile = ReadonlyMap<string, string>;

const PROGRAM_PATIENCE = 60_000;

export interface ProfileCredentials {
  readonly source: CredentialSource;
  /** Keys that stand in the file, which is read again when it has changed: they need no renewal. */
  readonly isFixed: boolean;
}

/**
 * What the shared files say of the profile `AWS_PROFILE`: keys, a role, or a program that gives keys. Undefined when neither file is
 * there, or nobody asked for a profile and there is no default one. https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
export function profileCredentials(env: Environment, service: TokenService, log: Log): ProfileCredentials | undefined {
  const folder = join(env['HOME'] ?? homedir(), '.aws');
  const places = [
    [env['AWS_CONFIG_FILE'] || join(folder, 'config'), 'profile '],
    [env['AWS_SHARED_CREDENTIALS_FILE'] || join(folder, 'credentials'), ''],
  ] as const;
  const there = places.filter(([path]) => existsSync(path));
  const files = there.map(([path, word]) => watchFile(path, (text) => readProfiles(text, word), log));
  const find = (name: string): Profile | undefined => {
    const found = files.flatMap((file) => file().value.get(name) ?? []);
    return found.length === 0 ? undefined : new Map(found.flatMap((profile) => [...profile]));
  };
  const name = env['AWS_PROFILE'] || 'default';
  const isAskedFor = Boolean(env['AWS_PROFILE'] || env['AWS_SHARED_CREDENTIALS_FILE']);
  const profile = find(name);
  const kind = profile && kindOf(profile);
  const where = places.map(([path]) => path).join(' and ');
  if (!profile || kind === undefined) {
    if (!isAskedFor) return undefined;
    throw noCredentials(`${where} have no keys, role or program of the profile "${name}"`);
  }
  const current = () => find(name) ?? profile;
  return { isFixed: kind === 'keys', source: () => credentialsOf(current(), { name, find, env, service, depth: 0 }) };
}

/** The sections of one of the files by the names of their profiles, which the other one writes behind a word. */
export function readProfiles(text: string, word: '' | 'profile '): ReadonlyMap<string, Profile> {
  const profiles = new Map<string, Map<string, string>>();
  let profile: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[([^\]]*)\]/.exec(line)?.[1]?.trim().replace(/\s+/g, ' ');
    if (heading !== undefined) {
      const isNamed = heading === 'default' || heading.startsWith(word);
      const name = heading === 'default' ? heading : heading.slice(word.length).trim();
      profile = isNamed ? (profiles.get(name) ?? new Map()) : undefined;
      if (profile) profiles.set(name, profile);
    }
    // Indented lines belong to settings of other services.
    const [, key, value] = /^([a-z_0-9]+)\s*=\s*(.*?)\s*$/i.exec(line) ?? [];
    if (key !== undefined && value !== undefined && value !== '') profile?.set(key.toLowerCase(), value);
  }
  return profiles;
}

function kindOf(profile: Profile): 'role' | 'keys' | 'program' | undefined {
  if (profile.has('role_arn')) return 'role';
  if (profile.has('aws_access_key_id') && profile.has('aws_secret_access_key')) return 'keys';
  return profile.has('credential_process') ? 'program' : undefined;
}

interface Search {
  readonly name: string;
  readonly find: (name: string) => Profile | undefined;
  readonly env: Environment;
  readonly service: TokenService;
  /** Of profiles that name each other. */
  readonly depth: number;
}

async function credentialsOf(profile: Profile, search: Search): Promise<Credentials> {
  const { name } = search;
  switch (kindOf(profile)) {
    case 'keys':
      return keysOf(profile);
    case 'program':
      return await runProgram(profile.get('credential_process') ?? '');
    case 'role':
      return await roleOf(profile, search);
    case undefined:
      throw noCredentials(`the profile "${name}" has no keys, role or program`);
  }
}

function keysOf(profile: Profile): Credentials {
  const sessionToken = profile.get('aws_session_token');
  return {
    accessKeyId: profile.get('aws_access_key_id') ?? '',
    secretAccessKey: profile.get('aws_secret_access_key') ?? '',
    ...(sessionToken !== undefined && { sessionToken }),
  };
}

async function roleOf(profile: Profile, search: Search): Promise<Credentials> {
  const { env, service } = search;
  const role = { role: profile.get('role_arn') ?? '', session: profile.get('role_session_name') };
  const file = profile.get('web_identity_token_file');
  if (file !== undefined) return await webIdentityCredentials(service, { ...role, file })();
  const source = sourceOf(profile, search, env);
  return await assumedRole(service, { ...role, externalId: profile.get('external_id') }, source)();
}

/** Who takes the role. */
function sourceOf(profile: Profile, { name, find, service, depth }: Search, env: Environment): CredentialSource {
  const other = profile.get('source_profile');
  const where = profile.get('credential_source');
  if (other !== undefined) {
    const found = find(other);
    if (!found || depth > 8) throw noCredentials(`source_profile "${other}" of the profile "${name}" leads nowhere`);
    // One that names itself takes the role by its own keys.
    if (other === name) return async () => keysOf(found);
    return () => credentialsOf(found, { name: other, find, env, service, depth: depth + 1 });
  }
  if (where === 'Ec2InstanceMetadata') return instanceCredentials(env);
  const container = where === 'EcsContainer' ? containerCredentials(env) : undefined;
  if (container) return container;
  throw noCredentials(
    `the profile "${name}" has a role, but nobody who takes it: expected source_profile, web_identity_token_file or credential_source Ec2InstanceMetadata or EcsContainer`,
  );
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html */
async function runProgram(command: string): Promise<Credentials> {
  const place = `the program ${/^\S*/.exec(command)?.[0]}`;
  let output: string;
  try {
    ({ stdout: output } = await promisify(execFile)('/bin/sh', ['-c', command], { timeout: PROGRAM_PATIENCE }));
  } catch (error) {
    const words = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : messageOf(error);
    throw unavailable(place, words.slice(0, 300), error);
  }
  return readCredentials(output, place);
}
