/** A reporter for node:test that prints one line for each test that was skipped, with the reason. */
import type { TestEvent } from 'node:test/reporters';

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter by its default export
export default async function* skippedTests(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events)
    if (type === 'test:pass' && data.skip !== undefined && data.skip !== false)
      yield `${data.file ?? ''}: ${data.name}${typeof data.skip === 'string' ? `: ${data.skip}` : ''}\n`;
}
