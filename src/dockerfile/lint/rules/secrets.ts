import type { Instruction } from '../../instruction.ts';
import type { Rule } from '../rule.ts';

const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS = /(?:_|^)(?:public|file|version)(?:_|$)/i;
const FILES =
  /(^|\/)(id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pypirc|\.git-credentials|\.dockercfg|\.env(\.(local|prod|production))?|kubeconfig|\.aws(\/credentials)?|\.docker\/config\.json|[^/]+\.(key|pfx|p12|jks))$/i;
const IN_TEXT: readonly RegExp[] = [
  /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@$"']{1,200}:[^\s/@$"']{1,500}@/i,
  /(?:^|\s)--(?:password|passwd|token|secret|api-?key)[= ]["']?(?![$"'-])[^\s"']+/i,
  /\bauthorization:\s*(?:bearer|basic|token)\s+(?!\$)[\w.~+/=-]{8,}/i,
];

export const secretsUsedInArgOrEnv: Rule = {
  name: 'SecretsUsedInArgOrEnv',
  description: 'ARG and ENV hold no secret: both stay readable in the image',
  level: 'warning',
  *check({ globalInstructions, stages }) {
    for (const instruction of [...globalInstructions, ...stages.flatMap((stage) => stage.instructions)]) {
      for (const name of namesOf(instruction)) {
        if (!SECRET.test(name) || HARMLESS.test(name)) continue;
        const kind = instruction.kind;
        const message = `Do not use ARG or ENV instructions for sensitive data (${kind} ${JSON.stringify(name)})`;
        yield { instruction, at: instruction.original.indexOf(name, instruction.keyword.length), message };
      }
    }
  },
};

export const secretFileCopied: Rule = {
  name: 'SecretFileCopied',
  description: 'files with credentials are not copied into the image',
  level: 'warning',
  *check({ stages }) {
    for (const instruction of stages.flatMap((stage) => stage.instructions)) {
      if (instruction.kind !== 'COPY' && instruction.kind !== 'ADD') continue;
      if (instruction.kind === 'COPY' && instruction.from !== undefined) continue;
      for (const source of instruction.sources) {
        if (!FILES.test(source)) continue;
        const message = `${source} stays in a layer even if it is deleted later: use RUN --mount=type=secret`;
        yield { instruction, at: instruction.original.indexOf(source, instruction.keyword.length), message };
      }
    }
  },
};

export const secretInCommand: Rule = {
  name: 'SecretInCommand',
  description: 'commands and addresses hold no password or token',
  level: 'warning',
  *check({ stages }) {
    for (const instruction of stages.flatMap((stage) => stage.instructions)) {
      if (!['RUN', 'CMD', 'ENTRYPOINT', 'ADD', 'ENV', 'HEALTHCHECK', 'LABEL'].includes(instruction.kind)) continue;
      const text = [instruction.original, ...instruction.heredocs.map(({ content }) => content)].join('\n');
      const found = IN_TEXT.map((pattern) => pattern.exec(text)).find((match) => match !== null);
      if (!found) continue;
      const at = found.index < instruction.original.length ? found.index : undefined;
      yield { instruction, at, message: 'this looks like a password or token, and the history of the image shows it' };
    }
  },
};

function namesOf(instruction: Instruction): string[] {
  if (instruction.kind === 'ARG') return instruction.args.map(({ name }) => name);
  return instruction.kind === 'ENV' ? instruction.pairs.map(({ name }) => name) : [];
}
