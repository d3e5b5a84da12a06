import type { RunSettings } from './image-facts.ts';

/** The config of an image, as far as this page looks at it. */
export interface ImageConfig {
  readonly created: string | undefined;
  readonly author: string | undefined;
  /** What is told of operating system, architecture and variant, with slashes between them. */
  readonly platform: string;
  readonly settings: RunSettings;
  readonly history: readonly HistoryEntry[];
}

export interface HistoryEntry {
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly comment: string;
  readonly isEmpty: boolean;
}

/**
 * Reads the config that a registry has. Nobody checked more of it than its digest: what is not as the specification
 * says is left out. https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export function readImageConfig(value: unknown): ImageConfig {
  const document = fieldsOf(value);
  const settings = fieldsOf(document['config']);
  return {
    created: textOf(document['created']),
    author: textOf(document['author']),
    platform: ['os', 'architecture', 'variant']
      .map((name) => textOf(document[name]))
      .filter(Boolean)
      .join('/'),
    settings: {
      Entrypoint: textsOf(settings['Entrypoint']),
      Cmd: textsOf(settings['Cmd']),
      User: textOf(settings['User']),
      WorkingDir: textOf(settings['WorkingDir']),
      Env: textsOf(settings['Env']),
      ExposedPorts: fieldsOf(settings['ExposedPorts']),
      Volumes: fieldsOf(settings['Volumes']),
      Labels: Object.fromEntries(
        Object.entries(fieldsOf(settings['Labels'])).map(([name, label]) => [name, String(label)]),
      ),
      Healthcheck: { Test: textsOf(fieldsOf(settings['Healthcheck'])['Test']) },
      StopSignal: textOf(settings['StopSignal']),
      Shell: textsOf(settings['Shell']),
      OnBuild: textsOf(settings['OnBuild']),
    },
    history: (Array.isArray(document['history']) ? document['history'] : []).map((entry): HistoryEntry => {
      const fields = fieldsOf(entry);
      return {
        created: textOf(fields['created']),
        createdBy: textOf(fields['created_by']) ?? '',
        comment: textOf(fields['comment']) ?? '',
        isEmpty: fields['empty_layer'] === true,
      };
    }),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
