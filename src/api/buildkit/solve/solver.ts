import type { BuildBackend } from '../../backend/build.ts';
import { type ExportBackend, type ExportRequest, exportResult } from './export.ts';
import { type FrontendRequest, type FrontendResult, runFrontend } from './frontend.ts';

/** Who builds, and who does something with the result. */
export interface Solver {
  run(request: FrontendRequest): Promise<FrontendResult>;
  export(result: FrontendResult, request: ExportRequest): Promise<ReadonlyMap<string, string>>;
}

/** The solver of this host. */
export function hostSolver(backend: ExportBackend & { readonly build: BuildBackend }): Solver {
  return {
    run: (request) => runFrontend(backend.build, request),
    export: (result, request) => exportResult(backend, result, request),
  };
}
