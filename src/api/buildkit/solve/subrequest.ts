import { Failure, isFailure, messageOf } from '../../../lib/error.ts';
import type { BuildEvent } from '../../../wire/build.ts';
import type { BuildBackend, BuildRequest } from '../../backend/build.ts';
import type { Range } from '../shapes/status.ts';
import { placeIn, type ReadDockerfile } from '../trace/place.ts';
import { failureWords } from '../trace/words.ts';

type LintEvent = Extract<BuildEvent, { type: 'lint' }>;

type Answer = ReadonlyMap<string, Uint8Array>;
type Read = () => ReadDockerfile | undefined;

/**
 * What is asked of a frontend in place of a build: `frontend.lint`, what rules find in the Dockerfile, and
 * `frontend.targets`, its stages. Throws Failure.
 */
export async function answerRequest(
  backend: BuildBackend,
  name: string,
  request: BuildRequest,
  dockerfile: Read,
): Promise<Answer> {
  if (name === 'frontend.lint') return await lintAnswer(backend, request, dockerfile);
  if (name === 'frontend.targets') return await targetsAnswer(backend, request, dockerfile);
  throw new Failure('unsupported', 'SUBREQUEST', `unsupported request ${name}`);
}

async function targetsAnswer(backend: BuildBackend, request: BuildRequest, dockerfile: Read): Promise<Answer> {
  const stages = await backend.check({ ...request, emit: async () => {} });
  const read = dockerfile();
  const targets = stages.map(({ name, base, platform, isDefault, ...source }) => ({
    ...(name === undefined ? {} : { name }),
    ...(isDefault ? { default: true } : {}),
    base,
    ...(platform === undefined ? {} : { platform }),
    ...(read ? { location: { ranges: placeIn(read, source).ranges } } : {}),
  }));
  const sources = read ? [Buffer.from(read.content).toString('base64')] : [];
  const lines = stages.map(({ name = '', isDefault }) => (isDefault ? `${name} (default)`.trim() : name));
  return new Map([
    ['result.json', Buffer.from(JSON.stringify({ targets, sources }))],
    ['result.txt', Buffer.from(['TARGET', ...lines, ''].join('\n'))],
    VERSION,
  ]);
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
