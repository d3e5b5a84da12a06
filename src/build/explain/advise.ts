import type { BuildAdvice, CacheChange, MissedStep } from '../../wire/build-explain.ts';
import type { BuildRecord, StepRecord } from './build-record.ts';
import { sameStage } from './build-record.ts';

const NODE = ['package.json', 'package-lock.json', 'npm-shrinkwrap.json', 'yarn.lock', 'pnpm-lock.yaml', '.npmrc'];

/** Commands that install packages, and the files of the context that decide what they install. */
const INSTALLERS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\b(?:npm (?:ci|i|install)|pnpm (?:i|install|fetch)|yarn(?: install)?(?=\s*(?:$|[;&|]|--)))/, NODE],
  [/\bpip[0-9.]* install\b[^;&|]*-r\s/, ['requirements*.txt', 'constraints*.txt']],
  [/\b(?:poetry install|uv sync)\b/, ['pyproject.toml', 'poetry.lock', 'uv.lock']],
  [/\bbundle install\b/, ['Gemfile', 'Gemfile.lock']],
  [/\bcomposer install\b/, ['composer.json', 'composer.lock']],
  [/\bgo mod download\b/, ['go.mod', 'go.sum']],
  [/\bcargo fetch\b/, ['Cargo.toml', 'Cargo.lock']],
  [/\bmvn\b[^;&|]*dependency:/, ['pom.xml']],
  [/\b(?:apt-get|apt|apk|dnf|microdnf|yum|zypper)\b[^;&|]*\b(?:install|add|update|upgrade)\b/, []],
];

/** Files that no image needs: folders and files of these names, and files that end so. */
const CLUTTER_NAMES =
  /^(?:.*\/)?(?:\.git|node_modules|__pycache__|\.idea|\.vscode|\.DS_Store|\.pytest_cache|\.mypy_cache|coverage|\.dockerignore|Dockerfile[^/]*)(?=\/|$)/;
const CLUTTER_ENDINGS = /\.(?:log|swp|pyc|tmp)$/;
/** Characters of a command. */
const READ_LENGTH = 4096;
/** Commands that read whatever lies around them. */
const READS_ALL =
  /\b(?:make|build|compile|test|lint|tsc|gcc|g\+\+|cc|cmake|go|cargo|mvn|gradle|webpack|vite|javac|cp|mv|tar|install|find|chmod|chown)\b|(?:^|\s)(?:\.\/|[\w.-]*\*)/;

/**
 * Edits that would have kept steps in the cache. Only what can be seen from instructions and changed files is advised: a
 * command is taken to need what it names, and an installer of packages the files that say which.
 */
export function advise(build: BuildRecord, missed: readonly MissedStep[]): BuildAdvice[] {
  const all = missed.flatMap((cause) => {
    if (cause.Cause === 'removed' && missed.every(({ Cause }) => Cause !== 'changed'))
      return [
        {
          Step: cause.Step,
          Keeps: [cause.Step],
          Text: 'keep more of the cache: prune less, or raise the limit of the host (--build-cache-limit)',
        },
      ];
    if (cause.Cause !== 'changed') return [];
    const followers = followersOf(build, cause, missed);
    return cause.Changes.flatMap((change) => adviceFor(build, cause, change, followers));
  });
  const byText = new Map<string, BuildAdvice>();
  for (const advice of all) {
    const same = byText.get(advice.Text);
    const keeps = new Set([...(same?.Keeps ?? []), ...advice.Keeps]);
    byText.set(advice.Text, { ...advice, Keeps: [...keeps].sort((a, b) => a - b) });
  }
  return [...byText.values()];
}

/** Steps that missed for no other reason than this one. */
function followersOf(build: BuildRecord, cause: MissedStep, missed: readonly MissedStep[]): MissedStep[] {
  const chain = new Set([cause.Step]);
  const here = build.steps[cause.Step - 1];
  return missed.filter(({ Step, Cause, Follows }) => {
    const step = build.steps[Step - 1];
    if (Cause !== 'follows' || Follows === undefined || !chain.has(Follows)) return false;
    chain.add(Step);
    return here !== undefined && step !== undefined && sameStage(here, step);
  });
}

function adviceFor(
  build: BuildRecord,
  cause: MissedStep,
  change: CacheChange,
  followers: readonly MissedStep[],
): BuildAdvice[] {
  switch (change.What) {
    case 'files':
      return /^(?:COPY|ADD)\b/i.test(cause.Instruction) ? adviceForFiles(cause, change, followers) : [];
    case 'arg':
    case 'env':
      return adviceForVariable(build, cause, change);
    case 'base':
      return [
        {
          Step: cause.Step,
          Keeps: [cause.Step, ...followers.map(({ Step }) => Step)],
          Text: `name the base image by its digest (FROM ${(change.Name ?? '').replace(/@.*/, '')}@sha256:...): a tag can move to another image`,
        },
      ];
    default:
      return [];
  }
}

