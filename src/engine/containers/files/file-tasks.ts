import { cancelled } from '../../../lib/error.ts';
import type { TaskContext } from '../../../lib/worker-task.ts';
import { receiveStream, sendStream } from '../../../snapshot/port-stream.ts';
import type { StreamTaskInput } from '../../../snapshot/stream-from-worker.ts';
import { type PackRequest, packPath } from './pack-path.ts';
import { type UnpackRequest, unpackInto } from './unpack-into.ts';

/** What copying from and to containers runs in worker threads; `bin/worker.ts` serves it. */
export const fileTasks = {
  'pack-path': async ({ port, ...request }: StreamTaskInput<PackRequest>, { signal }: TaskContext) => {
    await sendStream(packPath(request), port, signal);
    if (signal.aborted) throw cancelled(signal);
  },
  'unpack-into': async ({ port, ...request }: StreamTaskInput<UnpackRequest>, { signal }: TaskContext) => {
    await unpackInto(receiveStream(port, signal, 'lent'), request, { signal });
    if (signal.aborted) throw cancelled(signal);
  },
};
