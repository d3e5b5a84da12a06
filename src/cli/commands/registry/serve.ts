import { parseDuration } from '../../../lib/duration.ts';
import { Failure } from '../../../lib/error.ts';
import { withoutPassword } from '../../../lib/url-password.ts';
import type { BucketPlace, RegistryOptions } from '../../../wire/registry-options.ts';
import { becomeProgram } from '../../client/become-program.ts';
import { defineCommand } from '../../command.ts';
import { parseBytes } from '../../flags/bytes.ts';
import { custom, list, text, toggle } from '../../flags/flag.ts';
import { dataFlag, registryScript } from './program.ts';

const HOUR = 3600e9;

/** Becomes the registry: same process, other program. */
export const serve = defineCommand({
  short: 'Serve a registry in the foreground',
  usage: '',
  count: [0, 0],
  flags: {
    listen: text('Address to listen on, HOST:PORT', { initial: '127.0.0.1:5000', shown: '127.0.0.1:5000' }),
    data: dataFlag,
    blobs: text('Bucket that has the blobs, which other nodes may share: s3://BUCKET[/PREFIX]'),
    s3Endpoint: text('URL of the object store, when it is not that of Amazon'),
    s3Region: text('Region of the bucket'),
    s3Redirect: toggle('Send those who pull to the object store itself, where they must reach it'),
    metadata: text(
      'Database that has everything but the blobs, which other nodes may share: postgres://USER@HOST:PORT/DATABASE',
    ),
    tlsCert: text('File of the TLS certificate, with those of its authorities'),
    tlsKey: text('File of the TLS key'),
    htpasswd: text('File of users and their bcrypt passwords (htpasswd -B); without it everybody may do everything'),
    anonymousRead: toggle('Let those without a name pull'),
    rights: text('File of rules that say who may do what: lines USER REPOSITORIES ACTIONS'),
    tokenKey: text('File of the key that signs tokens, 32 bytes or more, the same for all nodes'),
    publicUrl: text('URL under which clients reach it, when a proxy stands before it'),
    lease: time('How long an upload may rest, and a blob waits for its manifest', 24 * HOUR, '24h'),
    grace: time('How long what was deleted can be put back', HOUR, '1h'),
    collectEvery: time('Time between collections; 0: only by "strake registry gc"', HOUR / 6, '10m'),
    share: text('Data root of a host on this machine: what it pushes has one file for both, and is not sent'),
    proxy: text('Be a mirror of this registry: HOST[:PORT], http:// before it when it has no TLS'),
    immutable: list('Tags that, once pushed, neither change nor go: REPOSITORIES:TAGS, as team/**:v*'),
    quota: list('Bytes that each of these repositories may have: REPOSITORIES=SIZE, as team/**=10g'),
    webhook: list('URL that is told of pushes and deletions'),
    webhookSecret: text('File of the secret that signs what webhooks are told'),
    explorer: toggle('Serve a page for looking inside its images, at /explore/, to browsers of those who may pull'),
    accessLog: text('File that gets one JSON object a request; - for the standard output'),
    metrics: text('Address to serve metrics for Prometheus on, HOST:PORT'),
  },
  async run(session, { flags }) {
    const { tlsCert, tlsKey } = flags;
    if ((tlsCert === '') !== (tlsKey === ''))
      throw new Failure('invalid', 'FLAG_VALUE', '--tls-cert and --tls-key go together');
    if (flags.anonymousRead && flags.htpasswd === '')
      throw new Failure('invalid', 'FLAG_VALUE', '--anonymous-read needs --htpasswd: without users everybody may pull');
    if (flags.rights !== '' && (flags.htpasswd === '' || flags.anonymousRead))
      throw new Failure(
        'invalid',
        'FLAG_VALUE',
        '--rights needs --htpasswd, and says itself what those without a name may do',
      );
    if (flags.publicUrl !== '' && !/^https?:\/\/[^/]+$/.test(flags.publicUrl))
      throw new Failure('invalid', 'FLAG_VALUE', `invalid URL "${flags.publicUrl}": expected https://HOST[:PORT]`);
    if (!/^((https?:\/\/)?[A-Za-z0-9.-]+(:\d{1,5})?)?$/.test(flags.proxy))
      throw new Failure('invalid', 'FLAG_VALUE', `invalid registry "${flags.proxy}": expected HOST[:PORT]`);
    if (flags.proxy !== '' && flags.share !== '')
      throw new Failure('invalid', 'FLAG_VALUE', '--share is for pushes, which a mirror (--proxy) takes none of');
    if (flags.blobs === '' && (flags.s3Endpoint !== '' || flags.s3Region !== '' || flags.s3Redirect))
      throw new Failure('invalid', 'FLAG_VALUE', '--s3-endpoint, --s3-region and --s3-redirect need --blobs');
    if (flags.blobs !== '' && flags.share !== '')
      throw new Failure('invalid', 'FLAG_VALUE', '--share is for blobs that are files: not with --blobs');
    const database = flags.metadata === '' ? undefined : parseDatabase(flags.metadata);
    const options: RegistryOptions = {
      ...parseAddress(flags.listen),
      data: flags.data,
      bucket: bucketOf(flags),
      metadata: database?.url,
      tls: tlsCert === '' ? undefined : { cert: tlsCert, key: tlsKey },
      htpasswd: flags.htpasswd || undefined,
      anonymousRead: flags.anonymousRead,
      rights: flags.rights || undefined,
      tokenKey: flags.tokenKey || undefined,
      publicUrl: flags.publicUrl || undefined,
      lease: flags.lease / 1e6,
      grace: flags.grace / 1e6,
      collectEvery: flags.collectEvery / 1e6,
      explorer: flags.explorer,
      accessLog: flags.accessLog || undefined,
      share: flags.share || undefined,
      proxy: flags.proxy || undefined,
      webhooks: flags.webhook.map(parseWebhook),
      webhookSecret: flags.webhookSecret || undefined,
      immutable: flags.immutable.map(parseImmutable),
      quotas: flags.quota.map(parseQuota),
      metrics: flags.metrics === '' ? undefined : parseAddress(flags.metrics),
    };
    const script = registryScript(session.hostScript);
    // Threads of Node for files: each sync of a blob takes one while the disk works, and disks take many syncs at once.
    const env = { UV_THREADPOOL_SIZE: '16', ...session.env, ...database?.env };
    return becomeProgram({ script, args: [JSON.stringify(options)], env });
  },
});

