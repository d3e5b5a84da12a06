import { createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../lib/error.ts';
import type { Log } from '../lib/log.ts';
import type { Change } from './registry.ts';

const TRIES = 6;
const FIRST_PAUSE = 500;
const ANSWER_WITHIN = 10_000;
const MOST_WAITING = 1_000;

export interface WebhookOptions {
  readonly url: string;
  /** Signs the body: `X-Strake-Signature: sha256=` and the hex digits of its HMAC. Undefined: not signed. */
  readonly secret: Buffer | undefined;
  readonly log: Log;
  /** Milliseconds before a second try; each further pause is twice as long. */
  readonly firstPause?: number;
}

export interface Webhook extends AsyncDisposable {
  tell(change: Change): void;
}

/**
 * Tells a URL of changes, in order, one at a time, in the form of Docker's registry
 * (https://distribution.github.io/distribution/about/notifications/). A change that it does not take (status 2xx) is sent again some
 * times; what waits while it is away is bounded and ends with the process: a notice, not a record.
 */
export function openWebhook({ url, secret, log, firstPause = FIRST_PAUSE }: WebhookOptions): Webhook {
  const stop = new AbortController();
  const waiting: string[] = [];
  let running: Promise<void> | undefined;

  const deliver = async () => {
    for (let body = waiting.shift(); body !== undefined && !stop.signal.aborted; body = waiting.shift()) {
      for (let attempt = 1; ; attempt++) {
        const problem = await post(url, body, secret, stop.signal);
        if (problem === undefined || stop.signal.aborted) break;
        if (attempt === TRIES) {
          log.error('a webhook does not take an event', { url: new URL(url).origin, problem });
          break;
        }
        await sleep(firstPause * 2 ** (attempt - 1), undefined, { signal: stop.signal }).catch(() => {});
      }
    }
    running = undefined;
  };

  return {
    tell(change) {
      if (waiting.length >= MOST_WAITING) {
        log.error('a webhook is too slow: an event is dropped', { url: new URL(url).origin });
        return;
      }
      waiting.push(JSON.stringify({ events: [eventOf(change)] }));
      running ??= deliver();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

function eventOf({ action, repository, digest, mediaType, size, tags, user }: Change): object {
  return {
    id: randomUUID(),
    timestamp: new Date().toISOString(),
    action,
    target: { mediaType, size, length: size, digest, repository, tag: tags[0], tags },
    actor: { name: user ?? '' },
  };
}

/** Why it was not taken; undefined when it was. */
async function post(
  url: string,
  body: string,
  secret: Buffer | undefined,
  stop: AbortSignal,
): Promise<string | undefined> {
  const signature = secret && `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/vnd.docker.distribution.events.v1+json',
        ...(signature !== undefined && { 'x-strake-signature': signature }),
      },
      body,
      redirect: 'error',
      signal: AbortSignal.any([stop, AbortSignal.timeout(ANSWER_WITHIN)]),
    });
    await answer.body?.cancel();
    return answer.ok ? undefined : `status ${answer.status}`;
  } catch (error) {
    return messageOf(error);
  }
}
