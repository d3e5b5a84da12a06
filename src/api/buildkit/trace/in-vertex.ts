import { buildFailure } from './build-failure.ts';
import type { OpenVertex, Vertexes } from './vertexes.ts';

/** Work in a vertex of its own, which ends as the work does. */
export async function inVertex<T>(
  vertexes: Vertexes,
  name: string,
  signal: AbortSignal,
  work: (vertex: OpenVertex) => Promise<T>,
): Promise<T> {
  const vertex = vertexes.make(name);
  await vertex.begin();
  try {
    const result = await work(vertex);
    await vertex.end();
    return result;
  } catch (error) {
    const failure = buildFailure(error);
    await vertex.end(signal.aborted ? 'cancelled' : { error: failure.message });
    throw failure;
  }
}

/** Work with a line of progress, which says how many bytes it is at if the work tells. */
export async function during<T>(
  vertex: OpenVertex,
  status: string,
  work: (progress: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  await vertex.progress(status, 0);
  const result = await work((bytes) => void vertex.progress(status, bytes));
  await vertex.progressed(status);
  return result;
}
