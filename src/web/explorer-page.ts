import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { Failure, messageOf } from '../lib/error.ts';

/** What the page is told of the one who serves it: `about.json` beside it. */
export type About = HostAbout | { readonly kind: 'registry' };

export interface HostAbout {
  readonly kind: 'host';
  /** As people write it. */
  readonly address: string;
  /** Whether it answers Strake's own questions about images, or is a Docker host. */
  readonly isStrake: boolean;
}

const FILES: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'explorer.js': 'text/javascript; charset=utf-8',
  'explorer.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
};

/**
 * Nothing from elsewhere, no script or style but the page's own files, no frame around it; a text that came in as
 * markup is refused by the browser (trusted types). Answers are what their type says and are kept nowhere.
 */
export const PAGE_HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

/** The files of the page, read once. */
export class ExplorerPage {
  readonly #files: ReadonlyMap<string, Buffer>;

  /** `folder`: where the build left them. Throws `unavailable` when they are not there. */
  constructor(folder: URL) {
    this.#files = new Map(Object.keys(FILES).map((name) => [name, read(new URL(name, folder))]));
  }

  /** Answers with the file of this name; the empty name is the page itself. False when there is none. */
  answer(name: string, response: ServerResponse): boolean {
    const file = name === '' ? 'index.html' : name;
    const body = this.#files.get(file);
    if (!body) return false;
    const headers = { 'Content-Type': FILES[file], 'Content-Length': body.length };
    response.writeHead(200, { ...PAGE_HEADERS, ...headers });
    response.end(response.req.method === 'HEAD' ? undefined : body);
    return true;
  }
}

/** Answers with JSON that is the page's alone. */
export function answerDocument(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, { ...PAGE_HEADERS, ...headers });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function read(url: URL): Buffer {
  try {
    return readFileSync(url);
  } catch (error) {
    throw new Failure('unavailable', 'PAGE_MISSING', `the explorer's page is not there: ${messageOf(error)}`, {
      hint: 'the build makes it: npm run build',
      cause: error,
    });
  }
}
