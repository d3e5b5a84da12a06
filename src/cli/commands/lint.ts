import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_CONFIG, type LintConfig, parseLintConfig } from '../../dockerfile/lint/config.ts';
import { fixAll } from '../../dockerfile/lint/fix.ts';
import { lint as findFaults } from '../../dockerfile/lint/lint.ts';
import type { Finding } from '../../dockerfile/lint/rule.ts';
import { RULES } from '../../dockerfile/lint/rules.ts';
import { parseDockerfile } from '../../dockerfile/parse.ts';
import { excerpt } from '../../dockerfile/position.ts';
import { Failure } from '../../lib/error.ts';
import { own } from '../../lib/own.ts';
import { defineCommand } from '../command.ts';
import { text, toggle } from '../flags/flag.ts';

const CONFIG_NAME = '.strakelint.json';

export const lint = defineCommand({
  short: 'Check a Dockerfile against good practice, and mend what is safe',
  usage: '[PATH]',
  count: [0, 1],
  flags: {
    file: text('Name of the Dockerfile', { short: 'f', shown: '"PATH/Dockerfile"' }),
    fix: toggle('Write safe fixes into the file'),
    format: text('text, json or sarif', { shown: '"text"' }),
    config: text('File with rules to skip', { shown: `"PATH/${CONFIG_NAME}"` }),
  },
  async run(session, { flags, args }) {
    const path = args[0] ?? '.';
    const folder = existsSync(path) && statSync(path).isDirectory() ? path : undefined;
    const file = flags.file !== '' ? flags.file : folder === undefined ? path : join(folder, 'Dockerfile');
    const draw = own(FORMATS, flags.format === '' ? 'text' : flags.format);
    if (!draw)
      throw new Failure('invalid', 'FORMAT_UNKNOWN', `unknown format "${flags.format}"`, {
        hint: 'text, json or sarif',
      });
    const config = readConfig(flags.config, folder);
    const find = (content: string) => findFaults(parseDockerfile(content, { file }), { config });
    let content = read(file);
    if (flags.fix) {
      const fixed = fixAll(content, find);
      if (fixed.applied > 0) writeFileSync(file, fixed.text);
      session.stderr.write(`fixed ${fixed.applied} of ${file}\n`);
      content = fixed.text;
    }
    const findings = find(content);
    session.stdout.write(draw(findings, content));
    return findings.some(({ level }) => level === 'error') ? 1 : 0;
  },
});

type Draw = (findings: readonly Finding[], content: string) => string;

const FORMATS: Readonly<Record<string, Draw>> = {
  text: (findings, content) =>
    findings
      .map(({ rule, level, message, source, page }) => {
        return `${level}: ${rule}: ${message} (${page})\n${excerpt(content, source)}\n\n`;
      })
      .join(''),
  json: (findings) => `${JSON.stringify(findings.map(withoutEdits), null, 2)}\n`,
  sarif: (findings) => `${JSON.stringify(sarif(findings), null, 2)}\n`,
};

function withoutEdits({ edits, ...finding }: Finding) {
  return { ...finding, fixable: edits.length > 0 };
}

/** https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html */
function sarif(findings: readonly Finding[]) {
  const rules = RULES.map(({ name, description }) => ({ id: name, shortDescription: { text: description } }));
  const results = findings.map(({ rule, level, message, source }) => ({
    ruleId: rule,
    level,
    message: { text: message },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: source.file },
          region: { startLine: source.line, endLine: source.endLine },
        },
      },
    ],
  }));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'strake lint', rules } }, results }],
  };
}

function readConfig(named: string, folder: string | undefined): LintConfig {
  if (named !== '') return parseLintConfig(read(named), named);
  const usual = join(folder ?? '.', CONFIG_NAME);
  return existsSync(usual) ? parseLintConfig(read(usual), usual) : DEFAULT_CONFIG;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure('not-found', 'FILE_UNREADABLE', `cannot read ${file}`, { cause: error });
  }
}
