import type { Http2Session } from 'node:http2';
import type { Duplex } from 'node:stream';

/** A peer that answers no ping for this long is gone, even when its connection seems open. */
const SILENCE_MS = 60_000;
const PING_MS = 15_000;

/** Resolves when the connection is closed, and closes it when nobody is at the other end any more. */
export async function watchPeer(session: Http2Session, socket: Duplex): Promise<void> {
  let heard = Date.now();
  const timer = setInterval(() => {
    if (session.destroyed || Date.now() - heard > SILENCE_MS) {
      session.destroy();
      socket.destroy(); // a session that ended well waits for the peer to close
    } else
      session.ping((error) => {
        if (!error) heard = Date.now();
      });
  }, PING_MS);
  timer.unref();
  const end = () => session.destroy();
  socket.on('end', end); // a connection that may be half open does not close with it
  try {
    await new Promise<void>((resolve) => {
      if (session.destroyed) resolve();
      else session.on('close', resolve);
    });
  } finally {
    clearInterval(timer);
    socket.off('end', end);
  }
}
