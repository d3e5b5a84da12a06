import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { cancelled } from '../../lib/error.ts';
import { answerCode, codeOf, type DnsQuestion, isAnswerTo, REFUSED, SERVER_FAILURE } from './dns-message.ts';
import { readDnsMessages, withLength } from './dns-stream.ts';

/** How long one server may take, in milliseconds. */
const PATIENCE = 2500;
/** So many servers are asked, as resolvers do. */
const SERVERS = 3;
const DNS_PORT = 53;

/**
 * Asks other name servers, one after the other until one answers, from the network of this process. What none answers
 * is a server failure, so that the resolver tries again. Every question goes out under a number and from a port of its
 * own: nobody can guess where a false answer would have to go.
 */
export async function forwardQuery(
  query: Buffer,
  question: DnsQuestion,
  options: { readonly servers: readonly string[]; readonly transport: 'udp' | 'tcp'; readonly signal: AbortSignal },
): Promise<Buffer> {
  const renumbered = Buffer.from(query);
  renumbered.writeUInt16BE(randomInt(65536), 0);
  const ask = options.transport === 'udp' ? askByUdp : askByTcp;
  let failed: Buffer | undefined;
  for (const server of options.servers.slice(0, SERVERS)) {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(PATIENCE)]);
    const answer = await ask(renumbered, question, server, signal).catch(() => undefined);
    if (options.signal.aborted) throw cancelled(options.signal);
    if (!answer) continue;
    answer.writeUInt16BE(query.readUInt16BE(0), 0);
    if (![SERVER_FAILURE, REFUSED].includes(codeOf(answer))) return answer;
    failed = answer;
  }
  return failed ?? answerCode(query, SERVER_FAILURE, question.size);
}

async function askByUdp(query: Buffer, question: DnsQuestion, server: string, signal: AbortSignal): Promise<Buffer> {
  const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
  try {
    socket.connect(DNS_PORT, server);
    await once(socket, 'connect', { signal });
    socket.send(query);
    for (;;) {
      const [answer]: Buffer[] = await once(socket, 'message', { signal });
      if (answer && isAnswerTo(answer, query, question)) return answer;
    }
  } finally {
    socket.close();
  }
}

async function askByTcp(
  query: Buffer,
  question: DnsQuestion,
  server: string,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const socket = connect({ port: DNS_PORT, host: server, signal });
  socket.on('error', () => {}); // told by the reader
  try {
    socket.write(withLength(query));
    for await (const answer of readDnsMessages(socket)) if (isAnswerTo(answer, query, question)) return answer;
    return undefined;
  } finally {
    socket.destroy();
  }
}
