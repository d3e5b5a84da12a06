import { serveTasks } from '../lib/worker-task.ts';
import { layerTasks } from './layer-tasks.ts';

serveTasks(layerTasks);
