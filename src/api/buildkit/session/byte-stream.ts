import { Duplex } from 'node:stream';
import type { GrpcStream } from '../grpc/client.ts';
import { BytesMessage } from '../shapes/fsutil.ts';

/** Clients take messages of up to 4 MiB. */
const LONGEST = 1 << 20;

/** A call whose messages are pieces of a stream of bytes, as that stream. Destroying it gives the call up. */
export function byteStream(call: GrpcStream): Duplex {
  const messages = call.received[Symbol.asyncIterator]();
  const readOne = async (): Promise<void> => {
    try {
      for (;;) {
        const next = await messages.next();
        if (next.done === true) {
          stream.push(null);
          return;
        }
        const { data } = BytesMessage.decode(next.value);
        if (data.length > 0) {
          stream.push(data);
          return;
        }
      }
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const writeAll = async (chunk: Buffer): Promise<void> => {
    for (let at = 0; at < chunk.length; at += LONGEST)
      await call.send(BytesMessage.encode({ data: chunk.subarray(at, at + LONGEST) }));
  };
  const stream = new Duplex({
    read: () => void readOne(),
    write: (chunk: Buffer, _encoding, done) => void writeAll(chunk).then(() => done(), done),
    final: (done) => {
      call.end();
      done();
    },
    destroy: (error, done) => {
      call.close();
      done(error);
    },
  });
  return stream;
}
