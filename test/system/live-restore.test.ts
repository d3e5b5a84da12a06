/** Containers that survive their host: `strake host --live-restore`, killed with -9 or stopped, by both OCI runtimes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { importBusybox, startHost, type TestHost, until } from './harness.ts';

for (const runtime of ['crun', 'runc'] as const)
  describe(`containers of ${runtime}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'strake-live-'));
    const go = join(folder, 'go');
    let view: ChildProcess;
    let host: TestHost;
    before(async () => {
      mkdirSync(go);
      // Hosts that follow each other in one mount namespace, in which only this runtime is to be found.
      const hidden = runtime === 'crun' ? 'runc' : 'crun';
      const hide = `for f in $(command -v ${hidden}); do mount --bind /dev/null $f; done; echo ready; exec sleep 31340`;
      view = spawn('unshare', ['-m', 'sh', '-c', hide], { stdio: ['ignore', 'pipe', 'inherit'] });
      await new Promise((resolve) => view.stdout?.once('data', resolve));
      host = await startHost({ folder, flags: ['--live-restore'], through: ['nsenter', '-m', '-t', String(view.pid)] });
      await importBusybox(host);
      assert.equal(
        await host.ok(['info', '--format', '{{.DefaultRuntime}} {{.LiveRestoreEnabled}}']),
        `${runtime} true`,
      );
    });
    afterEach(async () => {
      const { body } = await ask('GET', '/containers/json?all=1');
      // Parsed from the host's own answer.
      const ids = (JSON.parse(body) as { Id: string }[]).map(({ Id }) => Id);
      await Promise.all(ids.map((id) => ask('DELETE', `/containers/${id}?force=1&v=1`)));
    });
    after(async () => {
      await host[Symbol.asyncDispose]();
      view.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    });

    /** A request to the API, without the time that a command takes to start. */
    const ask = async (method: string, path: string): Promise<{ status: number; body: string }> => {
      const asked = request({ socketPath: host.socket, method, path }).end();
      const [response] = await once(asked, 'response');
      let body = '';
      for await (const chunk of response) body += chunk;
      return { status: response.statusCode, body };
    };
    const inspect = async (name: string) => JSON.parse((await ask('GET', `/containers/${name}/json`)).body);
    const state = async (name: string) => {
      const { State, RestartCount } = await inspect(name);
      return `${State.Status} ${State.ExitCode} ${State.OOMKilled ? 'oom ' : ''}${RestartCount}`;
    };
    /** The log, without the headers of the frames, which may be cut anywhere. */
    const log = async (name: string) => {
      const { body } = await ask('GET', `/containers/${name}/logs?stdout=1&stderr=1`);
      return body.replaceAll(/[\x01\x02]\0\0\0[\s\S]{4}/g, '');
    };
    const start = (name: string, flags: readonly string[], script: string) =>
      host.ok(['run', '-d', '--name', name, '-v', `${go}:/go:ro`, ...flags, 'busybox', 'sh', '-c', script]);
    const waitFor = (word: string) => `while [ ! -e /go/${word} ]; do sleep 0.05; done`;
    /** Ends the host, lets containers that wait for `word` go on and those of `ending` end, and starts it again. */
    const absence = async (signal: NodeJS.Signals, word: string, ending: readonly number[] = []) => {
      await host.stop(signal);
      writeFileSync(join(go, word), '');
      await until(() => ending.every((pid) => !existsSync(`/proc/${pid}/exe`)));
      await host.restart();
    };
    const type = async (name: string, text: string) => {
      const headers = { Connection: 'Upgrade', Upgrade: 'tcp' };
      const path = `/containers/${name}/attach?stdin=1&stream=1`;
      const asked = request({ socketPath: host.socket, method: 'POST', path, headers }).end();
      const [, socket]: [unknown, Socket] = (await once(asked, 'upgrade')) as never; // (response, socket, head)
      socket.end(text);
      socket.resume();
    };

    test('what runs goes on, with all that it writes, and can be used as before', async () => {
      await Promise.all([
        start(
          'writer',
          [],
          `echo one; ${waitFor('a')}; echo two; printf three; ${waitFor('b')}; echo; ${waitFor('c')}; exit 5`,
        ),
        start('many', [], `${waitFor('a')}; seq 1 5000; exec sleep 31338`),
        start(
          'screen',
          ['-ti'],
          `stty -echo; echo one; ${waitFor('a')}; echo two; read line; echo got $line; stty size; ${waitFor('c')}`,
        ),
        start('reader', ['-i'], 'while read line; do echo got $line; done'),
        start('halted', [], 'exec sleep 31338'),
      ]);
      await ask('POST', '/containers/halted/pause');
      await until(async () => (await log('writer')) === 'one\n' && (await log('screen')) === 'one\r\n');
      const { Pid, StartedAt } = (await inspect('writer')).State;
      await absence('SIGKILL', 'a');

      const { State } = await inspect('writer');
      assert.deepEqual({ Pid: State.Pid, StartedAt: State.StartedAt }, { Pid, StartedAt });
      assert.equal(await state('writer'), 'running 0 0');
      const all = Array.from({ length: 5000 }, (_, at) => `${at + 1}\n`).join('');
      await until(async () => (await log('many')).length >= all.length);
      assert.equal(await log('many'), all);
      await until(async () => (await log('writer')) === 'one\ntwo\n');
      // A line that was begun is not lost when the host is told to stop.
      await absence('SIGTERM', 'b');
      await until(async () => (await log('writer')) === 'one\ntwo\nthree\n');

      assert.equal(await state('halted'), 'paused 0 0');
      await ask('POST', '/containers/halted/unpause');
      assert.equal(await host.ok(['exec', 'halted', 'echo', 'works']), 'works');
      const stats = JSON.parse((await ask('GET', '/containers/halted/stats?stream=0&one-shot=1')).body);
      assert.equal(stats.pids_stats.current, 1);
      await type('reader', 'hello\n');
      await until(async () => (await log('reader')) === 'got hello\n');
      assert.equal((await ask('POST', '/containers/screen/resize?h=33&w=77')).status, 200);
      await type('screen', 'typed\n');
      await until(async () => (await log('screen')) === 'one\r\ntwo\r\ngot typed\r\n33 77\r\n');

      const ended = host.strake(['wait', 'writer', 'screen']);
      writeFileSync(join(go, 'c'), '');
      assert.equal((await ended).stdout, '5\n0\n');
      await ask('POST', '/containers/many/stop?t=0');
      assert.equal(await state('many'), 'exited 137 0');
      await host.ok(['start', 'many']);
      assert.equal(await state('many'), 'running 0 0');
      const { body } = await ask('POST', '/containers/reader/restart?t=0');
      assert.equal(body, '');
      assert.equal(await state('reader'), 'running 0 0');
    });

    test('ends that no host saw are known, with output, code and time', async () => {
      const small = ['-m', '8m', '--memory-swap', '8m'];
      await Promise.all([
        start('seven', [], `${waitFor('d')}; echo last words; exit 7`),
        start('killed', [], 'exec sleep 31338'),
        start('screened', ['-t'], `${waitFor('d')}; echo last words; exit 8`),
        start('thrown', ['--rm', '-v', '/volume'], `${waitFor('d')}; exit 1`),
        start(
          'again',
          ['--restart', 'always'],
          `${waitFor('d')}; test -e /gone && exec sleep 31338; touch /gone; exit 9`,
        ),
        start('hungry', small, `${waitFor('d')}; exec tail /dev/zero`),
      ]);
      const names = ['seven', 'killed', 'screened', 'thrown', 'again', 'hungry'];
      const pids: number[] = await Promise.all(names.map(async (name) => (await inspect(name)).State.Pid));
      await host.stop('SIGKILL');
      process.kill(pids[1] ?? 0, 'SIGKILL');
      const before = Date.now();
      await absence('SIGKILL', 'd', pids);
      assert.equal(await state('seven'), 'exited 7 0');
      assert.equal(await log('seven'), 'last words\n');
      const finished = Date.parse((await inspect('seven')).State.FinishedAt);
      assert.ok(finished >= before - 1000 && finished <= Date.now(), `${finished} ${before}`);
      assert.equal(await state('killed'), 'exited 137 0');
      assert.equal(await state('screened'), 'exited 8 0');
      assert.equal(await log('screened'), 'last words\r\n');
      assert.equal(await state('hungry'), 'exited 137 oom 0');
      await until(async () => (await state('again')) === 'running 0 1');
      await until(async () => (await ask('GET', '/containers/thrown/json')).status === 404);
      assert.equal(await host.ok(['volume', 'ls', '-q']), '');
    });
  });
