import type { BuildEvent } from '../../wire/build.ts';
import { humanSize } from '../format/human.ts';
import type { Output } from '../session.ts';
import { fitText, widthOf } from '../terminal/text-width.ts';
import { applyEvent, type LiveStep, newModel } from './live-model.ts';

export interface LiveViewOptions {
  readonly color: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const RUNNING_TAIL = 6;
const FAILED_TAIL = 30;
const FRAME_MS = 80;

/**
 * Draws a build on a terminal. Finished steps become lines that stay; below them the running steps are redrawn in
 * place, each with its time and the last lines of its output. Every drawn line is narrower than the terminal.
 */
export class LiveView implements Disposable {
  readonly #output: Output;
  readonly #options: LiveViewOptions;
  readonly #model = newModel();
  readonly #timer: NodeJS.Timeout;
  /** Widths of the lines that the next frame replaces. */
  #drawn: number[] = [];
  #finished = 0;
  #noticed = 0;
  #steady = '';

  constructor(output: Output, options: LiveViewOptions) {
    this.#output = output;
    this.#options = options;
    this.#timer = setInterval(() => this.draw(), FRAME_MS);
    this.#timer.unref();
  }

  show(event: BuildEvent): void {
    applyEvent(this.#model, event, (bytes) => humanSize(bytes, 3));
  }

  /** Draws one frame, when anything changed since the last. */
  draw(): void {
    const width = Math.max(20, (this.#output.columns ?? 80) - 1);
    const fixed = this.#newlyFixed(width);
    const moving = this.#movingLines(width);
    const steady = moving.join('\n');
    if (fixed.length === 0 && steady === this.#steady) return;
    this.#steady = steady;
    const lines = [...fixed, ...moving].map((line) => `${line}\x1b[K\n`);
    // Between these two marks a terminal that knows them shows nothing half drawn.
    this.#output.write(`\x1b[?2026h${this.#toStart()}${lines.join('')}\x1b[J\x1b[?2026l`);
    this.#drawn = moving.map((line) => widthOf(line.replace(/\x1b\[[\d;]*m/g, '')));
  }

  /** Draws the last frame: nothing moves any more, and the cursor is below everything. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const step of this.#model.steps) if (step.state === 'waiting') step.state = 'done';
    this.#model.context = '';
    this.draw();
  }

  /** Back to where the moving lines begin. A terminal that became narrower has wrapped them. */
  #toStart(): string {
    const columns = this.#output.columns ?? 80;
    const rows = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return rows === 0 ? '\r' : `\r\x1b[${rows}A`;
  }

  /** Lines that will not change: finished steps in their order, and notices when all steps before are finished. */
  #newlyFixed(width: number): string[] {
    const { steps, notices } = this.#model;
    const lines: string[] = [];
    for (let step = steps[this.#finished]; step && isOver(step); step = steps[++this.#finished]) {
      if (step.startedAt === 0) continue;
      lines.push(this.#stepLine(step, width), ...this.#missedLines(step, width));
      if (step.state === 'failed') lines.push(...this.#tailLines(step, FAILED_TAIL, width));
    }
    if (this.#finished === steps.length) {
      for (const notice of notices.slice(this.#noticed)) lines.push(fitText(notice, width));
      this.#noticed = notices.length;
    }
    return lines;
  }

  #movingLines(width: number): string[] {
    const { steps, context } = this.#model;
    if (context !== '') return [fitText(`  ${context}`, width)];
    const begun = steps.slice(this.#finished).filter(({ state }) => state !== 'waiting');
    const running = begun.filter(({ state }) => state === 'running').length;
    const room = Math.max(1, (this.#output.rows ?? 24) - 2 - begun.length);
    const tail = Math.min(RUNNING_TAIL, Math.floor(room / Math.max(1, running)));
    const lines = begun.flatMap((step) => [
      this.#stepLine(step, width),
      ...this.#missedLines(step, width),
      ...(step.state === 'running' ? this.#tailLines(step, tail, width) : []),
    ]);
    return lines.slice(-Math.max(1, (this.#output.rows ?? 24) - 1));
  }

  #stepLine(step: LiveStep, width: number): string {
    const total = this.#model.steps.length;
    const end = isOver(step) ? step.endedAt : this.#options.now();
    const seconds = `${(Math.max(0, end - step.startedAt) / 1000).toFixed(1)}s`;
    const right = step.state === 'cached' ? 'CACHED' : seconds;
    const left = `${MARKS[step.state]} ${step.info.index + 1}/${total} ${stageOf(step)}${step.info.text}`;
    const note = step.state === 'running' && step.note !== '' ? `  ${step.note}` : '';
    const text = fitText(left + note, width - right.length - 1);
    const gap = ' '.repeat(Math.max(1, width - widthOf(text) - right.length));
    return this.#paint(`${text}${gap}${right}`, COLORS[step.state]);
  }

  #missedLines(step: LiveStep, width: number): string[] {
    return step.missed.map((line) => this.#paint(`  ? ${fitText(line, width - 4)}`, '33'));
  }

  #tailLines(step: LiveStep, count: number, width: number): string[] {
    return step.tail
      .last(count)
      .map((line) => this.#paint(`  │ ${fitText(line, width - 4)}`, step.state === 'failed' ? '' : '2'));
  }

  #paint(line: string, code: string): string {
    return this.#options.color && code !== '' ? `\x1b[${code}m${line}\x1b[0m` : line;
  }
}

const MARKS = { waiting: ' ', running: '▸', done: '✓', cached: '✓', failed: '✗' } as const;
const COLORS = { waiting: '', running: '1', done: '', cached: '36', failed: '31' } as const;

function isOver(step: LiveStep): boolean {
  return step.endedAt !== 0 || step.state === 'done' || step.state === 'failed';
}

function stageOf({ info }: LiveStep): string {
  return info.stageName === undefined ? '' : `[${info.stageName}] `;
}
