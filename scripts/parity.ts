/**
 * Compares Strake with Docker: `node scripts/parity.ts [WORD...]` runs the cases of scripts/parity/cases.ts (of the families
 * whose title has one of the words) with the docker command against a dockerd and a Strake host, both started here as
 * root, and prints what differs. `docker` and `dockerd` are those of PATH (`sh scripts/newer-clients.sh --daemon` unpacks
 * Debian 13's into `.clients/usr/bin` and `.clients/usr/sbin`). Without words it also writes docs/parity.md. The exit code is 1 when a difference has
 * no explanation.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDockerd } from '../test/system/dockerd.ts';
import { importBusybox, run, startHost } from '../test/system/harness.ts';
import { FAMILIES } from './parity/cases.ts';
import { type Engine, makeEngine } from './parity/engine.ts';
import { writeHostileTars } from './parity/hostile-tars.ts';
import { matrix, type Outcome, sameCode, sameOutput } from './parity/report.ts';

const words = process.argv.slice(2);
const families = FAMILIES.filter(({ title }) => words.length === 0 || words.some((word) => title.includes(word)));
const folder = mkdtempSync(join(tmpdir(), 'strake-parity-'));
try {
  const tars = join(folder, 'tars');
  for (const path of [tars, join(folder, 'docker'), join(folder, 'strake')]) mkdirSync(path);
  writeHostileTars(tars);
  await using dockerd = await startDockerd(join(folder, 'docker'), { networks: true });
  await using host = await startHost({ folder: join(folder, 'strake') });
  await importBusybox(host);
  await dockerd.ok(['import', join(host.folder, 'busybox.tar'), 'busybox']);
  const docker = makeEngine(join(folder, 'docker'), dockerd.address, tars);
  const strake = makeEngine(join(folder, 'strake'), `unix://${host.socket}`, tars);
  const outcomes = await compare(docker, strake);
  for (const one of outcomes)
    if (!sameCode(one) || !sameOutput(one))
      console.log(
        `--- ${one.family.title}${one.case.differs === undefined ? '' : ` (${one.case.differs})`}\n$ ${one.case.script}\n` +
          `docker ${one.docker.code}: ${one.docker.stdout}${one.docker.stderr}\n` +
          `strake ${one.strake.code}: ${one.strake.stdout}${one.strake.stderr}`,
      );
  const open = outcomes.filter((one) => one.case.differs === undefined && !(sameCode(one) && sameOutput(one)));
  console.log(`${outcomes.length} cases, ${open.length} differences that are not explained`);
  if (words.length === 0) {
    const version = (await run('docker', ['version', '--format', '{{.Client.Version}}'])).stdout.trim();
    const daemon = await docker.shell("docker version --format '{{.Server.Version}}'");
    const versions = `docker ${version} against dockerd ${daemon.stdout.trim()}.`;
    writeFileSync(fileURLToPath(new URL('../docs/parity.md', import.meta.url)), matrix(outcomes, versions));
  }
  process.exitCode = open.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Both engines run each case at the same time. */
async function compare(docker: Engine, strake: Engine): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const family of families) {
    for (const one of family.cases) {
      const [theirs, ours] = await Promise.all([docker.shell(one.script), strake.shell(one.script)]);
      outcomes.push({ family, case: one, docker: theirs, strake: ours });
    }
    const clear = 'docker rm -fv $(docker ps -aq); docker volume prune -f';
    await Promise.all([docker.shell(clear), strake.shell(clear)]);
  }
  return outcomes;
}
