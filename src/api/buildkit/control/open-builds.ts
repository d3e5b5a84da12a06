import { Failure } from '../../../lib/error.ts';
import { Arrivals } from '../arrivals.ts';
import type { ClientSession, Sessions } from '../session/sessions.ts';
import type { SolveRequest } from '../shapes/control.ts';
import type { BuiltImage, FrontendResult } from '../solve/frontend.ts';
import { StatusFeed } from './status-feed.ts';

/** What a client gives back as the result of a build whose steps it asked for itself. */
export type Returned =
  | { readonly kind: 'result'; readonly result: FrontendResult | undefined }
  | { readonly kind: 'failed'; readonly failure: unknown };

/** A build that a client has begun by Control/Solve and that other calls are about. */
export interface OpenBuild {
  readonly request: SolveRequest;
  readonly feed: StatusFeed;
  /** Aborts with the call that began it. */
  readonly signal: AbortSignal;
  /** Those that its client has under way. */
  readonly solves: Set<Promise<unknown>>;
  /** By the ID that the client knows. */
  readonly results: Map<string, BuiltImage>;
  /** What stopped the last of its solves. */
  failure: unknown;
  readonly returned: PromiseWithResolvers<Returned>;
  /** The session of its client; waits some seconds for it. */
  session(): Promise<ClientSession>;
}

const LONGEST_REF = 128;
/** A build can end before its client has asked for its status; other calls are then told so at once. */
const LINGER_MS = 5000;

/** The builds that clients have under way, by the name that the client made up. */
export class OpenBuilds {
  readonly #open = new Arrivals<OpenBuild>();
  readonly #sessions: Sessions;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /**
   * Others find the build until it is disposed: then its solves are told to stop, and its feed ends when they have said how
   * they ended. Throws a Failure (`invalid`, `conflict`).
   */
  open(request: SolveRequest, signal: AbortSignal): OpenBuild & AsyncDisposable {
    const { ref } = request;
    if (ref === '' || ref.length > LONGEST_REF)
      throw new Failure('invalid', 'BUILD_REF', `invalid build reference "${ref.slice(0, LONGEST_REF)}"`);
    if (this.#open.get(ref)?.signal.aborted === false)
      throw new Failure('conflict', 'BUILD_EXISTS', `build ${ref} is already under way`);
    const ended = new AbortController();
    const build: OpenBuild = {
      request,
      feed: new StatusFeed(),
      signal: AbortSignal.any([signal, ended.signal]),
      solves: new Set(),
      results: new Map(),
      failure: undefined,
      returned: Promise.withResolvers(),
      session: () => this.#sessions.find(request.session, { signal }),
    };
    const place = this.#open.add(ref, build);
    return Object.assign(build, {
      [Symbol.asyncDispose]: async () => {
        ended.abort(new Failure('cancelled', 'BUILD_ENDED', 'the build has ended'));
        await Promise.allSettled(build.solves);
        build.feed.close();
        setTimeout(() => place[Symbol.dispose](), LINGER_MS).unref();
      },
    });
  }

  /** Waits some seconds for one that is just being opened. Throws a Failure (`not-found`). */
  async find(ref: string, options: { readonly signal: AbortSignal }): Promise<OpenBuild> {
    const build = await this.#open.find(ref, options);
    if (!build || build.signal.aborted) throw unknownBuild(ref);
    return build;
  }

  /** What a build tells, which may have ended a moment ago. Otherwise as `find`. */
  async feedOf(ref: string, options: { readonly signal: AbortSignal }): Promise<StatusFeed> {
    const build = await this.#open.find(ref, options);
    if (!build) throw unknownBuild(ref);
    return build.feed;
  }
}

function unknownBuild(ref: string): Failure {
  return new Failure('not-found', 'NO_BUILD', `no such job ${ref.slice(0, LONGEST_REF)}`);
}
