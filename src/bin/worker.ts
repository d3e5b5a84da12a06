import { serveTasks } from '../lib/worker-task.ts';

serveTasks({});
