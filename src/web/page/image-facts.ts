import { type Content, facts, make } from './element.ts';
import { visible } from './text.ts';

type List = readonly string[] | null | undefined;
type Names = Readonly<Record<string, unknown>> | null | undefined;

/** What an image says about how it is to be run, in the words of Docker and of the specification. */
export interface RunSettings {
  readonly Entrypoint?: List;
  readonly Cmd?: List;
  readonly User?: string | undefined;
  readonly WorkingDir?: string | undefined;
  readonly Env?: List;
  readonly ExposedPorts?: Names;
  readonly Volumes?: Names;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
  readonly Healthcheck?: { readonly Test?: List } | undefined;
  readonly StopSignal?: string | undefined;
  readonly Shell?: List;
  readonly OnBuild?: List;
}

/** The settings of an image that says any, one row each. */
export function configFacts(own: RunSettings): Element {
  return facts([
    ['Entrypoint', words(own.Entrypoint)],
    ['Command', words(own.Cmd)],
    ['User', own.User && visible(own.User)],
    ['Working directory', own.WorkingDir && visible(own.WorkingDir)],
    ['Environment', lines(own.Env)],
    ['Ports', lines(Object.keys(own.ExposedPorts ?? {}))],
    ['Volumes', lines(Object.keys(own.Volumes ?? {}))],
    ['Labels', lines(Object.entries(own.Labels ?? {}).map(([name, value]) => `${name}=${value}`))],
    ['Health check', words(own.Healthcheck?.Test)],
    ['Stop signal', own.StopSignal && visible(own.StopSignal)],
    ['Shell', words(own.Shell)],
    ['On build', lines(own.OnBuild)],
  ]);
}

/** A document as it came, to be opened. */
export function rawDocument(title: string, value: unknown): Element {
  return make(
    'details',
    { class: 'plain' },
    make('summary', {}, title),
    make('pre', {}, JSON.stringify(value, undefined, 2)),
  );
}

function words(list: List): Content {
  return list && list.length > 0 ? make('code', {}, visible(JSON.stringify(list))) : undefined;
}

export function lines(list: List): Content {
  return (list ?? []).map((line) => make('div', {}, make('code', {}, visible(line))));
}
