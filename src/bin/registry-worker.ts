import { serveTasks } from '../lib/worker-task.ts';
import { passwordTasks } from '../registry/auth/password-tasks.ts';

serveTasks(passwordTasks);
