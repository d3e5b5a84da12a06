/** `docker compose` (v2) drives a host: one project with what projects use, and the commands on it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { importBusybox, type Result, run, startHost, type TestHost, until } from './harness.ts';
import { NEWER_DOCKER, pluginConfig, withoutNewerClients } from './newer-clients.ts';
import { talkOnTerminal } from './on-terminal.ts';

const PROJECT = `name: shop
services:
  db:
    image: busybox
    init: true
    command: [sh, -c, "touch /ready; exec sleep 1000"]
    healthcheck: { test: [CMD, test, -f, /ready], interval: 30s, start_period: 20s, start_interval: 200ms }
    volumes: ["data:/var/lib/db"]
    networks: { back: { aliases: [store], ipv4_address: 10.221.44.10 } }
    secrets: [password]
    ulimits: { nofile: { soft: 1000, hard: 2000 } }
    logging: { driver: json-file, options: { max-size: 1m, max-file: "2" } }
    deploy: { resources: { limits: { cpus: "0.5", memory: 64M, pids: 50 } } }
    restart: unless-stopped
    stop_grace_period: 1s
  migrate:
    image: busybox
    command: sh -c "echo migrated > /var/lib/db/state; echo done"
    volumes: ["data:/var/lib/db"]
    networks: [back]
    depends_on: { db: { condition: service_healthy } }
  web:
    image: busybox
    hostname: webhost
    command: sh -c "cat /data/state > /www/index.html; exec httpd -f -p 80 -h /www"
    env_file: [web.env]
    environment: { SHARED: stated, WHO: web }
    ports: ["127.0.0.1::80"]
    networks: { front: {}, back: {} }
    depends_on: { migrate: { condition: service_completed_successfully } }
    configs: [{ source: app, target: /etc/app.conf }]
    extra_hosts: ["outer:10.1.2.3", "gate:host-gateway"]
    tmpfs: ["/www:size=1m"]
    stop_signal: SIGKILL
    volumes:
      - { type: bind, source: ./files, target: /files, read_only: true }
      - { type: tmpfs, target: /cache, tmpfs: { size: 1048576 } }
      - { type: volume, source: data, target: /data, volume: { nocopy: true } }
  side:
    image: busybox
    init: true
    command: sleep 1000
    network_mode: "service:web"
    depends_on: [web]
  worker:
    image: busybox
    init: true
    command: sh -c "echo started; exec sleep 1000"
    networks: [back]
    deploy: { replicas: 2 }
  extra:
    image: busybox
    init: true
    profiles: [more]
    command: sleep 1000
    networks: [front]
networks:
  front:
  back: { internal: true, ipam: { config: [{ subnet: 10.221.44.0/24, ip_range: 10.221.44.128/25 }] } }
volumes: { data: { labels: { keep: "no" } } }
secrets: { password: { file: files/password } }
configs: { app: { file: files/app.conf } }
`;

let host: TestHost;
let folder: string;
let env: Record<string, string>;
before(async () => {
  host = await startHost();
  await importBusybox(host);
  folder = mkdtempSync(join(host.folder, 'shop-'));
  mkdirSync(join(folder, 'files'));
  writeFileSync(join(folder, 'compose.yaml'), PROJECT);
  writeFileSync(join(folder, 'web.env'), 'FROM_FILE=yes\nSHARED=file\n');
  writeFileSync(join(folder, 'files/password'), 'secret\n');
  writeFileSync(join(folder, 'files/app.conf'), 'mode=test\n');
  if (!withoutNewerClients) env = { DOCKER_HOST: `unix://${host.socket}`, DOCKER_CONFIG: pluginConfig(host.folder) };
});
after(() => host[Symbol.asyncDispose]());

const tryCompose = (...args: string[]): Promise<Result> =>
  run(NEWER_DOCKER, ['compose', ...args], { cwd: folder, env, timeout: 60_000 });

/** With exit code 0 expected; its stdout without the last newline. */
async function compose(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryCompose(...args);
  assert.equal(code, 0, `compose ${args.join(' ')}: exit ${code}\n${stdout}\n${stderr}\n${host.log().slice(-2000)}`);
  return stdout.replace(/\n$/, '');
}

const states = async () => (await compose('ps', '-a', '--format', '{{.Name}} {{.State}}')).split('\n').sort();
const idsOf = async (service: string) => (await compose('ps', '-aq', service)).split('\n').sort();

