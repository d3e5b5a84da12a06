import { isFailure } from '../../lib/error.ts';
import { withSource } from '../failure.ts';
import type { Comment } from '../instruction.ts';
import type { Dockerfile } from '../parse.ts';
import { positionAt } from '../position.ts';
import { DEFAULT_CONFIG, type LintConfig, mergeConfig, parseCheckOptions } from './config.ts';
import { type LintOptions, lintModel } from './model.ts';
import { type Finding, type Problem, pageOf, type Rule } from './rule.ts';
import { RULES } from './rules.ts';

/**
 * Checks a Dockerfile against every rule (or those of `rules`) that is not skipped: by `config`, by the file's `# check=` directive, or by a
 * comment `# check=skip=Name` (or `# hadolint ignore=DL3008`) above the instruction. Sorted by place. Throws Failure
 * for a bad `# check=` directive and for a file without FROM.
 */
export function lint(
  dockerfile: Dockerfile,
  options: LintOptions & { readonly config?: LintConfig; readonly rules?: readonly Rule[] } = {},
): Finding[] {
  const config = mergeConfig(options.config ?? DEFAULT_CONFIG, directiveOf(dockerfile));
  const model = lintModel(dockerfile, options);
  const findings: Finding[] = [];
  for (const rule of options.rules ?? RULES) {
    if (!runs(rule, config)) continue;
    for (const problem of rule.check(model)) {
      if (isSkipped(rule, problem.instruction.comments)) continue;
      findings.push({
        rule: rule.name,
        level: config.error ? 'error' : rule.level,
        message: problem.message,
        source: sourceOf(problem),
        page: pageOf(rule.name),
        edits: problem.edits ?? [],
      });
    }
  }
  return findings.sort((a, b) => a.source.line - b.source.line || (a.source.column ?? 0) - (b.source.column ?? 0));
}

function directiveOf({ directives, file }: Dockerfile): LintConfig {
  const check = directives.check;
  if (!check) return DEFAULT_CONFIG;
  try {
    return parseCheckOptions(check.value);
  } catch (error) {
    throw withSource(error, { file, line: check.line, endLine: check.line });
  }
}

function runs(rule: Rule, config: LintConfig): boolean {
  if (rule.experimental) return names(rule, config.experimental);
  return !names(rule, config.skip);
}

function names(rule: Rule, list: readonly string[]): boolean {
  return list.some((name) => name === 'all' || name === rule.name || rule.codes?.includes(name) === true);
}

function isSkipped(rule: Rule, comments: readonly Comment[]): boolean {
  return comments.some(({ text }) => {
    const check = /^check\s*=\s*(\S.*)$/i.exec(text)?.[1];
    const hadolint = /^hadolint\s+ignore\s*=\s*(\S+)/i.exec(text)?.[1];
    if (hadolint !== undefined) return names(rule, hadolint.split(','));
    if (check === undefined) return false;
    try {
      return names(rule, parseCheckOptions(check.split(' ')[0] ?? '').skip);
    } catch (error) {
      if (isFailure(error)) return false; // a comment that only looks like one
      throw error;
    }
  });
}

function sourceOf({ instruction, at, lines }: Problem): Finding['source'] {
  const { source, segments } = instruction;
  if (lines) return { file: source.file, line: lines[0], endLine: lines[1] };
  if (at === undefined) return source;
  const { line, column } = positionAt(segments, at);
  return { file: source.file, line, endLine: Math.max(line, source.endLine), column };
}
