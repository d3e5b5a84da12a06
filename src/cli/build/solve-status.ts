import { createHash } from 'node:crypto';
import type { BuildEvent, StepInfo } from '../../wire/build.ts';

/** One line of `--progress=rawjson`: what BuildKit's clients call a SolveStatus. Times are RFC 3339, bytes base64. */
export interface SolveStatusLine {
  readonly vertexes?: readonly Vertex[];
  readonly statuses?: readonly VertexStatus[];
  readonly logs?: readonly VertexLog[];
  readonly warnings?: readonly VertexWarning[];
}

interface Vertex {
  readonly digest: string;
  readonly name: string;
  readonly started?: string;
  readonly completed?: string;
  readonly cached?: true;
  readonly error?: string;
}

interface VertexStatus {
  readonly id: string;
  readonly vertex: string;
  readonly current: number;
  readonly total?: number;
  readonly timestamp: string;
}

interface VertexLog {
  readonly vertex: string;
  /** 1 is stdout, 2 stderr. */
  readonly stream: 1 | 2;
  readonly data: string;
  readonly timestamp: string;
}

interface VertexWarning {
  readonly vertex?: string;
  readonly level: number;
  readonly short: string;
  readonly url?: string;
  readonly range?: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[];
}

/** Puts events of a build into BuildKit's form. A step is a vertex, its digest that of its place in the build. */
export class SolveStatus {
  #steps: readonly StepInfo[] = [];
  readonly #vertices = new Map<number, Vertex>();

  /** `now` is for events without a time of their own, in milliseconds. Undefined when there is nothing to say. */
  of(event: BuildEvent, now: number): SolveStatusLine | undefined {
    switch (event.type) {
      case 'plan':
        this.#steps = [...this.#steps, ...event.steps];
        return { vertexes: event.steps.map(({ index }) => this.#vertex(index, {})) };
      case 'context':
        return { statuses: [{ id: 'transferring context', ...this.#status(0, event.current, now) }] };
      case 'step-start':
        return { vertexes: [this.#vertex(event.step, { started: time(event.at) })] };
      case 'step-cached':
        return { vertexes: [this.#vertex(event.step, { cached: true })] };
      case 'step-done':
        return { vertexes: [this.#vertex(event.step, { completed: time(event.at) })] };
      case 'step-failed':
        return { vertexes: [this.#vertex(event.step, { completed: time(event.at), error: event.message })] };
      case 'step-output':
        return { logs: [this.#log(event, now)] };
      case 'step-progress': {
        const total = event.total === undefined ? {} : { total: event.total };
        return { statuses: [{ id: event.what, ...this.#status(event.step, event.current, now), ...total }] };
      }
      case 'warning':
        return { warnings: [{ level: 1, short: base64(event.message) }] };
      case 'lint': {
        const range = [{ start: { line: event.line }, end: { line: event.endLine } }];
        return { warnings: [{ level: 1, short: base64(`${event.rule}: ${event.message}`), url: event.page, range }] };
      }
      default:
        return undefined;
    }
  }

  #vertex(step: number, change: Partial<Vertex>): Vertex {
    const info = this.#steps[step];
    const stage = info?.stageName === undefined ? '' : `${info.stageName} `;
    const name = `[${stage}${step + 1}/${this.#steps.length}] ${info?.text ?? ''}`;
    const vertex = { digest: this.#digest(step), name, ...this.#vertices.get(step), ...change };
    this.#vertices.set(step, vertex);
    return vertex;
  }

  #digest(step: number): string {
    const { stage, line, text } = this.#steps[step] ?? { stage: 0, line: 0, text: '' };
    return `sha256:${createHash('sha256')
      .update(JSON.stringify([step, stage, line, text]))
      .digest('hex')}`;
  }

  #status(step: number, current: number, now: number): Omit<VertexStatus, 'id'> {
    return { vertex: this.#digest(step), current, timestamp: time(now) };
  }

  #log({ step, stream, text }: Extract<BuildEvent, { type: 'step-output' }>, now: number): VertexLog {
    return {
      vertex: this.#digest(step),
      stream: stream === 'stdout' ? 1 : 2,
      data: base64(text),
      timestamp: time(now),
    };
  }
}

const time = (milliseconds: number): string => new Date(milliseconds).toISOString();
const base64 = (text: string): string => Buffer.from(text).toString('base64');
