import { Failure, isFailure, messageOf } from '../../../lib/error.ts';
import type { BuildEvent } from '../../../wire/build.ts';
import type { BuildBackend, BuildRequest, OutlinePlace } from '../../backend/build.ts';
import type { Range } from '../shapes/status.ts';
import { placeIn, type ReadDockerfile } from '../trace/place.ts';
import { failureWords } from '../trace/words.ts';

type LintEvent = Extract<BuildEvent, { type: 'lint' }>;

type Answer = ReadonlyMap<string, Uint8Array>;
type Read = () => ReadDockerfile | undefined;

/** What can be asked of a frontend in place of a build, with what it is for. */
const REQUESTS = {
  'frontend.outline': { description: 'List all parameters current build target supports', answer: outlineAnswer },
  'frontend.targets': { description: 'List all targets current build supports', answer: targetsAnswer },
  'frontend.lint': { description: 'Lint a Dockerfile', answer: lintAnswer },
  'frontend.subrequests.describe': { description: 'List available subrequest types', answer: describeAnswer },
} as const;

/** Answers one of `REQUESTS`. Throws Failure. */
export async function answerRequest(
  backend: BuildBackend,
  name: string,
  request: BuildRequest,
  dockerfile: Read,
): Promise<Answer> {
  for (const [known, { answer }] of Object.entries(REQUESTS))
    if (known === name) return await answer(backend, request, dockerfile);
  throw new Failure('unsupported', 'SUBREQUEST', `unsupported request ${name}`);
}

async function describeAnswer(): Promise<Answer> {
  const requests = Object.entries(REQUESTS).map(([name, { description }]) => ({
    name,
    version: '1.0.0',
    type: 'rpc',
    description,
    opts: name === 'frontend.outline' ? [{ name: 'target', description: 'Target build stage' }] : null,
    inputs: null,
    metadata: [{ name: 'result.json' }, { name: 'result.txt' }],
    refs: null,
  }));
  const rows = requests.map(({ name, version, description }) => [name.replace('frontend.', ''), version, description]);
  return documents(requests, table(['NAME', 'VERSION', 'DESCRIPTION'], rows, 1));
}

async function targetsAnswer(backend: BuildBackend, request: BuildRequest, dockerfile: Read): Promise<Answer> {
  const { targets: stages } = await backend.check({ ...request, emit: async () => {} });
  const read = dockerfile();
  const targets = stages.map(({ name, description, base, platform, isDefault, ...source }) => ({
    ...(name === undefined ? {} : { name }),
    ...(isDefault ? { default: true } : {}),
    ...(description ? { description } : {}),
    base,
    ...(platform === undefined ? {} : { platform }),
    ...(read ? { location: { ranges: placeIn(read, source).ranges } } : {}),
  }));
  const rows = stages.map(({ name = '', description = '', isDefault }) => [
    isDefault ? `${name} (default)`.trim() : name,
    description,
  ]);
  return documents({ targets, sources: sourcesOf(read) }, table(['TARGET', 'DESCRIPTION'], rows, 1));
}

async function outlineAnswer(backend: BuildBackend, request: BuildRequest, dockerfile: Read): Promise<Answer> {
  const { outline } = await backend.check({ ...request, emit: async () => {} });
  const read = dockerfile();
  const located = (place: OutlinePlace) => (read ? { location: { ranges: placeIn(read, place).ranges } } : {});
  const { name, description, args, secrets, agents } = outline;
  const loan = ({ id, isRequired, ...place }: (typeof secrets)[number]) => ({
    name: id,
    ...(isRequired ? { required: true } : {}),
    ...located(place),
  });
  const document = {
    ...(name === undefined ? {} : { name }),
    ...(description ? { description } : {}),
    args: args.map(({ name, value, description, ...place }) => ({
      name,
      ...(description ? { description } : {}),
      ...(value ? { value } : {}),
      ...located(place),
    })),
    ...(secrets.length > 0 ? { secrets: secrets.map(loan) } : {}),
    ...(agents.length > 0 ? { ssh: agents.map(loan) } : {}),
    sources: sourcesOf(read),
  };
  const loans = (list: typeof secrets) => list.map(({ id, isRequired }) => [id, isRequired ? 'true' : '']);
  const head = [
    ...(name || description ? [['TARGET:', name || '(default)']] : []),
    ...(description ? [['DESCRIPTION:', description]] : []),
  ];
  const rows = args.map(({ name, value = '', description = '' }) => [name, value, description]);
  const parts = [
    table(undefined, head, 1),
    table(['BUILD ARG', 'VALUE', 'DESCRIPTION'], rows, 3),
    table(['SECRET', 'REQUIRED'], loans(secrets), 3),
    table(['SSH', 'REQUIRED'], loans(agents), 3),
  ];
  return documents(document, parts.flatMap((text, index) => (isEmpty(index) ? [] : `${text}\n`)).join(''));

  function isEmpty(part: number): boolean {
    return [head, args, secrets, agents][part]?.length === 0;
  }
}

const sourcesOf = (read: ReadDockerfile | undefined) => (read ? [Buffer.from(read.content).toString('base64')] : []);

/** Clients show the document as it is. */
const documents = (document: unknown, text: string): Answer =>
  new Map([
    ['result.json', Buffer.from(JSON.stringify(document, undefined, 2))],
    ['result.txt', Buffer.from(text)],
    VERSION,
  ]);

/** Lines of columns with at least `gap` blanks in between. */
function table(titles: readonly string[] | undefined, rows: readonly (readonly string[])[], gap: number): string {
  const all = titles ? [titles, ...rows] : rows;
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)) + gap);
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('');
  return all.map((row) => `${line(row)}\n`).join('');
}

const VERSION = ['version', Buffer.from('1.0.0')] as const;

async function lintAnswer(backend: BuildBackend, request: BuildRequest, dockerfile: Read): Promise<Answer> {
  const found: LintEvent[] = [];
  let fault: Failure | undefined;
  try {
    const emit = async (event: BuildEvent) => {
      if (event.type === 'lint') found.push(event);
    };
    await backend.check({ ...request, emit });
  } catch (error) {
    if (!isFailure(error, 'invalid') || !error.source || !dockerfile()) throw error;
    fault = error;
  }
  const read = dockerfile();
  const located = (ranges: readonly Range[]) => ({ sourceIndex: 0, ranges });
  const report = {
    warnings: found.map((event) => ({
      ruleName: event.rule,
      url: event.page,
      detail: `${event.message}`,
      location: located(read ? placeIn(read, event).ranges : []),
    })),
    sources: read
      ? [{ filename: read.name, language: 'Dockerfile', data: Buffer.from(read.content).toString('base64') }]
      : [],
    ...(fault?.source && read
      ? {
          buildError: {
            message: failureWords(messageOf(fault)),
            location: located(placeIn(read, fault.source).ranges),
          },
        }
      : {}),
  };
  const text = found.map(
    ({ rule, page, message, excerpt }) => `\nWARNING: ${rule} - ${page}\n${message}\n${excerpt}\n`,
  );
  return new Map([
    ['result.json', Buffer.from(JSON.stringify(report))],
    ['result.txt', Buffer.from(text.join(''))],
    ['result.statuscode', Buffer.from(found.length > 0 || fault ? '1' : '0')],
    VERSION,
  ]);
}
