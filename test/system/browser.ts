/** A real browser for tests, without a window, and the explorer that it opens. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { STRAKE } from './harness.ts';

export interface TestBrowser extends AsyncDisposable {
  /** Folder that gets what pages download. */
  readonly downloads: string;
  open(url: string): Promise<Tab>;
}

export interface Tab {
  /** Errors and warnings on the console, what no script caught, dialogs, and requests that left the page's origin. */
  readonly complaints: string[];
  /** Value of an expression in the page. */
  evaluate(expression: string): Promise<unknown>;
  /** Waits for this text anywhere on the page. */
  see(text: string): Promise<void>;
  /** Goes to another place of the explorer and waits for a text there. */
  go(place: string, text: string): Promise<void>;
  /** Clicks the first element of this selector that has this text, once it is there. */
  click(selector: string, text: string): Promise<void>;
  /** Waits until the first element of this selector holds this text and no more. */
  holds(selector: string, text: string): Promise<void>;
  count(selector: string): Promise<number>;
}

const WAIT = 30_000;

export async function startBrowser(): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), 'strake-browser-'));
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const args = [...flags, ...quiet, `--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'];
  const child = spawn('chromium', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  const devtools = await openDevtools(await addressIn(child.stderr));
  const downloads = join(profile, 'downloads');
  await devtools.call('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads });
  return {
    downloads,
    async open(url) {
      const { targetId } = await devtools.call('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await devtools.call('Target.attachToTarget', { targetId, flatten: true });
      return await openTab(url, devtools, String(sessionId));
    },
    async [Symbol.asyncDispose]() {
      await devtools.call('Browser.close');
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function addressIn(stderr: NodeJS.ReadableStream): Promise<string> {
  let said = '';
  for await (const line of createInterface(stderr)) {
    const address = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (address !== undefined) {
      stderr.resume();
      return address;
    }
    said += `${line}\n`;
  }
  throw new Error(`the browser did not start:\n${said}`);
}

type Values = Readonly<Record<string, unknown>>;

interface Devtools {
  call(method: string, params?: Values, sessionId?: string): Promise<Values>;
  listen(sessionId: string, hear: (method: string, params: Values) => void): void;
}

/** The browser's own protocol for tools. https://chromedevtools.github.io/devtools-protocol/ */
async function openDevtools(address: string): Promise<Devtools> {
  const socket = new WebSocket(address);
  const waiting = new Map<number, { resolve(result: Values): void; reject(error: Error): void }>();
  const listeners = new Map<string, (method: string, params: Values) => void>();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data));
    const call = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) call?.reject(new Error(message.error.message));
    else if (call) call.resolve(message.result);
    else listeners.get(message.sessionId)?.(message.method, message.params);
  });
  await once(socket, 'open');
  return {
    call: (method, params = {}, sessionId) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        socket.send(JSON.stringify({ id: last, method, params, sessionId }));
      }),
    listen: (sessionId, hear) => void listeners.set(sessionId, hear),
  };
}

async function openTab(url: string, devtools: Devtools, sessionId: string): Promise<Tab> {
  const call = (method: string, params?: Values) => devtools.call(method, params, sessionId);
  const complaints: string[] = [];
  devtools.listen(sessionId, (method, params) => {
    const complaint = complaintOf(method, params, new URL(url).origin);
    if (complaint !== undefined) complaints.push(complaint);
    if (method === 'Page.javascriptDialogOpening') void call('Page.handleJavaScriptDialog', { accept: false });
  });
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await call(`${domain}.enable`);
  await call('Page.navigate', { url });

  async function evaluate(expression: string): Promise<unknown> {
    const answer = await call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    // As the protocol says.
    const { result, exceptionDetails } = answer as { result: { value?: unknown }; exceptionDetails?: unknown };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }
  async function wait(condition: string, what: string): Promise<void> {
    for (const deadline = Date.now() + WAIT; (await evaluate(condition)) !== true; await sleep(25))
      if (Date.now() > deadline)
        assert.fail(`no ${what} on the page:\n${await evaluate('document.body?.innerText')}\n${complaints.join('\n')}`);
  }
  const literal = JSON.stringify;
  const see = (text: string) => wait(`document.body?.innerText.includes(${literal(text)})`, `"${text}"`);
  return {
    complaints,
    evaluate,
    see,
    async go(place, text) {
      await evaluate(`location.hash = ${literal(place)}`);
      await see(text);
    },
    async click(selector, text) {
      const all = `[...document.querySelectorAll(${literal(selector)})]`;
      const found = `${all}.find((one) => one.textContent.includes(${literal(text)}))`;
      await wait(
        `(() => { const one = ${found}; one?.click(); return one !== undefined; })()`,
        `${selector} with "${text}"`,
      );
    },
    holds: (selector, text) =>
      wait(
        `document.querySelector(${literal(selector)})?.textContent === ${literal(text)}`,
        `${selector} of "${text}"`,
      ),
    count: async (selector) => Number(await evaluate(`document.querySelectorAll(${literal(selector)}).length`)),
  };
}

function complaintOf(method: string, params: Values, origin: string): string | undefined {
  // As the protocol says of each of them.
  switch (method) {
    case 'Runtime.exceptionThrown':
    case 'Page.javascriptDialogOpening':
      return JSON.stringify(params);
    case 'Runtime.consoleAPICalled':
      return params['type'] === 'error' || params['type'] === 'warning' ? JSON.stringify(params['args']) : undefined;
    case 'Log.entryAdded': {
      const { level, text } = params['entry'] as { level: string; text: string };
      return level === 'error' || level === 'warning' ? text : undefined;
    }
    case 'Network.requestWillBeSent': {
      const { url } = params['request'] as { url: string };
      return url.startsWith(`${origin}/`) || url.startsWith(`blob:${origin}/`) ? undefined : `request to ${url}`;
    }
    default:
      return undefined;
  }
}

/** `strake explore`, ended by its disposal with Ctrl-C. */
export interface Explorer extends AsyncDisposable {
  /** The address that it printed. */
  readonly url: string;
  readonly key: string;
  /** Asks what the page would ask. */
  ask(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export async function startExplorer(address: string, ...args: string[]): Promise<Explorer> {
  const child = spawn(STRAKE, ['-H', address, 'explore', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const errors: string[] = [];
  child.stderr.on('data', (chunk) => errors.push(String(chunk)));
  const ended = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const [url] = (await Promise.race([once(lines, 'line'), ended.then(() => [''])])) as [string];
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/#key=/, errors.join(''));
  const key = /key=([\w-]+)/.exec(url)?.[1] ?? '';
  return {
    url,
    key,
    ask: (path, headers) =>
      fetch(new URL(path, url), { headers: { Authorization: `Bearer ${key}`, ...headers }, redirect: 'manual' }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT');
      const [code] = await ended;
      assert.equal(code, 0, errors.join(''));
    },
  };
}
