import type { Containers } from '../../container/containers.ts';
import type { Log } from '../../lib/log.ts';
import type { DebugAnswer, DebugRequest } from '../../wire/build-explain.ts';
import { type CommitNeeds, receiveChanges } from '../containers/commit-container.ts';
import { BuildHistory } from './build-history.ts';
import { debugStep } from './debug-step.ts';
import { KeptSteps } from './kept-steps.ts';

export type PastBuildNeeds = Pick<CommitNeeds, 'store' | 'workers' | 'receiveLayer'> & {
  readonly containers: Containers;
  readonly log: Log;
};

/** Past builds, as a door asks for them, and the history that builds write to. */
export function pastBuilds(needs: PastBuildNeeds) {
  const { containers } = needs;
  const kept = new KeptSteps(needs);
  const history = new BuildHistory({ ...needs, kept });
  const layerOf = async (id: string, signal: AbortSignal) => {
    const container = containers.find(id);
    return await container.inTurn(() => receiveChanges(needs, container, signal));
  };
  const backend = {
    list: () => history.list(),
    explain: (ref: string, call: { readonly signal: AbortSignal }) => history.explain(ref, call),
    debug: (ref: string, request: DebugRequest, call: { readonly signal: AbortSignal }): Promise<DebugAnswer> =>
      debugStep({ ...needs, kept, layerOf, builds: () => history.records() }, history.find(ref), request, call),
  };
  return { history, backend };
}
