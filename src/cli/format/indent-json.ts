/**
 * Indents JSON text by four spaces a level without reading its values: numbers and strings keep their exact form.
 * `text` must be valid JSON.
 */
export function indentJson(text: string, depth = 0): string {
  let output = '';
  let level = depth;
  const newline = () => `\n${'    '.repeat(level)}`;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    const token = match[0];
    const after = output.at(-1);
    if (token === '{' || token === '[') {
      if (after === '{' || after === '[') output += newline();
      output += token;
      level++;
    } else if (token === '}' || token === ']') {
      level--;
      output += after === '{' || after === '[' ? token : newline() + token;
    } else if (token === ',') output += `,${newline()}`;
    else if (token === ':') output += ': ';
    else output += after === '{' || after === '[' ? newline() + token : token;
  }
  return output;
}
