import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { constants, Script } from 'node:vm';

type CommandModule = typeof import('./command.ts');

/** First words of command lines whose code is kept apart, so that their start does not read that of others. */
const BUNDLES: Readonly<Record<string, 'quick-command' | 'command'>> = {
  run: 'quick-command',
  exec: 'quick-command',
  build: 'command',
  images: 'command',
  ps: 'command',
};
export const OFTEN_CALLED = Object.keys(BUNDLES);

export interface CompiledCommand extends CommandModule {
  /** Keeps the code of all functions that were called until now for the next `loadCommand` of the same command line. */
  keepCode(): void;
}

/**
 * Loads the bundled command of `folder` with the compiled code that the build kept for command lines like `argv`. Node's
 * own compile cache keeps only what runs while a module loads; compiling the functions that are called later would be a
 * fifth of a command's start. Code of another Node is refused by V8, and the script is compiled as always. The script is
 * ASCII: it is read without decoding.
 */
export function loadCommand(folder: string, argv: readonly string[]): CompiledCommand {
  const [word = ''] = argv;
  const bundle = Object.hasOwn(BUNDLES, word) ? BUNDLES[word] : undefined;
  const filename = join(folder, `${bundle ?? 'command'}.cjs`);
  const codeFile = join(folder, `${bundle === undefined ? 'command' : word}.code`);
  const script = new Script(`(function(exports,require,module,__filename){${readFileSync(filename, 'latin1')}\n})`, {
    filename,
    cachedData: readCode(codeFile),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const module: { exports: unknown } = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(filename), module, filename);
  const { runCommand } = module.exports as CommandModule; // both bundles are made of such a module
  return { runCommand, keepCode: () => writeFileSync(codeFile, script.createCachedData()) };
}

function readCode(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined; // not made yet
  }
}
