import type { ContainerConfig } from '../../wire/container.ts';
import { type Content, facts, make } from './element.ts';
import { visible } from './text.ts';

/** What an image says about how it is to be run. */
export function configFacts(config: Partial<ContainerConfig> | null | undefined): Element {
  const own = config ?? {};
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

function words(list: readonly string[] | null | undefined): Content {
  return list && list.length > 0 ? make('code', {}, visible(JSON.stringify(list))) : undefined;
}

export function lines(list: readonly string[] | null | undefined): Content {
  return (list ?? []).map((line) => make('div', {}, make('code', {}, visible(line))));
}
