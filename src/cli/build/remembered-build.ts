import { Failure, isFailure, messageOf } from '../../lib/error.ts';
import { BUILD_HEADER } from '../../wire/build.ts';
import type { BuildExplanation } from '../../wire/build-explain.ts';
import type { Answer, EngineClient } from '../client/engine-client.ts';
import type { Output, Session } from '../session.ts';
import type { BuildFlags } from './build-flags.ts';
import { debugBuild } from './debug-build.ts';
import { adviceText } from './why-text.ts';

type Asked = Pick<BuildFlags, 'explain' | 'onError'>;

/** Refuses what only a Strake host, or only a person at a terminal, can have. */
export function checkRemembered(session: Session, client: EngineClient, { explain, onError }: Asked): void {
  if (onError !== '' && onError !== 'shell')
    throw new Failure('invalid', 'ON_ERROR', `invalid --on-error "${onError}": expected shell`);
  if (onError !== '' && !(session.stdin.isTTY === true && session.stdout.isTTY === true))
    throw new Failure('invalid', 'NO_TTY', '--on-error=shell needs a terminal', {
      hint: 'without one use "strake debug" after the build',
    });
  if ((explain || onError !== '') && client.strakeVersion === undefined)
    throw new Failure('unsupported', 'NOT_STRAKE', '--explain and --on-error need a Strake host; this one is Docker');
}

/**
 * What follows a build that the host remembers: advice of `--explain`, and the shell of `--on-error` when it failed. When
 * it failed, nothing that goes wrong here takes the place of its error.
 */
export async function afterBuild(
  session: Session,
  client: EngineClient,
  answer: Answer,
  asked: Asked & { readonly output: Output; readonly error: unknown },
): Promise<void> {
  const build = answer.headers.get(BUILD_HEADER);
  if (build === undefined || session.signal.aborted) return;
  try {
    if (asked.explain) asked.output.write(await adviceFor(session, client, build));
    if (asked.onError !== 'shell' || asked.error === undefined) return;
    session.stderr.write(`${messageOf(asked.error)}\n`);
    await debugBuild(session, build, {});
  } catch (error) {
    if (!isFailure(error) || asked.error === undefined) throw error;
    session.stderr.write(`${error.message}\n`);
  }
}

async function adviceFor({ signal }: Session, client: EngineClient, build: string): Promise<string> {
  const query = { build };
  const { Advice } = await client.json<BuildExplanation>('GET', '/strake/builds/explain', { query, signal });
  return adviceText(Advice);
}
