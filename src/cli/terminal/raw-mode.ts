/**
 * Makes a terminal pass every byte as it is, both ways, until disposed. Node's own raw mode leaves one translation on
 * (newline to carriage return and newline), which garbles programs that use newline to move the cursor down; stty,
 * which every system has, turns it off. Leaving the mode, also when the process ends, restores all.
 */
export function enterRawMode(stdin: NodeJS.ReadStream): Disposable {
  stdin.setRawMode(true);
  process
    .getBuiltinModule('node:child_process')
    .spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  return { [Symbol.dispose]: () => void stdin.setRawMode(false) };
}
