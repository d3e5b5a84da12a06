import { type ExportBackend, type ExportRequest, exportResult } from './export.ts';
import { type FrontendBackend, type FrontendRequest, type FrontendResult, runFrontend } from './frontend.ts';

/** Who builds, and who does something with the result. */
export interface Solver {
  run(request: FrontendRequest): Promise<FrontendResult>;
  export(result: FrontendResult, request: ExportRequest): Promise<ReadonlyMap<string, string>>;
}

/** The solver of this host. */
export function hostSolver(backend: ExportBackend & FrontendBackend): Solver {
  return {
    run: (request) => runFrontend(backend, request),
    export: (result, request) => exportResult(backend, result, request),
  };
}
