/**
 * Runs command lines that begin with the word named second, in this process and against a host that only pretends, so
 * that their code is compiled; then keeps that code beside the bundle in the folder named first. See
 * src/bin/compiled-command.ts.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCommand } from '../src/bin/compiled-command.ts';
import { VERSION_HEADER } from '../src/wire/build.ts';

const ID = 'a'.repeat(64);
const LINES: Readonly<Record<string, readonly string[]>> = {
  run: ['run --rm image true', 'run -d -p 80:80 -e A=b -v /a:/b --name n image true'],
  exec: ['exec name true'],
  build: ['build -t name CONTEXT', 'build -q CONTEXT'],
  images: ['images', 'images -q'],
  ps: ['ps', 'ps -a'],
  other: ['history name', 'inspect name', 'logs name', 'start name', 'stop name', 'rm -f name', 'tag name other'],
};

const [folder = '', word = ''] = process.argv.slice(2);
const scratch = mkdtempSync(join(tmpdir(), 'strake-code-'));
try {
  const socket = join(scratch, 'host.sock');
  const server = pretendHost().listen(socket);
  writeFileSync(join(scratch, 'Dockerfile'), 'FROM scratch\n');
  process.env['DOCKER_CONFIG'] = scratch;
  process.env['STRAKE_HOST'] = `unix://${socket}`;
  const { runCommand, keepCode } = loadCommand(folder, [word]);
  for (const line of LINES[word] ?? []) await runCommand(line.replace('CONTEXT', scratch).split(' '));
  keepCode();
  server.close();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
// What the commands left open does not matter here.
process.exit(0);

/** Answers every request of the command lines in the shape of the Engine API. */
function pretendHost() {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*/, '');
    request.resume();
    response.setHeader('Api-Version', '1.51');
    response.setHeader(VERSION_HEADER, 'any');
    if (request.method === 'DELETE' || /\/(start|stop|tag)$/.test(path)) response.writeHead(204).end();
    else answer(response, path);
  });
  server.on('upgrade', (_, socket) => {
    const frame = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 1]), Buffer.from('\n')]);
    socket.write('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n');
    socket.end(frame);
  });
  return server;
}

function answer(response: ServerResponse, path: string): void {
  response.setHeader('Content-Type', 'application/json');
  const names = { Names: ['/n'], RepoTags: ['n:t'], RepoDigests: [] };
  const row = {
    Id: ID,
    ...names,
    Created: 0,
    Size: 1,
    Ports: [],
    Labels: {},
    Command: 'true',
    Status: 'Up',
    Image: 'n',
  };
  if (path.endsWith('/wait')) response.end('{"StatusCode":0}');
  else if (path === '/images/json' || path === '/containers/json' || path.endsWith('/history'))
    response.end(JSON.stringify([{ ...row, Tags: ['n:t'], CreatedBy: 'x', Comment: '' }]));
  else if (path === '/build') {
    for (const text of ['Step 1/1 : FROM scratch\n', ' ---> a\n', 'Successfully built a\n'])
      response.write(`${JSON.stringify({ stream: text })}\n`);
    response.end(`${JSON.stringify({ aux: { ID: `sha256:${ID}` } })}\n`);
  } else response.end(JSON.stringify({ Id: ID, ExitCode: 0, Config: { Tty: false }, State: { Running: true } }));
}
