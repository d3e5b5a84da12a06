import { NIL_LIST, NIL_MAP, NIL_POINTER, type Value } from '../gotemplate/value.ts';

const NILS: Readonly<Record<string, Value>> = {
  Binds: NIL_LIST,
  Cmd: NIL_LIST,
  Entrypoint: NIL_LIST,
  Env: NIL_LIST,
  ExecIDs: NIL_LIST,
  ExposedPorts: NIL_MAP,
  Healthcheck: NIL_POINTER,
  Labels: NIL_MAP,
  Mounts: NIL_LIST,
  OnBuild: NIL_LIST,
  PortBindings: NIL_MAP,
  RepoDigests: NIL_LIST,
  RepoTags: NIL_LIST,
  Shell: NIL_LIST,
  StopSignal: '',
  Volumes: NIL_MAP,
};

/**
 * What a field that an object leaves out, or has as null, is for a template: `{{if .Config.Healthcheck}}` is false
 * instead of an error, and an empty list of labels prints as `map[]`.
 */
export function nilField(name: string): Value {
  return NILS[name];
}
