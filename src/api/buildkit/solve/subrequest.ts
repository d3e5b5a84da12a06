import { Failure, isFailure, messageOf } from '../../../lib/error.ts';
import type { BuildEvent } from '../../../wire/build.ts';
import type { BuildBackend, BuildRequest } from '../../backend/build.ts';
import type { Range } from '../shapes/status.ts';
import { placeIn, type ReadDockerfile } from '../trace/place.ts';
import { failureWords } from '../trace/words.ts';

type LintEvent = Extract<BuildEvent, { type: 'lint' }>;

/** What is asked of a frontend in place of a build: `frontend.lint`, what rules find in the Dockerfile. Throws Failure. */
export async function answerRequest(
  backend: BuildBackend,
  name: string,
  request: BuildRequest,
  dockerfile: () => ReadDockerfile | undefined,
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (name !== 'frontend.lint') throw new Failure('unsupported', 'SUBREQUEST', `unsupported request ${name}`);
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
    ['version', Buffer.from('1.0.0')],
  ]);
}
