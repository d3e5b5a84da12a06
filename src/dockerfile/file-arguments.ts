import { ArgumentFault, parseJsonArray, splitAtSpace } from './arguments.ts';
import type { FlagValues } from './flags.ts';
import { heredocText, parseHeredocMark } from './heredoc.ts';
import type { CopyInstruction, Heredoc, InlineSource } from './instruction.ts';

type FileArguments = Pick<
  CopyInstruction,
  'sources' | 'inlineSources' | 'destination' | 'json' | 'chown' | 'chmod' | 'link' | 'excludes'
>;

/** What COPY and ADD have in common: sources, destination, and the flags of both. */
export function parseFileArguments(
  kind: 'COPY' | 'ADD',
  rest: string,
  heredocs: readonly Heredoc[],
  flags: FlagValues,
): FileArguments {
  const list = parseJsonArray(rest);
  const words = list ?? joinHeredocWords(splitAtSpace(rest));
  const destination = words.at(-1);
  if (destination === undefined || words.length < 2)
    throw new ArgumentFault(
      `${kind} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  if (!list && parseHeredocMark(destination))
    throw new ArgumentFault(`${kind} cannot accept a heredoc as a destination`);
  const sources: string[] = [];
  const inlineSources: InlineSource[] = [];
  const bodies = [...heredocs];
  for (const word of words.slice(0, -1)) {
    const heredoc = !list && parseHeredocMark(word) ? bodies.shift() : undefined;
    if (heredoc) inlineSources.push({ name: heredoc.name, content: heredocText(heredoc), expand: heredoc.expand });
    else sources.push(word);
  }
  if (words.length > 2 && !mayBeFolder(destination))
    throw new ArgumentFault(
      `when using ${kind} with more than one source file, the destination must be a directory and end with a /`,
      list ? undefined : rest.length - destination.length,
    );
  return {
    sources,
    inlineSources,
    destination,
    json: list !== undefined,
    chown: flags.text('chown') || undefined,
    chmod: flags.text('chmod') || undefined,
    link: flags.boolean('link') ?? false,
    excludes: flags.list('exclude'),
  };
}

/** `<< EOF` is one word. */
function joinHeredocWords(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    const last = joined.at(-1);
    if (last !== undefined && /^\d*<<-?$/.test(last)) joined[joined.length - 1] = last + word;
    else joined.push(word);
  }
  return joined;
}

/** A destination with variables or quotes can only be judged once it is expanded. */
function mayBeFolder(destination: string): boolean {
  return /[$'"\\`]|\/$|(^|\/)\.\.?$/.test(destination);
}
