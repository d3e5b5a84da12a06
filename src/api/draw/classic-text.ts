import type { BuildEvent, StepInfo } from '../../wire/build.ts';
import type { ProgressLine } from '../../wire/progress.ts';

/** Bytes of output kept of a step, and of all steps, that run ahead of the one being shown. */
export interface ClassicLimits {
  readonly step: number;
  readonly total: number;
}

const LIMITS: ClassicLimits = { step: 1 << 20, total: 8 << 20 };
const RED = '\u001b[91m';
const PLAIN = '\u001b[0m';

/** What a step said before its turn came. */
interface HeldStep {
  readonly before: ProgressLine[];
  readonly output: ProgressLine[];
  readonly after: ProgressLine[];
  bytes: number;
  dropped: number;
  finished: boolean;
}

/**
 * Draws a build as the lines of Docker's classic builder. The text always comes in the order of the steps: what a
 * parallel stage says early is held until its turn. Of very long early output only the end is kept, and the text
 * says so.
 */
export class ClassicText {
  readonly #write: (line: ProgressLine) => Promise<void>;
  readonly #limits: ClassicLimits;
  readonly #held = new Map<number, HeldStep>();
  #steps: readonly StepInfo[] = [];
  #current = 0;
  #heldBytes = 0;
  #lastImage: string | undefined;

  constructor(write: (line: ProgressLine) => Promise<void>, limits: ClassicLimits = LIMITS) {
    this.#write = write;
    this.#limits = limits;
  }

  /** Resolves when the client has room for more. All lines are written before it returns, so calls may overlap. */
  show(event: BuildEvent): Promise<void> {
    switch (event.type) {
      case 'plan':
        this.#steps = [...this.#steps, ...event.steps];
        return Promise.resolve();
      case 'context':
        return Promise.resolve();
      case 'warning':
        return this.#say(`[Warning] ${event.message}\n`);
      case 'lint':
        return this.#say(`[Warning] ${event.rule}: ${event.message} (line ${event.line})\n`);
      case 'image':
        this.#lastImage = event.image;
        return this.#write({ aux: { ID: event.image } });
      case 'built':
        this.finish();
        if (this.#lastImage !== event.image) void this.#write({ aux: { ID: event.image } });
        return this.#say(`Successfully built ${short(event.image)}\n`);
      case 'tagged':
        return this.#say(`Successfully tagged ${event.name}\n`);
      default:
        return this.#showStep(event);
    }
  }

  /** Shows what is still held, in order. Call when the build failed. */
  finish(): void {
    for (const step of [...this.#held.keys()].sort((a, b) => a - b)) this.#release(step);
  }

  #showStep(event: Extract<BuildEvent, { step: number }>): Promise<void> {
    const finished = event.type === 'step-done' || event.type === 'step-failed';
    if (event.step !== this.#current) {
      this.#hold(event, finished);
      return Promise.resolve();
    }
    let written: Promise<void> = Promise.resolve();
    for (const line of this.#linesOf(event)) written = this.#write(line);
    while (finished && this.#current < this.#steps.length) {
      this.#current++;
      if (!this.#release(this.#current)) break;
    }
    return written;
  }

  /** Shows a held step; true when that step is over too. */
  #release(step: number): boolean {
    const held = this.#held.get(step);
    if (!held) return false;
    this.#held.delete(step);
    this.#heldBytes -= held.bytes;
    const clipped =
      held.dropped === 0 ? [] : [{ stream: `[output clipped: ${held.dropped} bytes that came early were not kept]\n` }];
    for (const line of [...held.before, ...clipped, ...held.output, ...held.after]) void this.#write(line);
    return held.finished;
  }

  #hold(event: Extract<BuildEvent, { step: number }>, finished: boolean): void {
    if (event.type === 'step-progress') return; // of no interest later
    const fresh: HeldStep = { before: [], output: [], after: [], bytes: 0, dropped: 0, finished: false };
    const held = this.#held.get(event.step) ?? fresh;
    this.#held.set(event.step, held);
    held.finished ||= finished;
    const isOutput = event.type === 'step-output';
    const list = isOutput ? held.output : held.output.length === 0 ? held.before : held.after;
    list.push(...this.#linesOf(event));
    if (!isOutput) return;
    held.bytes += event.text.length;
    this.#heldBytes += event.text.length;
    this.#clip(held);
  }

  /** Drops the oldest output of a step, half a limit at a time, while it is over the limits. */
  #clip(held: HeldStep): void {
    if (held.bytes <= this.#limits.step && this.#heldBytes <= this.#limits.total) return;
    const target = held.bytes / 2;
    let count = 0;
    let bytes = 0;
    while (count < held.output.length && held.bytes - bytes > target)
      bytes += held.output[count++]?.stream?.length ?? 0;
    held.output.splice(0, count);
    held.dropped += bytes;
    held.bytes -= bytes;
    this.#heldBytes -= bytes;
  }

  #linesOf(event: Extract<BuildEvent, { step: number }>): ProgressLine[] {
    switch (event.type) {
      case 'step-start': {
        const text = this.#steps[event.step]?.text ?? '';
        return [{ stream: `Step ${event.step + 1}/${this.#steps.length} : ${text}` }, { stream: '\n' }];
      }
      case 'step-cached':
        return [{ stream: ' ---> Using cache\n' }];
      case 'step-missed':
        return event.lines.map((line) => ({ stream: ` ---> Not in the cache: ${line}\n` }));
      case 'step-triggers':
        return [{ stream: `# Executing ${event.count} build trigger${event.count > 1 ? 's' : ''}` }, { stream: '\n' }];
      case 'step-container':
        return [{ stream: ` ---> Running in ${short(event.container)}\n` }];
      case 'step-output':
        return [{ stream: event.stream === 'stderr' ? `${RED}${event.text}${PLAIN}` : event.text }];
      case 'step-progress': {
        const total = event.total === undefined ? {} : { total: event.total };
        return [{ status: event.what, progressDetail: { current: event.current, ...total } }];
      }
      case 'step-container-removed':
        return [{ stream: `Removing intermediate container ${short(event.container)}\n` }];
      case 'step-done':
        return this.#doneLines(event);
      case 'step-failed':
        return [];
    }
  }

  /** FROM scratch shows an empty ID; steps before the first FROM show none. */
  #doneLines(event: Extract<BuildEvent, { type: 'step-done' }>): ProgressLine[] {
    const isFrom = /^\s*from\s/i.test(this.#steps[event.step]?.text ?? '');
    if (event.image === undefined && !isFrom) return [];
    return [{ stream: ` ---> ${short(event.image ?? '')}\n` }];
  }

  #say(text: string): Promise<void> {
    return this.#write({ stream: text });
  }
}

function short(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
