import type { DebugAnswer, DebugRequest } from '../../wire/build-explain.ts';
import { runAttached } from '../run/attached-run.ts';
import type { Session } from '../session.ts';
import { plainLine } from '../terminal/text-width.ts';

/** Opens a shell (or runs a command) where a step of a build stood; returns its exit code. */
export async function debugBuild(session: Session, build: string, request: DebugRequest): Promise<number> {
  const tty = session.stdin.isTTY === true && session.stdout.isTTY === true;
  const client = await session.client();
  const { signal } = session;
  const place = await client.json<DebugAnswer>('POST', '/strake/builds/debug', {
    query: { build },
    json: { ...request, Tty: tty },
    signal,
  });
  session.stderr.write(
    bannerOf(place, request)
      .map((line) => `${plainLine(line)}\n`)
      .join(''),
  );
  const options = {
    tty,
    stdin: true,
    stdout: true,
    stderr: true,
    detachKeys: '',
    sigProxy: true,
    until: 'removed',
  } as const;
  return await runAttached(session, client, place.Container, options, () =>
    client.call('POST', `/containers/${place.Container}/start`, { signal }),
  );
}

function bannerOf(place: DebugAnswer, request: DebugRequest): string[] {
  const { Build, Step, Outcome, Instruction, Shows, User, WorkingDir, Lost } = place;
  const lost = Lost.map((name) => `not here any more: mount ${name}`);
  if ((request.Cmd ?? []).length > 0) return lost;
  const outcome = Outcome === 'failed' ? ', which failed' : '';
  const what = request.Retry === true ? 'again' : Shows === 'after' ? 'what it left' : 'what was before it';
  return [
    `Step ${Step} of build ${Build}${outcome}: ${Instruction}`,
    `${what}, as ${User === '' ? 'root' : User} in ${WorkingDir === '' ? '/' : WorkingDir}`,
    ...lost,
    ...(request.Retry !== true && place.CanRetry ? ['retry-step runs the step again'] : []),
  ];
}
