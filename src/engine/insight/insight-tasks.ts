import { cancelled } from '../../lib/error.ts';
import type { TaskContext } from '../../lib/worker-task.ts';
import { sendStream } from '../../snapshot/port-stream.ts';
import type { StreamTaskInput } from '../../snapshot/stream-from-worker.ts';
import { answerQuestion, type Question } from './questions.ts';

/** What this folder runs in worker threads; `bin/worker.ts` serves it. */
export const insightTasks = {
  'layer-question': async ({ port, question }: StreamTaskInput<QuestionRequest>, { signal }: TaskContext) => {
    await sendStream(answerQuestion(question), port, signal);
    if (signal.aborted) throw cancelled(signal);
  },
};

export interface QuestionRequest {
  readonly question: Question;
}
