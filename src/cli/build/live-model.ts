import { shortenId } from '../../oci/short-id.ts';
import type { BuildEvent, StepInfo } from '../../wire/build.ts';
import { plainLine } from '../terminal/text-width.ts';
import { OutputTail } from './output-tail.ts';

/** A step as the live view shows it. */
export interface LiveStep {
  readonly info: StepInfo;
  readonly tail: OutputTail;
  state: 'waiting' | 'running' | 'done' | 'cached' | 'failed';
  startedAt: number;
  endedAt: number;
  /** Progress inside the step, as text: a download, a copy. */
  note: string;
  /** Why it is not from the cache. */
  missed: readonly string[];
}

export interface LiveModel {
  readonly steps: LiveStep[];
  /** Text about the context until the steps are known. */
  context: string;
  /** Lines to print above the steps that are still to come, each once. */
  readonly notices: string[];
}

const TAIL_LINES = 50;

export function newModel(): LiveModel {
  return { steps: [], context: '', notices: [] };
}

/** Puts what an event tells into the model. */
export function applyEvent(model: LiveModel, event: BuildEvent, describe: (bytes: number) => string): void {
  switch (event.type) {
    case 'plan':
      model.context = '';
      for (const info of event.steps)
        model.steps.push({
          info: { ...info, text: plainLine(info.text) },
          tail: new OutputTail(TAIL_LINES),
          state: 'waiting',
          startedAt: 0,
          endedAt: 0,
          note: '',
          missed: [],
        });
      return;
    case 'context':
      model.context = `context: ${event.files} files, ${describe(event.current)}`;
      return;
    case 'warning':
      model.notices.push(`[Warning] ${plainLine(event.message)}`);
      return;
    case 'lint':
      model.notices.push(`[Warning] ${event.rule}: ${plainLine(event.message)} (line ${event.line})`);
      return;
    case 'built':
      model.notices.push(`Successfully built ${shortenId(event.image)}`);
      return;
    case 'tagged':
      model.notices.push(`Successfully tagged ${plainLine(event.name)}`);
      return;
    case 'image':
      return;
    default: {
      const step = model.steps.find(({ info }) => info.index === event.step);
      if (step) applyToStep(step, event, describe);
    }
  }
}

type StepEvent = Extract<BuildEvent, { readonly step: number }>;

function applyToStep(step: LiveStep, event: StepEvent, describe: (bytes: number) => string): void {
  switch (event.type) {
    case 'step-container':
    case 'step-container-removed':
      return;
    case 'step-start':
      step.state = 'running';
      step.startedAt = event.at;
      return;
    case 'step-cached':
      step.state = 'cached';
      return;
    case 'step-missed':
      step.missed = event.lines.map(plainLine);
      return;
    case 'step-output':
      step.tail.add(event.text);
      return;
    case 'step-progress': {
      const total = event.total === undefined ? '' : `/${describe(event.total)}`;
      step.note = `${plainLine(event.what)} ${describe(event.current)}${total}`;
      return;
    }
    case 'step-triggers':
      step.note = `${event.count} build trigger${event.count === 1 ? '' : 's'}`;
      return;
    case 'step-done':
      if (step.state !== 'cached') step.state = 'done';
      step.endedAt = event.at;
      return;
    case 'step-failed':
      step.state = 'failed';
      step.endedAt = event.at;
      return;
  }
}
