import type { SourceRange } from '../lib/error.ts';
import { parseFault } from './failure.ts';
import type { HeredocMark } from './heredoc.ts';
import type { Comment, Heredoc, Segment } from './instruction.ts';
import { trim, trimStart } from './text.ts';

/** One instruction's text with continuation lines joined. */
export interface LogicalLine {
  /** Trimmed. */
  readonly text: string;
  readonly segments: readonly Segment[];
  readonly line: number;
  readonly endLine: number;
  readonly comments: readonly Comment[];
  /** Lines inside that are empty: Docker warns that these will become errors. */
  readonly emptyLines: readonly number[];
}

/** Docker stops at 64 KiB, which generated files do reach. */
const LINE_LIMIT = 1 << 20;

/** Reads a Dockerfile's text line by line; the caller asks for heredoc bodies once it knows that a line has some. */
export class LogicalLines {
  readonly #text: string;
  readonly #file: string;
  readonly #continuation: RegExp;
  #at = 0;
  #line = 0;

  constructor(text: string, file: string, escapeCharacter: string) {
    this.#text = text;
    this.#file = file;
    const token = escapeCharacter === '\\' ? '\\\\' : escapeCharacter;
    // The token doubled is that character itself and continues nothing.
    this.#continuation = new RegExp(`(?:^|([^${token}]))${token}[ \\t]*$`);
  }

  /** Number of the last line that was read. */
  get line(): number {
    return this.#line;
  }

  /** The next instruction, or undefined at the end of the file. */
  next(): LogicalLine | undefined {
    let comments: Comment[] = [];
    for (let first = this.#read(); first !== undefined; first = this.#read()) {
      const bare = trimNewline(first);
      const start = trimStart(bare);
      if (start.startsWith('#')) {
        const text = trim(start.slice(1));
        if (text === '') comments = [];
        else comments.push({ line: this.#line, text });
        continue;
      }
      const line = this.#line;
      const piece = this.#piece(start);
      if (!piece.continues && piece.text === '') continue;
      const segments = [{ at: 0, line, column: bare.length - start.length + 1 }];
      const joined = piece.continues ? this.#continue(piece.text, segments) : { text: piece.text, emptyLines: [] };
      const shift = joined.text.length - trimStart(joined.text).length;
      return {
        text: trim(joined.text),
        segments: segments.map((segment) => ({ ...segment, at: segment.at - shift })),
        line,
        endLine: this.#line,
        comments,
        emptyLines: joined.emptyLines,
      };
    }
    return undefined;
  }

  /** The bodies behind the line that was just read. */
  heredocs(marks: readonly HeredocMark[], line: number): Heredoc[] {
    return marks.map((mark) => {
      const start = this.#at;
      for (let next = this.#read(); next !== undefined; next = this.#read()) {
        const bare = trimNewline(next);
        if ((mark.stripTabs ? bare.replace(/^\t+/, '') : bare) === mark.name)
          return { ...mark, content: this.#text.slice(start, this.#at - next.length) };
      }
      const source = { file: this.#file, line, endLine: this.#line };
      const hint = `no line holds only ${mark.name}`;
      throw parseFault(source, 'HEREDOC_UNTERMINATED', 'unterminated heredoc', hint);
    });
  }

  #continue(first: string, segments: Segment[]): { text: string; emptyLines: number[] } {
    const pieces = [first];
    let length = first.length;
    const emptyLines: number[] = [];
    for (let next = this.#read(); next !== undefined; next = this.#read()) {
      const bare = trimNewline(next);
      const start = trimStart(bare);
      if (start.startsWith('#')) continue;
      if (start === '') {
        emptyLines.push(this.#line);
        continue;
      }
      const piece = this.#piece(bare);
      segments.push({ at: length, line: this.#line, column: 1 });
      pieces.push(piece.text);
      length += piece.text.length;
      if (!piece.continues) break;
    }
    return { text: pieces.join(''), emptyLines };
  }

  #piece(text: string): { text: string; continues: boolean } {
    const match = this.#continuation.exec(text);
    return match
      ? { text: text.slice(0, match.index) + (match[1] ?? ''), continues: true }
      : { text, continues: false };
  }

  /** The next line with its line end. */
  #read(): string | undefined {
    if (this.#at >= this.#text.length) return undefined;
    const newline = this.#text.indexOf('\n', this.#at);
    const end = newline < 0 ? this.#text.length : newline + 1;
    this.#line++;
    if (end - this.#at > LINE_LIMIT) {
      const source: SourceRange = { file: this.#file, line: this.#line, endLine: this.#line };
      throw parseFault(source, 'LINE_TOO_LONG', `dockerfile line greater than max allowed size of ${LINE_LIMIT}`);
    }
    const line = this.#text.slice(this.#at, end);
    this.#at = end;
    return line;
  }
}

function trimNewline(line: string): string {
  let end = line.length;
  while (end > 0 && (line[end - 1] === '\n' || line[end - 1] === '\r')) end--;
  return line.slice(0, end);
}
