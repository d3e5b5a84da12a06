import { own } from '../lib/own.ts';
import type { Command } from './command.ts';

type Load = () => Promise<Command>;

/** Every command, loaded when it is called: the start of one does not pay for the others. */
export const COMMANDS: Readonly<Record<string, Load>> = {
  run: async () => (await import('./commands/run.ts')).run,
  exec: async () => (await import('./commands/exec.ts')).exec,
  ps: async () => (await import('./commands/ps.ts')).ps,
  build: async () => (await import('./commands/build.ts')).build,
  pull: async () => (await import('./commands/pull.ts')).pull,
  push: async () => (await import('./commands/push.ts')).push,
  images: async () => (await import('./commands/images.ts')).images,
  login: async () => (await import('./commands/login.ts')).login,
  logout: async () => (await import('./commands/logout.ts')).logout,
  search: async () => (await import('./commands/search.ts')).search,
  version: async () => (await import('./commands/version.ts')).version,
  info: async () => (await import('./commands/info.ts')).info,
  attach: async () => (await import('./commands/attach.ts')).attach,
  blame: async () => (await import('./commands/blame.ts')).blame,
  commit: async () => (await import('./commands/commit.ts')).commit,
  cp: async () => (await import('./commands/cp.ts')).cp,
  create: async () => (await import('./commands/create.ts')).create,
  debug: async () => (await import('./commands/debug.ts')).debug,
  diff: async () => (await import('./commands/diff.ts')).diff,
  events: async () => (await import('./commands/events.ts')).events,
  explore: async () => (await import('./commands/explore.ts')).explore,
  export: async () => (await import('./commands/export.ts')).exportContainer,
  history: async () => (await import('./commands/history.ts')).history,
  host: async () => (await import('./commands/host.ts')).host,
  import: async () => (await import('./commands/import.ts')).importImage,
  inspect: async () => (await import('./commands/inspect.ts')).inspect,
  kill: async () => (await import('./commands/kill.ts')).kill,
  lint: async () => (await import('./commands/lint.ts')).lint,
  load: async () => (await import('./commands/load.ts')).load,
  logs: async () => (await import('./commands/logs.ts')).logs,
  pause: async () => (await import('./commands/pause.ts')).pause,
  port: async () => (await import('./commands/port.ts')).port,
  rename: async () => (await import('./commands/rename.ts')).rename,
  restart: async () => (await import('./commands/stop.ts')).restart,
  rm: async () => (await import('./commands/rm.ts')).rm,
  rmi: async () => (await import('./commands/rmi.ts')).rmi,
  save: async () => (await import('./commands/save.ts')).save,
  start: async () => (await import('./commands/start.ts')).start,
  stats: async () => (await import('./commands/stats.ts')).stats,
  stop: async () => (await import('./commands/stop.ts')).stop,
  tag: async () => (await import('./commands/tag.ts')).tag,
  top: async () => (await import('./commands/top.ts')).top,
  tree: async () => (await import('./commands/tree.ts')).tree,
  unpause: async () => (await import('./commands/pause.ts')).unpause,
  why: async () => (await import('./commands/why.ts')).why,
  update: async () => (await import('./commands/update.ts')).update,
  wait: async () => (await import('./commands/wait.ts')).wait,
};

export interface Group {
  readonly short: string;
  readonly commands: Readonly<Record<string, Load>>;
}

