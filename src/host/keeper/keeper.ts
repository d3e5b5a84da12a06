import { closeSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { messageOf, systemCode } from '../../lib/error.ts';
import { listenForTerminal } from '../console-socket.ts';
import { makeOutputPipe, makePipe } from '../pipes.ts';
import { becomeReaper, holdOrphans, waitForExit } from '../reaper.ts';
import { callRuntime } from '../runtime-call.ts';
import {
  type KeeperMessage,
  type KeeperRequest,
  type KeptDescriptors,
  type KeptExit,
  type KeptProcess,
  type KeptStart,
  PROTOCOL,
  receiveMessages,
  sendMessage,
} from './messages.ts';

/** Changes as the process lives. */
interface Kept {
  readonly pid: number;
  readonly note: unknown;
  descriptors: KeptDescriptors;
  exit: KeptExit | undefined;
}

/**
 * Keeps processes over the ends of hosts: starts them for the host that is connected at `path`, holds our ends of their
 * streams open, unread, and learns how they end. Resolves when no host is connected and nothing is kept.
 */
export async function serveKeeper(path: string): Promise<void> {
  using _reaper = becomeReaper();
  const kept = new Map<string, Kept>();
  const done = Promise.withResolvers<void>();
  let host: Socket | undefined;
  let starting = 0;
  const tell = (message: KeeperMessage) => {
    if (host) sendMessage(host, message);
  };
  const endIfIdle = () => {
    if (!host && starting === 0 && kept.size === 0) done.resolve();
  };

  const follow = (key: string, process: Kept) => {
    void waitForExit(process.pid)
      .catch(() => ({ exitCode: 255, signal: undefined }))
      .then(({ exitCode, signal }) => {
        process.exit = { exitCode, signal, at: Date.now() };
        tell({ type: 'ended', key, exit: process.exit });
      });
  };
  const start = async (request: KeptStart) => {
    const { key } = request;
    starting++;
    try {
      const { exitCode, process } = await startKept(request);
      if (process) {
        kept.set(key, process);
        follow(key, process);
      }
      tell({ type: 'started', key, exitCode, ...(process ? { kept: { key, ...process } } : {}) });
    } catch (error) {
      tell({ type: 'failed', key, code: systemCode(error) ?? '', message: messageOf(error) });
    } finally {
      starting--;
      endIfIdle();
    }
  };
  const endInput = (process: Kept | undefined) => {
    if (!process || 'terminal' in process.descriptors) return;
    const { stdin, ...outputs } = process.descriptors;
    if (stdin !== undefined) closeSync(stdin);
    process.descriptors = outputs;
  };
  const forget = (key: string) => {
    const process = kept.get(key);
    kept.delete(key);
    for (const fd of Object.values(process?.descriptors ?? {})) closeSync(fd);
  };
  const answer = (request: KeeperRequest, socket: Socket) => {
    switch (request.type) {
      case 'list': {
        const processes = [...kept].map(([key, process]): KeptProcess => ({ key, ...process }));
        tell({ type: 'list', protocol: PROTOCOL, pid: process.pid, kept: processes });
        break;
      }
      case 'start':
        void start(request.start);
        break;
      case 'end-input':
        endInput(kept.get(request.key));
        break;
      case 'forget':
        forget(request.key);
        break;
      case 'leave':
        if (kept.size === 0 && starting === 0) rmSync(path, { force: true });
        socket.end();
    }
  };

  const server = createServer((socket) => {
    host?.destroy(); // of a host that was killed just now
    host = socket;
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      if (host !== socket) return;
      host = undefined;
      endIfIdle();
    });
    void (async () => {
      for await (const request of receiveMessages<KeeperRequest>(socket)) answer(request, socket);
    })().catch(() => socket.destroy());
  });
  rmSync(path, { force: true }); // of a keeper that was killed
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  await done.promise;
  server.close();
}

/** Starts a process by the runtime; without `process` the runtime said why not in its log. */
async function startKept({
  call,
  input,
  consoleSocket,
  note,
}: KeptStart): Promise<{ exitCode: number; process?: Kept }> {
  const open: number[] = [];
  const close = (fds: readonly number[]) => {
    for (const fd of fds) closeSync(fd);
  };
  const pipe = (make: typeof makePipe) => {
    const ends = make();
    open.push(...ends);
    return ends;
  };
  using _orphans = holdOrphans();
  if (consoleSocket !== undefined) {
    using socket = listenForTerminal(consoleSocket, { signal: NEVER });
    const exitCode = await callRuntime(call, ['ignore', 'ignore', 'ignore']);
    if (exitCode !== 0) return { exitCode };
    return { exitCode, process: keptProcess(call, note, { terminal: await socket.terminal }) };
  }
  try {
    const stdin = input ? pipe(makePipe) : undefined;
    const stdout = pipe(makeOutputPipe);
    const stderr = pipe(makeOutputPipe);
    const exitCode = await callRuntime(call, [stdin?.[0] ?? 'ignore', stdout[1], stderr[1]]);
    if (exitCode !== 0) return { exitCode };
    const ours = [stdout[0], stderr[0], ...(stdin ? [stdin[1]] : [])];
    const descriptors = { stdout: stdout[0], stderr: stderr[0], ...(stdin ? { stdin: stdin[1] } : {}) };
    const process = keptProcess(call, note, descriptors);
    for (const fd of ours) open.splice(open.indexOf(fd), 1);
    return { exitCode, process };
  } finally {
    close(open);
  }
}

function keptProcess(call: KeptStart['call'], note: unknown, descriptors: KeptDescriptors): Kept {
  return { pid: Number(readFileSync(call.pidFile, 'utf8')), note, descriptors, exit: undefined };
}

const NEVER = new AbortController().signal;