test('docker compose', { skip: withoutNewerClients }, async (t) => {
  await t.test('up: conditions are waited for, networks, volumes and files are there', async () => {
    await compose('up', '-d', '--wait');
    assert.deepEqual(await states(), [
      'shop-db-1 running',
      'shop-migrate-1 exited',
      'shop-side-1 running',
      'shop-web-1 running',
      'shop-worker-1 running',
      'shop-worker-2 running',
    ]);
    assert.equal(await compose('ps', 'db', '--format', '{{.Health}}'), 'healthy');
    const address = await compose('port', 'web', '80');
    assert.match(address, /^127\.0\.0\.1:\d+$/);
    assert.equal((await run('curl', ['-fsS', `http://${address}/`])).stdout, 'migrated\n');
    const seen =
      'cat /etc/app.conf /files/password; env; grep -E "outer|gate" /etc/hosts; touch /files/x; ls -d /cache';
    const web = await compose('exec', '-T', 'web', 'sh', '-c', `exec 2>&1; ${seen}`);
    assert.match(web, /^mode=test\nsecret\n[\s\S]*\/files\/x: Read-only file system\n\/cache$/);
    assert.match(web, /^FROM_FILE=yes$/m);
    assert.match(web, /^SHARED=stated$/m);
    assert.match(web, /^10\.1\.2\.3\touter$/m);
    assert.match(web, /^(?!127)[\d.]+\tgate$/m);
    const wget = 'wget -q -O - http://localhost/; hostname; nslookup store 2>&1';
    const side = await compose('exec', '-T', 'side', 'sh', '-c', wget);
    assert.match(side, /^migrated\nwebhost\n[\s\S]*10\.221\.44\.10/);
    const limits =
      '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{(index .HostConfig.Ulimits 0).Soft}}';
    assert.equal(await host.inspect('shop-db-1', limits), '67108864 500000000 50 1000');
    assert.equal(await compose('exec', '-T', 'db', 'cat', '/run/secrets/password'), 'secret');
  });

  await t.test('ls, images, top, logs, cp, events', async () => {
    assert.match(await compose('ls', '-a'), /^shop +exited\(1\), running\(5\) +\/.*compose\.yaml$/m);
    assert.equal((await compose('images', '-q')).split('\n').length, 1);
    assert.match(await compose('top', 'db'), /docker-init -- sh -c touch/);
    assert.match(await compose('logs', '--no-color', 'migrate'), /migrate-1 +\| done$/);
    await compose('cp', 'files/app.conf', 'web:/cache/');
    await compose('cp', 'web:/etc/app.conf', 'got');
    assert.equal(readFileSync(join(folder, 'got'), 'utf8'), 'mode=test\n');
    assert.match((await tryCompose('cp', 'web:/nosuch', '.')).stderr, /Could not find the file \/nosuch in container/);
    assert.equal((await tryCompose('port', 'web', '81')).code, 1);
    const events = await host.docker(['events', '--since', '10m', '--until', '0s', '--format', '{{.Action}}']);
    assert.match(events.stdout, /^health_status: healthy$/m);
  });

  await t.test('exec and run pass exit codes, on terminals too', async () => {
    assert.equal((await tryCompose('exec', '-T', 'db', 'sh', '-c', 'exit 7')).code, 7);
    const ran = await tryCompose('run', '--rm', '-T', '-e', 'WHO=me', 'web', 'sh', '-c', 'echo $WHO $SHARED; exit 3');
    assert.deepEqual([ran.code, ran.stdout], [3, 'me stated\n']);
    const onTerminal = (...args: string[]) => {
      const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      const words = ['env', '-C', folder, ...variables, NEWER_DOCKER, 'compose', ...args];
      return talkOnTerminal(host, words, [{ expect: '# ', send: 'stty size; exit 5\n' }]);
    };
    const talked = await onTerminal('exec', 'db', 'sh');
    assert.match(talked.seen, /30 100/);
    assert.equal(talked.code, 5);
    assert.equal((await onTerminal('run', '--rm', '--no-deps', 'worker', 'sh')).code, 5);
  });

  await t.test('pause, kill, stop, start, restart, rm, scale', async () => {
    await compose('pause', 'worker');
    assert.ok((await states()).includes('shop-worker-2 paused'));
    assert.match((await tryCompose('pause', 'worker')).stderr, /is already paused/);
    await compose('unpause', 'worker');
    await compose('kill', '-s', 'TERM', 'worker');
    const { code } = await tryCompose('wait', 'worker');
    assert.ok(code === 143 || code === 1, `exit ${code}: of the process, or the container has ended already`);
    await compose('start', 'worker');
    await compose('restart', '-t', '0', 'side');
    await compose('stop', '-t', '0', 'web');
    assert.ok((await states()).includes('shop-web-1 exited'));
    await compose('up', '-d', '--scale', 'worker=1', 'web', 'worker');
    await compose('rm', '-fs', 'migrate');
    assert.deepEqual(await states(), [
      'shop-db-1 running',
      'shop-side-1 running',
      'shop-web-1 running',
      'shop-worker-1 running',
    ]);
  });

  await t.test('up again makes anew what has changed, and nothing else', async () => {
    const [db, worker] = [await idsOf('db'), await idsOf('worker')];
    writeFileSync(
      join(folder, 'compose.yaml'),
      PROJECT.replace('replicas: 2', 'replicas: 1').replace('echo started', 'echo changed'),
    );
    await compose('up', '-d', '-t', '0', 'db', 'worker');
    assert.deepEqual(await idsOf('db'), db);
    assert.notDeepEqual(await idsOf('worker'), worker);
    await compose('up', '-d', '-t', '0', '--force-recreate', '--no-deps', 'db');
    assert.notDeepEqual(await idsOf('db'), db);
    assert.equal(await compose('exec', '-T', 'db', 'cat', '/var/lib/db/state'), 'migrated');
  });

  await t.test('down takes everything, what the file has no more too', async () => {
    await compose('--profile', 'more', 'up', '-d', '--no-deps', 'extra');
    writeFileSync(join(folder, 'compose.yaml'), PROJECT.replace(/ {2}worker:[\s\S]*(?= {2}extra:)/, ''));
    await compose('--profile', 'more', 'down', '-v', '--remove-orphans', '-t', '0');
    assert.equal(await host.ok(['ps', '-aq']), '');
    assert.equal(await host.ok(['volume', 'ls', '-q']), '');
    assert.equal(await host.ok(['network', 'ls', '-q', '--filter', 'type=custom']), '');
  });

  await t.test('up in the foreground ends with its service', async () => {
    writeFileSync(
      join(folder, 'compose.yaml'),
      'name: one\nservices: { one: { image: busybox, command: sh -c "echo hi; exit 4" } }\n',
    );
    const { code, stdout } = await tryCompose('up', '--no-color', '--exit-code-from', 'one');
    assert.equal(code, 4);
    assert.match(stdout, /one-1 +\| hi\n/);
    await compose('down');
  });

  await t.test('attach passes input and exit code, watch what changes, stats and events tell of it', async () => {
    const app = join(folder, 'app');
    mkdirSync(app);
    writeFileSync(join(app, 'page'), 'first\n');
    writeFileSync(join(app, 'Dockerfile'), 'FROM busybox\nCOPY page /www/\n');
    writeFileSync(
      join(folder, 'compose.yaml'),
      `name: dev
services:
  echo: { image: busybox, stdin_open: true, command: sh -c 'read line; echo "got $$line"; exit 5' }
  web:
    build: app
    command: sleep 1000
    stop_signal: SIGKILL
    develop: { watch: [{ action: sync, path: ./app, target: /www }] }
`,
    );
    await compose('up', '-d', '--build');
    const attached = await run(NEWER_DOCKER, ['compose', 'attach', 'echo'], { cwd: folder, env, input: 'hello\n' });
    assert.deepEqual([attached.stdout, attached.code], ['got hello\n', 5]);
    assert.equal(JSON.parse(await compose('stats', '--no-stream', '--format', 'json', 'web')).Name, 'dev-web-1');
    const follow = (...args: string[]) =>
      spawn(NEWER_DOCKER, ['compose', ...args], {
        cwd: folder,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    const events = follow('events', '--json', 'web');
    const watch = follow('watch', '--no-up');
    try {
      let told = '';
      watch.stdout.on('data', (text) => (told += text));
      watch.stderr.on('data', (text) => (told += text));
      let seen = '';
      events.stdout.on('data', (text) => (seen += text));
      await until(() => /watch/i.test(told));
      let written = 0;
      await until(async () => {
        // It looks half a second after the last change; the first one may come before it looks at all.
        if (Date.now() - written > 3000) {
          writeFileSync(join(app, 'page'), 'second\n');
          written = Date.now();
        }
        return (await tryCompose('exec', '-T', 'web', 'cat', '/www/page')).stdout === 'second\n';
      }, 30);
      await compose('restart', 'web');
      await until(() => /"action":"restart".*"service":"web"/.test(seen));
    } finally {
      for (const child of [watch, events]) {
        const ended = once(child, 'close');
        child.kill('SIGKILL');
        await ended;
      }
    }
    await compose('down', '-t', '0', '--rmi', 'local');
  });
});
