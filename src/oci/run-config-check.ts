/** What is wrong with the `config` of an image config document that came from elsewhere; undefined when nothing is. */
export function faultOfRunConfig(config: unknown): string | undefined {
  if (config === undefined || config === null) return undefined;
  if (!isRecord(config)) return 'config is not an object';
  return faultOf(config, FIELDS, 'config') ?? faultOf(config['Healthcheck'] ?? {}, HEALTH_FIELDS, 'config.Healthcheck');
}

type Shape = readonly [is: (value: unknown) => boolean, what: string];

const TEXT: Shape = [(value) => typeof value === 'string', 'a string'];
const FLAG: Shape = [(value) => typeof value === 'boolean', 'true or false'];
const NUMBER: Shape = [Number.isInteger, 'a whole number'];
const LIST: Shape = [(value) => Array.isArray(value) && value.every(TEXT[0]), 'a list of strings'];
const SET: Shape = [isRecord, 'an object'];
const MAP: Shape = [(value) => isRecord(value) && Object.values(value).every(TEXT[0]), 'an object of strings'];

const FIELDS: Readonly<Record<string, Shape>> = {
  User: TEXT,
  ExposedPorts: SET,
  Env: LIST,
  Entrypoint: LIST,
  Cmd: LIST,
  Volumes: SET,
  WorkingDir: TEXT,
  Labels: MAP,
  StopSignal: TEXT,
  Healthcheck: SET,
  OnBuild: LIST,
  Shell: LIST,
  ArgsEscaped: FLAG,
};

const HEALTH_FIELDS: Readonly<Record<string, Shape>> = {
  Test: LIST,
  Interval: NUMBER,
  Timeout: NUMBER,
  StartPeriod: NUMBER,
  StartInterval: NUMBER,
  Retries: NUMBER,
};

/** Null stands for a field that is not there. */
function faultOf(record: unknown, shapes: Readonly<Record<string, Shape>>, at: string): string | undefined {
  if (!isRecord(record)) return undefined;
  for (const [name, [is, what]] of Object.entries(shapes)) {
    const value = record[name];
    if (value !== undefined && value !== null && !is(value)) return `${at}.${name} is not ${what}`;
  }
  return undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
