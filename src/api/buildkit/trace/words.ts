/** How BuildKit words what Strake words as Docker's classic builder does. */
import { completeReference, parseReference, withDefaultTag } from '../../../oci/reference.ts';
import type { StepInfo } from '../../../wire/build.ts';

/** Instructions that are a vertex of their own; the others only change an image's config. */
const WORKING = ['FROM', 'RUN', 'COPY', 'ADD', 'WORKDIR'];

/** Whether BuildKit shows the step. FROM of a stage or of scratch is none of its own; nor are labels of `--label`. */
export function isShown({ text, line, from }: StepInfo): boolean {
  const keyword = keywordOf(text);
  return line > 0 && WORKING.includes(keyword) && (keyword !== 'FROM' || from !== undefined);
}

/** `[linux/arm64 stage 2/5] RUN make`: `index` counts the shown steps of the stage from 1; with several platforms, which it is for. */
export function stepName(
  step: StepInfo,
  place: { index: number; total: number; stages: number; platform?: string | undefined },
): string {
  const { index, total, stages } = place;
  const platform = place.platform === undefined ? '' : `${place.platform} `;
  const number = String(index).padStart(Math.floor(1 + Math.log10(total)));
  const stage = stages > 1 ? `${step.stageName ?? `stage-${step.stage}`} ` : '';
  const heredoc = step.heredoc === undefined ? '' : ` (${step.heredoc})`;
  return `[${platform}${stage}${number}/${total}] ${textOf(step)}${heredoc}`;
}

/** `docker.io/library/debian:bookworm` for what FROM names. */
export function imageName(name: string): string {
  try {
    return completeReference(withDefaultTag(parseReference(name)));
  } catch {
    return name; // an ID, or what is refused when it is looked for
  }
}

/** A failure's message in BuildKit's words, where they differ. */
export function failureWords(message: string): string {
  const run = /^The command '(.*)' returned a non-zero code: (\d+)$/s.exec(message);
  if (run) return `process ${quote(run[1] ?? '')} did not complete successfully: exit code: ${run[2]}`;
  const target = /^failed to reach build target (.*) in Dockerfile$/s.exec(message);
  if (target) return `target stage ${quote(target[1] ?? '')} could not be found`;
  const missing = /^(?:COPY|ADD) failed: file not found in build context .*: stat (.*): file does not exist$/s.exec(
    message,
  );
  if (missing) return `failed to compute cache key: ${quote(`/${missing[1]?.replace(/^\/+/, '')}`)}: not found`;
  return message;
}

function textOf({ text, from }: StepInfo): string {
  if (from) return `FROM ${from.kind === 'image' ? imageName(from.name) : from.name}`;
  const keyword = keywordOf(text);
  return keyword + text.slice(keyword.length);
}

function keywordOf(text: string): string {
  return (/^\S*/.exec(text)?.[0] ?? '').toUpperCase();
}

/** A string as Go's `%q` writes it. */
function quote(text: string): string {
  const escaped = text
    .replace(/["\\]/g, '\\$&')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}