function adviceForFiles(
  cause: MissedStep,
  { Files = [], FileCount }: CacheChange,
  followers: readonly MissedStep[],
): BuildAdvice[] {
  if (Files.length === 0) return [];
  const paths = Files.map(({ Path }) => Path);
  const isWhole = FileCount === Files.length;
  const all = [cause.Step, ...followers.map(({ Step }) => Step)];
  const clutter = paths.flatMap((path) => clutterOf(path) ?? []);
  if (isWhole && clutter.length === paths.length)
    return [{ Step: cause.Step, Keeps: all, Text: `name ${listOf(clutter)} in .dockerignore` }];
  if (isWhole && Files.every(({ Change }) => Change === 'mode'))
    return [
      {
        Step: cause.Step,
        Keeps: all,
        Text: `give the files their modes in the Dockerfile: ${cause.Instruction.replace(/^(\w+)\s+/, '$1 --chmod=... ')}`,
      },
    ];
  const end = followers.findIndex(({ Instruction }) => needs(Instruction, paths));
  const keeps = end < 0 ? followers : followers.slice(0, end);
  const last = keeps.at(-1);
  if (!last) return [];
  const move = `move ${cause.Instruction} below ${last.Instruction}`;
  const installer = keeps.find(({ Instruction }) => manifestsOf(Instruction).length > 0);
  const manifests = installer === undefined ? [] : manifestsOf(installer.Instruction).slice(0, 2);
  const copy = `copy what ${installer?.Instruction} reads (${manifests.join(', ')}) before it, and `;
  return [{ Step: cause.Step, Keeps: keeps.map(({ Step }) => Step), Text: `${installer ? copy : ''}${move}` }];
}

/** Files of the context that the installers in a command read. */
function manifestsOf(instruction: string): string[] {
  return commandsOf(instruction).flatMap((command) => installerFiles(command) ?? []);
}

/** Whether a command reads one of the files, as far as its text tells. */
function needs(instruction: string, paths: readonly string[]): boolean {
  if (!/^RUN\b/i.test(instruction)) return true;
  return commandsOf(instruction).some((command) => {
    const files = installerFiles(command);
    if (files) return paths.some((path) => files.some((pattern) => matches(pattern, baseName(path))));
    return READS_ALL.test(command) || paths.some((path) => path === '' || command.includes(baseName(path)));
  });
}

/** Each as far as advice reads: some patterns try every word of a command, and after it all that follow. */
function commandsOf(instruction: string): string[] {
  const commands = instruction.replace(/^RUN\s+(?:--\S+\s+)*/i, '').split(/&&|\|\||[;|\n]/);
  return commands.map((command) => command.slice(0, READ_LENGTH));
}

function installerFiles(command: string): readonly string[] | undefined {
  return INSTALLERS.find(([pattern]) => pattern.test(command))?.[1];
}

/** A variable that the step does not use: its declaration can stand below. */
function adviceForVariable(build: BuildRecord, cause: MissedStep, { What, Name = '' }: CacheChange): BuildAdvice[] {
  if (!/^RUN\b/i.test(cause.Instruction) || names(cause.Instruction, Name)) return [];
  const here = build.steps[cause.Step - 1];
  const declared = build.steps.find(
    (step) =>
      here !== undefined &&
      sameStage(step, here) &&
      new RegExp(`^\\s*${What}\\s`, 'i').test(step.text) &&
      names(step.text.replace(/=\S*/g, ''), Name),
  );
  if (!declared) return [];
  const last = lastWithout(build, cause, declared, Name);
  return [
    {
      Step: declared.index + 1,
      Keeps: last.keeps,
      Text: `move ${declared.text} below ${last.text}, which does not name it`,
    },
  ];
}

function names(text: string, variable: string): boolean {
  return new RegExp(`(?<!\\w)${variable.replace(/\W/g, '\\$&')}(?!\\w)`).test(text);
}

/** The steps from `cause` on that do not name the variable, up to the first that does. */
function lastWithout(
  build: BuildRecord,
  cause: MissedStep,
  declared: StepRecord,
  name: string,
): { text: string; keeps: number[] } {
  const below = build.steps.filter((step) => sameStage(step, declared) && step.index >= cause.Step - 1);
  const end = below.findIndex(({ text }) => names(text, name));
  const unused = (end < 0 ? below : below.slice(0, end)).filter(({ keys }) => keys.length > 0);
  return { text: unused.at(-1)?.text ?? cause.Instruction, keeps: unused.map(({ index }) => index + 1) };
}

function matches(pattern: string, name: string): boolean {
  const [head = '', tail] = pattern.split('*');
  return tail === undefined ? name === pattern : name.startsWith(head) && name.endsWith(tail);
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The pattern for .dockerignore that covers a file which no image needs. */
function clutterOf(path: string): string | undefined {
  const ending = CLUTTER_ENDINGS.exec(path)?.[0];
  return CLUTTER_NAMES.exec(path)?.[0] ?? (ending === undefined ? undefined : `**/*${ending}`);
}

const listOf = (words: readonly string[]): string => [...new Set(words)].join(', ');
