import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Result, run } from '../../test/system/harness.ts';

/** A host that the unmodified docker client drives. */
export interface Engine {
  /** Runs lines of a shell in the engine's own folder. */
  shell(script: string): Promise<Result>;
}

const CASE_LIMIT_MS = 60_000;
const PRELUDE = `run() { docker run --network none "$@"; }
api() { curl -s --unix-socket "\${DOCKER_HOST#unix://}" -X "$1" "http://docker$2" "\${@:3}"; }
shape() { api GET "$@" | python3 -c '
import json, sys
def walk(value, path):
    if isinstance(value, dict):
        for key in sorted(value): walk(value[key], path + "." + key)
    elif isinstance(value, list) and value: walk(value[0], path + "[]")
    else: print(path, "null" if value is None else type(value).__name__)
walk(json.load(sys.stdin), "")
'; }
talk() { python3 -c '
import json, subprocess, sys
order = {"argv": sys.argv[2:], "rows": 30, "columns": 100, "steps": json.loads(sys.argv[1])}
done = json.loads(subprocess.run(["python3", "${fileURLToPath(new URL('../../test/system/terminal.py', import.meta.url))}", json.dumps(order)], stdout=-1).stdout)
print(done["seen"].replace("\\r", "") + "\\nexit", done["code"], "" if done["missed"] is None else "missed " + done["missed"])
' "$@"; }
`;

/** `address` is for DOCKER_HOST; `tars` holds the archives of the cases. */
export function makeEngine(folder: string, address: string, tars: string): Engine {
  const work = join(folder, 'work');
  const temporary = join(folder, 'tmp');
  for (const path of [work, temporary]) mkdirSync(path, { recursive: true });
  const env = {
    DOCKER_HOST: address,
    DOCKER_CONFIG: join(folder, 'config'),
    TMP: temporary,
    TARS: tars,
    DISK: firstDisk(),
  };
  return {
    async shell(script) {
      const result = await run('bash', ['--norc', '-c', PRELUDE + script], { cwd: work, env, timeout: CASE_LIMIT_MS });
      const clean = (text: string) => normalise(text.replaceAll(temporary, '$TMP').replaceAll(folder, '$FOLDER'));
      return { code: result.code, stdout: clean(result.stdout), stderr: clean(result.stderr) };
    },
  };
}

/** Name of a block device of this machine, for limits of it. */
function firstDisk(): string {
  const rows = readFileSync('/proc/partitions', 'utf8').split('\n');
  return (
    rows.map((row) => row.trim().split(/\s+/)[3] ?? '').find((name) => /^(?:[sv]d[a-z]|nvme\dn\d)$/.test(name)) ??
    'none'
  );
}

/** Leaves out what is never twice the same. */
function normalise(text: string): string {
  return text
    .replace(/^time="[^"]*" level=\w+ msg=.*\n/gm, '') // the client's own log: a pipe that the other side closed early
    .replace(/\b[0-9a-f]{64}\b/g, '<id>')
    .replace(/\b[0-9a-f]{12}\b/g, '<short id>')
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, '<time>')
    .replace(/process \d+|pid \d+/g, 'process <pid>')
    .replace(/ (on|udp) \d+(?:\.\d+){3}:53\b/g, ' $1 <resolver>');
}
