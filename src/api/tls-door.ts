import { createServer, type Server, type Socket } from 'node:net';

/** First byte of a TLS connection: a record of the handshake. https://www.rfc-editor.org/rfc/rfc8446#section-5.1 */
const HANDSHAKE = 22;
/** In the words that Docker's clients show. */
const PLAIN = 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n';
/** A connection may be silent for so long before its handshake, as within it. */
const SILENCE_MS = 120_000;

/**
 * A server for connections that should be TLS: gives them to `secure`, and tells those that begin otherwise that they are wrong here.
 * `open` holds all of them, for whoever wants to close them.
 */
export function tlsDoor(secure: Server, open: Set<Socket>): Server {
  return createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {}); // 'close' follows
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) return; // it has ended
      socket.setTimeout(0);
      socket.unshift(first);
      if (first[0] === HANDSHAKE) secure.emit('connection', socket);
      else socket.end(PLAIN).destroySoon();
    });
  });
}
