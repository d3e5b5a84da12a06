import { copyTasks } from '../build/copy/copy-tasks.ts';
import { networkTasks } from '../host/network/network-tasks.ts';
import { serveTasks } from '../lib/worker-task.ts';
import { layerTasks } from '../snapshot/layer-tasks.ts';

serveTasks({ ...layerTasks, ...copyTasks, ...networkTasks });
