/** Entry of `strake registry import DATA SOURCE`: takes a data folder of Docker's registry over, with no registry running. */
import { Failure } from '../lib/error.ts';
import { makeLog } from '../lib/log.ts';
import { importDistribution } from '../registry/import-distribution.ts';
import { limitsOf } from '../registry/limits.ts';
import { openRegistry } from '../registry/open-registry.ts';
import { reportFailure } from './report-failure.ts';

const LEASE = 24 * 3_600_000;

await reportFailure(async () => {
  const [data = '', source = ''] = process.argv.slice(2);
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => stop.abort(new Failure('cancelled', 'INTERRUPTED', `interrupted by ${name}`)));
  const policy = { lease: LEASE, grace: 0, ...limitsOf([], []) };
  await using opened = await openRegistry({ data }, { policy, log: makeLog() });
  const { files } = opened;
  if (!files) throw new Failure('unsupported', 'NO_FILES', 'blobs can be taken over where they stay files only');
  for await (const line of importDistribution({ ...opened, files }, source, stop.signal)) {
    if ('problem' in line) {
      process.stderr.write(`${line.problem}\n`);
      process.exitCode = 1;
    } else process.stdout.write(`${line.repository}: ${line.manifests} manifests, ${line.tags} tags\n`);
  }
});
