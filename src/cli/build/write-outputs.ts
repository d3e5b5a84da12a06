import { Failure } from '../../lib/error.ts';
import type { EngineClient } from '../client/engine-client.ts';
import { checkArchiveTarget, writeArchive } from '../commands/output-file.ts';
import type { Session } from '../session.ts';
import type { BuildOutput } from './output-flag.ts';
import { unpackFolder } from './unpack-folder.ts';

/** Refuses, before anything is built, outputs that cannot be written. Call it before `writeOutputs`. */
export function checkOutputs(session: Session, outputs: readonly BuildOutput[]): void {
  const files = outputs.filter((output) => output.kind === 'file');
  for (const { path } of files) checkArchiveTarget(session, fileName(path));
  if (files.filter(({ path }) => path === '-').length > 1)
    throw new Failure('invalid', 'OUTPUT_INVALID', 'only one output can go to stdout');
}

/** Fetches the result of a build in each form that was asked for. */
export async function writeOutputs(
  session: Session,
  client: EngineClient,
  outputs: readonly BuildOutput[],
  result: { readonly image: string; readonly names: readonly string[] },
): Promise<void> {
  for (const output of outputs) {
    if (output.kind === 'image') continue;
    const answer = await client.request('GET', `/strake/images/${result.image}/output`, {
      query: { form: output.form, t: [...result.names, ...output.names] },
      signal: session.signal,
    });
    if (output.kind === 'file') {
      await writeArchive(session, fileName(output.path), answer.body);
      continue;
    }
    const { leftOut } = await unpackFolder(answer.body, output.path);
    if (leftOut > 0) session.stderr.write(`${output.path}: left out ${leftOut} device nodes and pipes\n`);
  }
}

/** As `writeArchive` has it. */
const fileName = (path: string): string => (path === '-' ? '' : path);