function time(help: string, initial: number, shown: string) {
  return custom('duration', help, initial, notNegative, { shown });
}

function notNegative(value: string): number {
  const nanoseconds = parseDuration(value);
  if (nanoseconds >= 0) return nanoseconds;
  throw new Failure('invalid', 'FLAG_VALUE', `invalid duration "${value}": must not be negative`);
}

/** Everybody on the machine sees what a program is started with; what its environment is only root and its own user do. */
function parseDatabase(text: string): { url: string; env: NodeJS.ProcessEnv } {
  const { url, password } = withoutPassword(text);
  if (!/^postgres(ql)?:\/\/./.test(url) || !URL.canParse(url))
    throw new Failure('invalid', 'FLAG_VALUE', 'invalid --metadata: expected postgres://USER@HOST:PORT/DATABASE', {
      hint: 'the password may also be in PGPASSWORD or in the file PGPASSFILE; a socket is at postgres://USER@%2FFOLDER/DATABASE',
    });
  return { url, env: password === undefined ? {} : { PGPASSWORD: password } };
}

function parseWebhook(url: string): string {
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new Failure('invalid', 'FLAG_VALUE', `invalid --webhook "${url}": expected a URL`);
}

function parseImmutable(rule: string): string {
  if (/^[a-z0-9._/*-]+:[\w.*-]+$/.test(rule)) return rule;
  throw new Failure('invalid', 'FLAG_VALUE', `invalid --immutable "${rule}": expected REPOSITORIES:TAGS`);
}

function parseQuota(rule: string): { repositories: string; bytes: number } {
  const match = /^([a-z0-9._/*-]+)=(.+)$/.exec(rule);
  if (match?.[1] !== undefined && match[2] !== undefined)
    return { repositories: match[1], bytes: parseBytes(match[2]) };
  throw new Failure('invalid', 'FLAG_VALUE', `invalid --quota "${rule}": expected REPOSITORIES=SIZE`);
}

function bucketOf(flags: {
  readonly blobs: string;
  readonly s3Endpoint: string;
  readonly s3Region: string;
  readonly s3Redirect: boolean;
}): BucketPlace | undefined {
  const { blobs, s3Endpoint: endpoint, s3Region: region, s3Redirect: redirect } = flags;
  if (blobs === '') return undefined;
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w.-]+(?:\/[\w.-]+)*))?\/?$/.exec(blobs);
  if (match?.[1] === undefined || match[2]?.split('/').some((name) => /^\.\.?$/.test(name)))
    throw new Failure('invalid', 'FLAG_VALUE', `invalid --blobs "${blobs}": expected s3://BUCKET[/PREFIX]`);
  if (endpoint !== '' && !(/^https?:\/\/[^@]+$/.test(endpoint) && URL.canParse(endpoint)))
    throw new Failure('invalid', 'FLAG_VALUE', `invalid --s3-endpoint "${endpoint}": expected https://HOST[:PORT]`);
  if (!/^[\w-]*$/.test(region)) throw new Failure('invalid', 'FLAG_VALUE', `invalid --s3-region "${region}"`);
  const [bucket, prefix] = [match[1], match[2] ?? ''];
  return { bucket, prefix, endpoint: endpoint || undefined, region: region || undefined, redirect };
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (!match || port > 65535)
    throw new Failure('invalid', 'FLAG_VALUE', `invalid address "${address}": expected HOST:PORT`);
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}
