import type { BuildContext } from '../../build/context/build-context.ts';
import { parseIgnore } from '../../dockerfile/ignore.ts';
import {
  DEFAULT_CONFIG,
  type LintConfig,
  mergeConfig,
  parseCheckOptions,
  parseLintConfig,
} from '../../dockerfile/lint/config.ts';
import { lint } from '../../dockerfile/lint/lint.ts';
import type { Rule } from '../../dockerfile/lint/rule.ts';
import type { Dockerfile } from '../../dockerfile/parse.ts';
import { excerpt } from '../../dockerfile/position.ts';
import type { StagePlan } from '../../dockerfile/stages.ts';
import { Failure } from '../../lib/error.ts';
import type { BuildEvent } from '../../wire/build.ts';
import { readContextFile } from './dockerfile-source.ts';

export const LINT_CONFIG = '.strakelint.json';

type LintEvent = Extract<BuildEvent, { type: 'lint' }>;

/**
 * What the rules find in the Dockerfile of a build, less mere advice. Rules are skipped by the file's `# check=`, by the
 * build argument BUILDKIT_DOCKERFILE_CHECK and by the context's .strakelint.json.
 */
export function lintBuild(
  dockerfile: Dockerfile,
  plan: StagePlan,
  context: Pick<BuildContext, 'folder' | 'ignore'>,
  rules: readonly Rule[],
): LintEvent[] {
  const { target, buildArgs, buildPlatform, targetPlatform } = plan.options;
  const ignore = context.ignore === undefined ? {} : { ignore: parseIgnore(context.ignore) };
  const options = {
    rules,
    target,
    buildArgs,
    buildPlatform,
    targetPlatform,
    ...ignore,
    config: configOf(plan, context),
  };
  return lint(dockerfile, options).flatMap(({ rule, level, message, page, source }) =>
    level === 'note'
      ? []
      : {
          type: 'lint',
          rule,
          level,
          message,
          page,
          line: source.line,
          endLine: source.endLine,
          excerpt: excerpt(dockerfile.text, source),
        },
  );
}

/** `# check=error=true`: a finding is a reason not to build. */
export function refuseLintErrors(findings: readonly LintEvent[]): void {
  const rules = new Set(findings.flatMap(({ level, rule }) => (level === 'error' ? rule : [])));
  if (rules.size === 0) return;
  throw new Failure('invalid', 'LINT_FAILED', `lint violation found for rules: ${[...rules].join(', ')}`, {
    hint: 'build with --check to see them',
  });
}

function configOf(plan: StagePlan, { folder }: Pick<BuildContext, 'folder'>): LintConfig {
  const file = readContextFile(folder, LINT_CONFIG, 'lint config');
  const own = file ? parseLintConfig(file.toString('utf8'), LINT_CONFIG) : DEFAULT_CONFIG;
  const argument = plan.options.buildArgs['BUILDKIT_DOCKERFILE_CHECK'];
  return argument ? mergeConfig(own, parseCheckOptions(argument)) : own;
}
