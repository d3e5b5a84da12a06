/** Containers that survive their host: `strake host --live-restore`, killed with -9 or stopped, by both OCI runtimes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import {
  freePort,
  type HostSettings,
  importBusybox,
  leftovers,
  run,
  startHost,
  type TestHost,
  until,
} from './harness.ts';

/** Of a container, beyond what all have. */
interface Settings {
  readonly Tty?: boolean;
  readonly OpenStdin?: boolean;
  readonly Volumes?: Record<string, object>;
  readonly HostConfig?: Record<string, unknown>;
}

/** A host with a folder in which containers find a file when they are to go on. */
class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'strake-live-'));
  readonly #go = join(this.folder, 'go');
  #host: TestHost | undefined;

  get host(): TestHost {
    assert.ok(this.#host);
    return this.#host;
  }

  async open(settings: HostSettings = {}): Promise<void> {
    mkdirSync(this.#go);
    this.#host = await startHost({ folder: this.folder, flags: ['--live-restore'], ...settings });
    await importBusybox(this.host);
  }

  /** Another host on the same data root; the one before must have ended. */
  async change(flags: readonly string[]): Promise<void> {
    this.#host = await startHost({ folder: this.folder, flags });
  }

  async clear(): Promise<void> {
    const { body } = await this.ask('GET', '/containers/json?all=1');
    // Parsed from the host's own answer.
    const ids = (JSON.parse(body) as { Id: string }[]).map(({ Id }) => Id);
    await Promise.all(ids.map((id) => this.ask('DELETE', `/containers/${id}?force=1&v=1`)));
  }

  async close(): Promise<void> {
    await this.host[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }

  /** A request to the API, without the time that a command takes to start. */
  async ask(method: string, path: string, json?: unknown): Promise<{ status: number; body: string }> {
    const headers = { 'Content-Type': 'application/json' };
    const asked = request({ socketPath: this.host.socket, method, path, headers }).end(json && JSON.stringify(json));
    const [response] = await once(asked, 'response');
    let body = '';
    for await (const chunk of response) body += chunk;
    return { status: response.statusCode, body };
  }

  async inspect(name: string) {
    return JSON.parse((await this.ask('GET', `/containers/${name}/json`)).body);
  }

  async state(name: string): Promise<string> {
    const { State, RestartCount } = await this.inspect(name);
    return `${State.Status} ${State.ExitCode} ${State.OOMKilled ? 'oom ' : ''}${RestartCount}`;
  }

  /** The log, without the headers of the frames, which may be cut anywhere. */
  async log(name: string): Promise<string> {
    const { body } = await this.ask('GET', `/containers/${name}/logs?stdout=1&stderr=1`);
    return body.replaceAll(/[\x01\x02]\0\0\0[\s\S]{4}/g, '');
  }

  /** Runs a container without a network, by the API. */
  async start(name: string, script: string, settings: Settings = {}): Promise<void> {
    await this.create(name, script, settings);
    const { status, body } = await this.ask('POST', `/containers/${name}/start`);
    assert.equal(status, 204, body);
  }

  async create(name: string, script: string, { HostConfig, ...config }: Settings = {}): Promise<void> {
    const { status, body } = await this.ask('POST', `/containers/create?name=${name}`, {
      Image: 'busybox',
      Cmd: ['sh', '-c', script],
      HostConfig: { NetworkMode: 'none', Binds: [`${this.#go}:/go:ro`], ...HostConfig },
      ...config,
    });
    assert.equal(status, 201, body);
  }

  /** Runs a container by the command. */
  run(name: string, flags: readonly string[], script: string): Promise<string> {
    return this.host.ok(['run', '-d', '--name', name, ...flags, 'busybox', 'sh', '-c', script]);
  }

  say(word: string): void {
    writeFileSync(join(this.#go, word), '');
  }

  /** Ends the host, lets containers that wait for `word` go on and those of `ending` end, and starts it again. */
  async absence(signal: NodeJS.Signals, word: string, ending: readonly number[] = []): Promise<void> {
    await this.host.stop(signal);
    this.say(word);
    await until(() => ending.every((pid) => !existsSync(`/proc/${pid}/exe`)));
    await this.host.restart();
  }

  async type(name: string, text: string): Promise<void> {
    (await this.#join(`/containers/${name}/attach?stdin=1&stream=1`)).end(text);
  }

  /** Starts an exec with a client that is attached until the host goes; its ID. */
  async exec(name: string, script: string, Tty = false): Promise<string> {
    const exec = { Cmd: ['sh', '-c', script], AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty };
    const { Id } = JSON.parse((await this.ask('POST', `/containers/${name}/exec`, exec)).body);
    await this.#join(`/exec/${Id}/start`, { Tty });
    await until(async () => (await this.execState(Id)).Pid > 0);
    return Id;
  }

  async execState(id: string): Promise<{ Running: boolean; ExitCode: number | null; Pid: number }> {
    const { Running, ExitCode, Pid } = JSON.parse((await this.ask('GET', `/exec/${id}/json`)).body);
    return { Running, ExitCode, Pid };
  }

  async #join(path: string, json?: unknown): Promise<Socket> {
    const headers = { Connection: 'Upgrade', Upgrade: 'tcp', 'Content-Type': 'application/json' };
    const asked = request({ socketPath: this.host.socket, method: 'POST', path, headers });
    asked.end(json && JSON.stringify(json));
    const [, socket]: [unknown, Socket] = (await once(asked, 'upgrade')) as never; // (response, socket, head)
    socket.on('error', () => {}); // of a host that was killed
    return socket.resume();
  }
}

const waitFor = (word: string) => `while [ ! -e /go/${word} ]; do sleep 0.05; done`;

// Each has hosts of its own, and they wait much.
describe('live restore', { concurrency: true }, () => {
  for (const runtime of ['crun', 'runc'] as const)
    describe(`containers of ${runtime}`, { concurrency: 1 }, () => {
      const rig = new Rig();
      let view: ChildProcess;
      before(async () => {
        // Hosts that follow each other in one mount namespace, in which only this runtime is to be found.
        const hidden = runtime === 'crun' ? 'runc' : 'crun';
        const hide = `for f in $(command -v ${hidden}); do mount --bind /dev/null $f; done; echo ready; exec sleep 31340`;
        view = spawn('unshare', ['-m', 'sh', '-c', hide], { stdio: ['ignore', 'pipe', 'inherit'] });
        await new Promise((resolve) => view.stdout?.once('data', resolve));
        await rig.open({ through: ['nsenter', '-m', '-t', String(view.pid)] });
        const told = await rig.host.ok(['info', '--format', '{{.DefaultRuntime}} {{.LiveRestoreEnabled}}']);
        assert.equal(told, `${runtime} true`);
      });
      afterEach(() => rig.clear());
      after(async () => {
        await rig.close();
        view.kill('SIGKILL');
      });

      test('what runs goes on, with all that it writes, and can be used as before', async () => {
        await Promise.all([
          rig.start(
            'writer',
            `echo one; ${waitFor('a')}; echo two; printf three; ${waitFor('b')}; echo; ${waitFor('c')}; exit 5`,
          ),
          rig.start('many', `${waitFor('a')}; seq 1 50000; exec sleep 31338`),
          rig.start(
            'screen',
            `stty -echo; echo one; ${waitFor('a')}; echo two; read line; echo got $line; stty size; ${waitFor('c')}`,
            { Tty: true, OpenStdin: true },
          ),
          rig.start('reader', 'while read line; do echo got $line; done', { OpenStdin: true }),
          rig.start('halted', 'exec sleep 31338'),
        ]);
        await rig.ask('POST', '/containers/halted/pause');
        await until(async () => (await rig.log('writer')) === 'one\n' && (await rig.log('screen')) === 'one\r\n');
        const { Pid, StartedAt } = (await rig.inspect('writer')).State;
        // Nobody reads what it writes; it is not held up by that, nor by an input that nobody will write.
        const worker = await rig.exec('reader', `${waitFor('a')}; seq 1 200000; cat; ${waitFor('c')}; exit 7`);
        const shell = await rig.exec('reader', `${waitFor('c')}; tty; exit 8`, true);
        const begun = await Promise.all([rig.execState(worker), rig.execState(shell)]);
        await rig.absence('SIGKILL', 'a');
        assert.deepEqual(await Promise.all([rig.execState(worker), rig.execState(shell)]), begun);
        assert.deepEqual((await rig.inspect('reader')).ExecIDs.sort(), [worker, shell].sort());
        assert.equal((await rig.ask('POST', `/exec/${worker}/start`, {})).status, 409);

        const { State } = await rig.inspect('writer');
        assert.deepEqual({ Pid: State.Pid, StartedAt: State.StartedAt }, { Pid, StartedAt });
        assert.equal(await rig.state('writer'), 'running 0 0');
        const all = Array.from({ length: 50_000 }, (_, at) => `${at + 1}\n`).join('');
        await until(async () => (await rig.log('many')).length >= all.length);
        assert.equal(await rig.log('many'), all);
        await until(async () => (await rig.log('writer')) === 'one\ntwo\n');
        // A line that was begun is not lost when the host is told to stop.
        await rig.absence('SIGTERM', 'b');
        await until(async () => (await rig.log('writer')) === 'one\ntwo\nthree\n');

        assert.equal(await rig.state('halted'), 'paused 0 0');
        await rig.ask('POST', '/containers/halted/unpause');
        assert.equal(await rig.host.ok(['exec', 'halted', 'echo', 'works']), 'works');
        const stats = JSON.parse((await rig.ask('GET', '/containers/halted/stats?stream=0&one-shot=1')).body);
        assert.equal(stats.pids_stats.current, 1);
        await rig.type('reader', 'hello\n');
        await until(async () => (await rig.log('reader')) === 'got hello\n');
        assert.equal((await rig.ask('POST', '/containers/screen/resize?h=33&w=77')).status, 200);
        await rig.type('screen', 'typed\n');
        await until(async () => (await rig.log('screen')) === 'one\r\ntwo\r\ngot typed\r\n33 77\r\n');

        const ended = rig.host.strake(['wait', 'writer', 'screen']);
        rig.say('c');
        assert.equal((await ended).stdout, '5\n0\n');
        await until(async () => !(await rig.execState(worker)).Running && !(await rig.execState(shell)).Running);
        assert.deepEqual([(await rig.execState(worker)).ExitCode, (await rig.execState(shell)).ExitCode], [7, 8]);
        await rig.ask('POST', '/containers/many/stop?t=0');
        assert.equal(await rig.state('many'), 'exited 137 0');
        await rig.host.ok(['start', 'many']);
        assert.equal(await rig.state('many'), 'running 0 0');
        const { body } = await rig.ask('POST', '/containers/reader/restart?t=0');
        assert.equal(body, '');
        assert.equal(await rig.state('reader'), 'running 0 0');
      });

      test('ends that no host saw are known, with output, code and time', async () => {
        const small = { HostConfig: { Memory: 8 << 20, MemorySwap: 8 << 20 } };
        await Promise.all([
          rig.start('seven', `${waitFor('d')}; echo last words; exit 7`),
          rig.start('killed', 'exec sleep 31338'),
          rig.start('screened', `${waitFor('d')}; echo last words; exit 8`, { Tty: true }),
          rig.start('thrown', `${waitFor('d')}; exit 1`, {
            HostConfig: { AutoRemove: true },
            Volumes: { '/volume': {} },
          }),
          rig.start('again', `${waitFor('d')}; test -e /gone && exec sleep 31338; touch /gone; exit 9`, {
            HostConfig: { RestartPolicy: { Name: 'always' } },
          }),
          rig.start('hungry', `${waitFor('d')}; exec tail /dev/zero`, small),
        ]);
        await rig.start('stays', 'exec sleep 31338');
        const names = ['seven', 'killed', 'screened', 'thrown', 'again', 'hungry'];
        const pids: number[] = await Promise.all(names.map(async (name) => (await rig.inspect(name)).State.Pid));
        const execs = await Promise.all([
          rig.exec('stays', `${waitFor('d')}; echo last words; exit 5`),
          rig.exec('stays', `${waitFor('d')}; exit 6`, true),
          rig.exec('killed', 'exec sleep 31338'),
        ]);
        for (const exec of execs) pids.push((await rig.execState(exec)).Pid);
        await rig.host.stop('SIGKILL');
        process.kill(pids[1] ?? 0, 'SIGKILL');
        const before = Date.now();
        await rig.absence('SIGKILL', 'd', pids);
        const codes = [5, 6, 137].map((ExitCode) => ({ Running: false, ExitCode, Pid: 0 }));
        assert.deepEqual(await Promise.all(execs.map((exec) => rig.execState(exec))), codes);
        assert.equal(await rig.state('seven'), 'exited 7 0');
        assert.equal(await rig.log('seven'), 'last words\n');
        const finished = Date.parse((await rig.inspect('seven')).State.FinishedAt);
        assert.ok(finished >= before - 1000 && finished <= Date.now(), `${finished} ${before}`);
        assert.equal(await rig.state('killed'), 'exited 137 0');
        assert.equal(await rig.state('screened'), 'exited 8 0');
        assert.equal(await rig.log('screened'), 'last words\r\n');
        assert.equal(await rig.state('hungry'), 'exited 137 oom 0');
        await until(async () => (await rig.state('again')) === 'running 0 1');
        await until(async () => (await rig.ask('GET', '/containers/thrown/json')).status === 404);
        assert.equal(await rig.host.ok(['volume', 'ls', '-q']), '');
      });
    });

  describe('hosts that follow each other', { concurrency: 1 }, () => {
    const rig = new Rig();
    before(() => rig.open());
    afterEach(() => rig.clear());
    after(() => rig.close());

    test('networks, names, published ports and health go on', async () => {
      const port = await freePort();
      await rig.host.ok(['network', 'create', '--ipv6', 'back']);
      await rig.host.ok(['network', 'create', 'late']);
      const web = 'mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www';
      const publish = ['-p', `127.0.0.1:${port}:80`, '-p', '80'];
      await rig.run('web', ['--network', 'back', '--network-alias', 'shop', ...publish], web);
      await rig.run('peer', ['--network', 'back'], 'exec sleep 31338');
      await Promise.all([
        rig.run('rider', ['--network', 'container:web'], 'exec sleep 31338'),
        rig.run('plain', ['-p', '80'], web),
        rig.run('well', ['--network', 'none', '--health-cmd', 'true', '--health-interval', '0.1s'], 'exec sleep 31338'),
        rig.run('open', ['--network', 'host'], 'exec sleep 31338'),
        rig.host.ok(['network', 'connect', 'late', 'peer']),
      ]);
      await until(async () => (await rig.inspect('well')).State.Health.Status === 'healthy');
      const networks = async (name: string) => {
        const { Networks, Ports } = (await rig.inspect(name)).NetworkSettings;
        return { Networks, Ports };
      };
      const names = ['web', 'peer', 'rider', 'plain', 'well', 'open'];
      const before = await Promise.all(names.map(networks));
      const curl = async (to: number | string) =>
        (await run('curl', ['-sS', '-m', '5', `http://127.0.0.1:${to}/`])).stdout;
      /** From where a container is. */
      const inside = async (name: string, url: string) => {
        const { Pid } = (await rig.inspect(name)).State;
        return (await run('nsenter', ['-n', '-t', String(Pid), 'curl', '-sS', '-m', '5', url])).stdout;
      };
      const free = (before[0]?.Ports['80/tcp'] ?? []).map(({ HostPort }: { HostPort: string }) => HostPort).at(-1);
      for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
        await rig.absence(signal, 'never');
        assert.deepEqual(await Promise.all(names.map(networks)), before);
        assert.equal((await rig.inspect('well')).State.Health.Status, 'healthy');
        assert.equal(await curl(port), 'page\n');
        assert.equal(await curl(free), 'page\n');
        assert.equal(await curl(before[3]?.Ports['80/tcp'][0].HostPort), 'page\n');
        const asked = await rig.host.ok(['exec', 'peer', 'nslookup', 'shop']);
        const { IPAddress = '', GlobalIPv6Address = '' } = before[0]?.Networks.back ?? {};
        assert.ok(asked.includes(IPAddress) && asked.includes(GlobalIPv6Address), asked);
        assert.equal(await inside('peer', `http://${IPAddress}/`), 'page\n');
        assert.equal(await inside('rider', 'http://127.0.0.1/'), 'page\n');
      }
      // New ones find them, get other addresses, and the port is taken.
      await rig.host.ok(['network', 'disconnect', 'late', 'peer']);
      assert.match(
        await rig.host.ok(['run', '--rm', '--network', 'back', 'busybox', 'nslookup', 'web']),
        /Name:\s+web/,
      );
      const refused = await rig.host.strake(['run', '--rm', '-p', `127.0.0.1:${port}:80`, 'busybox', 'true']);
      assert.match(refused.stderr, /port is already allocated/);
      await rig.host.ok(['rm', '-f', 'web']);
      await rig.host.ok(['run', '--rm', '-p', `127.0.0.1:${port}:80`, 'busybox', 'true']);
      assert.equal((await rig.ask('DELETE', '/containers/peer?force=1')).status, 204);
      await rig.host.ok(['network', 'rm', 'back', 'late']);
    });

    test('the keeper killed: containers go on, how they end is unknown, new ones have another keeper', async () => {
      await rig.start('orphan', `echo one; ${waitFor('e')}; echo two; exit 3`);
      const [keeper = ''] = leftovers(`keeper.js /run/strake/${runName(rig.host.dataRoot)}`);
      process.kill(Number(/process (\d+)/.exec(keeper)?.[1]), 'SIGKILL');
      await rig.create('next', `${waitFor('f')}; exit 4`);
      // It takes the host a moment to learn of it.
      await until(async () => (await rig.ask('POST', '/containers/next/start')).status === 204);
      assert.equal(await rig.state('orphan'), 'running 0 0');
      rig.say('e');
      await until(async () => (await rig.state('orphan')) === 'exited 255 0');
      assert.equal(await rig.log('orphan'), 'one\ntwo\n');
      const { Pid } = (await rig.inspect('next')).State;
      await rig.absence('SIGKILL', 'f', [Pid]);
      assert.equal(await rig.state('next'), 'exited 4 0');
    });

    test('a host without the option stops what the one before has left, and starts what is to be restarted', async () => {
      const handled = 'trap "echo stopping; exit 6" TERM; while true; do sleep 0.05; done';
      await rig.start('polite', `echo ready; ${handled}`);
      await rig.start('always', `echo ready; ${handled}`, {
        HostConfig: { RestartPolicy: { Name: 'unless-stopped' } },
      });
      await rig.start('thrown', `echo ready; ${handled}`, { HostConfig: { AutoRemove: true } });
      for (const name of ['polite', 'always', 'thrown']) await until(async () => (await rig.log(name)) === 'ready\n');
      const exec = await rig.exec('polite', 'exec sleep 31338');
      await rig.host.stop('SIGKILL');
      await rig.change([]);
      assert.equal(await rig.state('polite'), 'exited 6 0');
      assert.equal((await rig.ask('GET', `/exec/${exec}/json`)).status, 404);
      assert.equal(await rig.log('polite'), 'ready\nstopping\n');
      assert.equal((await rig.ask('GET', '/containers/thrown/json')).status, 404);
      await until(async () => (await rig.state('always')) === 'running 0 0');
      await until(async () => (await rig.log('always')) === 'ready\nstopping\nready\n');
      assert.deepEqual(leftovers(`keeper.js /run/strake/${runName(rig.host.dataRoot)}`), []);
      // Stopped in order it stops them too.
      await rig.host.stop();
      await rig.host.restart();
      assert.equal(await rig.log('always').then((text) => text.split('stopping').length), 3);
    });
  });
});

/** The folder of a host in /run/strake. */
function runName(dataRoot: string): string {
  return createHash('sha256').update(dataRoot).digest('hex').slice(0, 12);
}
