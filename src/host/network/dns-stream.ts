/** Reads DNS messages off a TCP connection, where each has its length before it (RFC 1035, section 4.2.2). */
export async function* readDnsMessages(stream: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0);
  for await (const chunk of stream) {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2) {
      const end = 2 + pending.readUInt16BE(0);
      if (pending.length < end) break;
      yield Buffer.from(pending.subarray(2, end));
      pending = pending.subarray(end);
    }
  }
}

/** The message as TCP carries it. */
export function withLength(message: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(message.length);
  return Buffer.concat([head, message]);
}
