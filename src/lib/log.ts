/** One line of structured log (`level message key=value`) on stderr. Never pass a secret. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

export interface Log {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** A log that writes a line for each message: its time, its level and its fields as `name=<JSON>`. */
export function makeLog(write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
      write(`${new Date().toISOString()} ${level} ${message}${pairs.join('')}\n`);
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

export const silentLog: Log = makeLog(() => {});
