import { isMap, type Value, type ValueMap } from '../gotemplate/value.ts';

const LISTS = ['Cmd', 'Entrypoint', 'Env', 'OnBuild', 'Shell', 'RepoTags', 'RepoDigests', 'ExecIDs', 'Mounts', 'Binds'];
const MAPS = ['Labels', 'Volumes', 'ExposedPorts', 'PortBindings'];

/**
 * An inspected object as templates expect it: empty lists and maps that came as `null` are empty again, and the fields
 * that a config may leave out exist, so that `{{if .Config.Healthcheck}}` is false instead of an error.
 */
export function withOptionalFields(object: Value): Value {
  if (!isMap(object)) return object;
  const filled = withoutNulls(object);
  const config = filled['Config'];
  if (isMap(config)) {
    const absent = { Healthcheck: null, Cmd: [], Entrypoint: [], Env: [], OnBuild: [], Labels: {}, Volumes: {} };
    filled['Config'] = { ...absent, ExposedPorts: {}, StopSignal: '', Shell: [], ...withoutNulls(config) };
  }
  const host = filled['HostConfig'];
  if (isMap(host)) filled['HostConfig'] = withoutNulls(host);
  return filled;
}

function withoutNulls(map: ValueMap): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => {
      if (value !== null) return [key, value];
      return [key, LISTS.includes(key) ? [] : MAPS.includes(key) ? {} : null];
    }),
  );
}
