import { copyTasks } from '../build/copy/copy-tasks.ts';
import { cacheTasks } from '../engine/build/cache-tasks.ts';
import { fileTasks } from '../engine/containers/files/file-tasks.ts';
import { insightTasks } from '../engine/insight/insight-tasks.ts';
import { mountTasks } from '../host/mount-file-system.ts';
import { networkTasks } from '../host/network/network-tasks.ts';
import { serveTasks } from '../lib/worker-task.ts';
import { layerTasks } from '../snapshot/layer-tasks.ts';

serveTasks({
  ...layerTasks,
  ...copyTasks,
  ...cacheTasks,
  ...networkTasks,
  ...mountTasks,
  ...fileTasks,
  ...insightTasks,
});
