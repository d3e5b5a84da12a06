import { syncFileSystem } from '../host/file-system-calls.ts';
import type { TaskContext } from '../lib/worker-task.ts';
import { applyTask } from './apply-tar.ts';
import { type ScanRequest, scanTree } from './scan-tree.ts';
import { streamTask, writeTask } from './stream-layer.ts';
import { verifyLayer } from './verify-layer.ts';
import { verifyTree } from './verify-tree.ts';

/** What the snapshot room runs in worker threads; `bin/worker.ts` serves it. */
export const layerTasks = {
  'apply-tar': applyTask,
  'scan-tree': (request: ScanRequest, context: TaskContext) => scanTree(request, context),
  'stream-layer': streamTask,
  'write-layer': writeTask,
  'sync-layers': ({ folder }: { readonly folder: string }) => syncFileSystem(folder),
  'verify-layer': (request: Parameters<typeof verifyLayer>[0], context: TaskContext) => verifyLayer(request, context),
  'verify-tree': (request: Parameters<typeof verifyTree>[0], context: TaskContext) => verifyTree(request, context),
};
