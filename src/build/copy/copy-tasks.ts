import { compareListings } from '../explain/copy-listings.ts';
import { copyTask } from './copy-files.ts';
import { inputsTask } from './find-inputs.ts';
import { helpTask } from './help-copy.ts';

/** What copying runs in worker threads; `bin/worker.ts` serves it. */
export const copyTasks = {
  'copy-inputs': inputsTask,
  'copy-files': copyTask,
  'copy-help': helpTask,
  'compare-listings': compareListings,
};
