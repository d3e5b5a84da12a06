import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Failure } from '../../../lib/error.ts';
import type { CallOptions } from '../../backend/call.ts';
import { Arrivals } from '../arrivals.ts';

/** A build that other requests of its client are about. */
export interface RunningBuild {
  /** Aborts when the client asks for that. */
  readonly signal: AbortSignal;
  /** The tar that another request brings; waits some seconds for it. */
  uploaded(signal: AbortSignal): Promise<Readable>;
}

const UPLOAD_WAIT_MS = 5000;

/** Builds of POST /build?version=2 by the ID that their client made up. */
export class RunningBuilds {
  readonly #open = new Arrivals<{ readonly stop: AbortController; readonly bring: (body: Readable) => void }>();

  begin(id: string): RunningBuild & Disposable {
    if (id !== '' && this.#open.get(id))
      throw new Failure('conflict', 'BUILD_EXISTS', `build ${id} is already under way`);
    const stop = new AbortController();
    const upload = Promise.withResolvers<Readable>();
    const place = id === '' ? undefined : this.#open.add(id, { stop, bring: upload.resolve });
    return {
      signal: stop.signal,
      uploaded: async (signal) => {
        const late = AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_WAIT_MS)]);
        const { promise, reject } = Promise.withResolvers<never>();
        late.addEventListener('abort', () => reject(late.reason), { once: true });
        return await Promise.race([upload.promise, promise]);
      },
      [Symbol.dispose]: () => {
        place?.[Symbol.dispose]();
        stop.abort(new Failure('cancelled', 'BUILD_ENDED', 'the build has ended'));
      },
    };
  }

  /** Gives a build the tar that it waits for. Resolves when it has been read, or the build has ended. */
  async upload(id: string, body: Readable, { signal }: CallOptions): Promise<void> {
    const build = await this.#open.find(id, { signal });
    if (!build) throw new Failure('not-found', 'NO_BUILD', `no build ${id.slice(0, 128)} waits for a tar`);
    build.bring(body);
    await finished(body, { writable: false, signal: AbortSignal.any([signal, build.stop.signal]) }).catch(() => {});
  }

  /** Stops a build. One that is not under way is stopped. */
  async cancel(id: string, { signal }: CallOptions): Promise<void> {
    if (!this.#open.get(id)) return;
    const build = await this.#open.find(id, { signal });
    build?.stop.abort(new Failure('cancelled', 'BUILD_CANCELLED', 'the build was cancelled'));
  }
}