/** The grouped forms: `strake image ls`. */
export const GROUPS: Readonly<Record<string, Group>> = {
  image: {
    short: 'Manage images',
    commands: {
      ...some('build', 'history', 'import', 'load', 'pull', 'push', 'save', 'tag'),
      inspect: async () => (await import('./commands/inspect.ts')).inspectImage,
      cat: async () => (await import('./commands/image-files.ts')).imageCat,
      copy: async () => (await import('./commands/image-copy.ts')).imageCopy,
      diff: async () => (await import('./commands/image-diff.ts')).imageDiff,
      find: async () => (await import('./commands/image-files.ts')).imageFind,
      flatten: async () => (await import('./commands/image-rewrite.ts')).imageFlatten,
      ls: async () => (await import('./commands/image-ls.ts')).imageLs,
      rebase: async () => (await import('./commands/image-rewrite.ts')).imageRebase,
      squash: async () => (await import('./commands/image-rewrite.ts')).imageSquash,
      waste: async () => (await import('./commands/image-waste.ts')).imageWaste,
      prune: async () => (await import('./commands/image-prune.ts')).imagePrune,
      rm: async () => (await import('./commands/rmi.ts')).rmi,
    },
  },
  container: {
    short: 'Manage containers',
    commands: {
      ...some('attach', 'commit', 'cp', 'create', 'diff', 'exec', 'export', 'kill', 'logs', 'pause', 'port', 'rename'),
      ...some('restart', 'rm', 'run', 'start', 'stats', 'stop', 'top', 'unpause', 'update', 'wait'),
      inspect: async () => (await import('./commands/inspect.ts')).inspectContainer,
      ls: async () => (await import('./commands/ps.ts')).ps,
      prune: async () => (await import('./commands/container-prune.ts')).containerPrune,
    },
  },
  registry: {
    short: 'Serve and manage registries',
    commands: {
      check: async () => (await import('./commands/registry/manage.ts')).check,
      gc: async () => (await import('./commands/registry/manage.ts')).gc,
      import: async () => (await import('./commands/registry/import.ts')).importData,
      ls: async () => (await import('./commands/registry/ls.ts')).ls,
      prune: async () => (await import('./commands/registry/manage.ts')).prune,
      restore: async () => (await import('./commands/registry/manage.ts')).restore,
      rm: async () => (await import('./commands/registry/rm.ts')).rm,
      serve: async () => (await import('./commands/registry/serve.ts')).serve,
    },
  },
  network: {
    short: 'Manage networks',
    commands: {
      connect: async () => (await import('./commands/network/connect.ts')).networkConnect,
      create: async () => (await import('./commands/network/create.ts')).networkCreate,
      disconnect: async () => (await import('./commands/network/connect.ts')).networkDisconnect,
      inspect: async () => (await import('./commands/inspect.ts')).inspectNetwork,
      ls: async () => (await import('./commands/network/ls.ts')).networkLs,
      prune: async () => (await import('./commands/network/prune.ts')).networkPrune,
      rm: async () => (await import('./commands/network/rm.ts')).networkRm,
    },
  },
  volume: {
    short: 'Manage volumes',
    commands: {
      create: async () => (await import('./commands/volume.ts')).volumeCreate,
      inspect: async () => (await import('./commands/inspect.ts')).inspectVolume,
      ls: async () => (await import('./commands/volume.ts')).volumeLs,
      prune: async () => (await import('./commands/volume.ts')).volumePrune,
      rm: async () => (await import('./commands/volume.ts')).volumeRm,
    },
  },
  builder: {
    short: 'Manage builds and their cache',
    commands: {
      ...some('build'),
      prune: async () => (await import('./commands/builder-prune.ts')).builderPrune,
      history: async () => (await import('./commands/builder-history.ts')).builderHistory,
    },
  },
  cache: {
    short: 'Manage the cache mounts of RUN steps',
    commands: {
      export: async () => (await import('./commands/cache.ts')).cacheExport,
      import: async () => (await import('./commands/cache.ts')).cacheImport,
      inspect: async () => (await import('./commands/cache.ts')).cacheInspect,
      ls: async () => (await import('./commands/cache.ts')).cacheLs,
      rm: async () => (await import('./commands/cache.ts')).cacheRm,
    },
  },
  system: {
    short: 'Manage the host',
    commands: {
      ...some('events', 'info'),
      check: async () => (await import('./commands/system-check.ts')).systemCheck,
      'dial-stdio': async () => (await import('./commands/dial-stdio.ts')).dialStdio,
      df: async () => (await import('./commands/system-df.ts')).systemDf,
    },
  },
};

/** Second names of grouped commands. */
const ALIASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  image: { list: 'ls', remove: 'rm' },
  container: { list: 'ls', ps: 'ls', remove: 'rm' },
  network: { list: 'ls', remove: 'rm' },
  volume: { list: 'ls', remove: 'rm' },
  registry: { list: 'ls', remove: 'rm' },
  builder: {},
  cache: { list: 'ls', remove: 'rm' },
  system: {},
};

export interface FoundCommand {
  readonly command: Command;
  /** The words under which it was found. */
  readonly path: string;
  readonly argv: readonly string[];
}

/** Finds the command that `words` begin with. */
export async function findCommand(words: readonly string[]): Promise<FoundCommand | undefined> {
  const [first = '', second = ''] = words;
  const group = own(GROUPS, first);
  if (group) {
    const load = own(group.commands, own(ALIASES[first] ?? {}, second) ?? second);
    return load && { command: await load(), path: `${first} ${second}`, argv: words.slice(2) };
  }
  const load = own(COMMANDS, first);
  return load && { command: await load(), path: first, argv: words.slice(1) };
}

function some(...names: string[]): Record<string, Load> {
  const chosen: Record<string, Load> = {};
  for (const name of names) {
    const load = COMMANDS[name];
    if (load) chosen[name] = load;
  }
  return chosen;
}
