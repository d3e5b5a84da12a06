import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { Failure } from '../../lib/error.ts';
import { closeDescriptor, openRouteSocket, receive, send } from './socket-calls.ts';

/** A request to the kernel: a message type, its fixed header, then attributes. See netlink(7), rtnetlink(7). */
export interface NetlinkRequest {
  readonly type: number;
  /** NLM_F_* besides REQUEST and ACK. */
  readonly flags: number;
  readonly body: Buffer;
  /** What is being done, for the message of a refusal: `create bridge strake0`. */
  readonly intent: string;
}

export interface NetlinkReply {
  readonly type: number;
  readonly body: Buffer;
}

const HEADER = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

/**
 * A routing socket of the network namespace in which the calling thread is when it is opened; it stays there when the
 * thread moves on. Calls are synchronous: the kernel handles a request inside send(2), its answer is there at once.
 */
export class Netlink implements Disposable {
  readonly #descriptor = openRouteSocket();
  readonly #buffer = Buffer.allocUnsafe(1 << 16);
  #sequence = 0;

  /** Sends the requests in one system call and throws the first refusal. The kernel tries them all in any case. */
  change(requests: readonly NetlinkRequest[]): void {
    const first = this.#sequence + 1;
    send(this.#descriptor, Buffer.concat(requests.map((request) => this.#frame(request, NLM_F_ACK))));
    const codes = new Map<number, number>();
    while (codes.size < requests.length) {
      for (const reply of this.#receive()) {
        if (reply.type === NLMSG_ERROR) codes.set(reply.sequence, reply.body.readInt32LE(0));
      }
    }
    for (const [index, request] of requests.entries()) refuse(request.intent, codes.get(first + index) ?? 0);
  }

  /** All objects a RTM_GET* request lists. */
  dump(request: NetlinkRequest): NetlinkReply[] {
    send(this.#descriptor, this.#frame(request, NLM_F_DUMP));
    const found: NetlinkReply[] = [];
    for (;;) {
      for (const reply of this.#receive()) {
        if (reply.type === NLMSG_DONE) return found;
        if (reply.type === NLMSG_ERROR) refuse(request.intent, reply.body.readInt32LE(0));
        found.push({ type: reply.type, body: Buffer.from(reply.body) });
      }
    }
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#descriptor);
  }

  #frame(request: NetlinkRequest, flags: number): Buffer {
    const frame = Buffer.alloc(HEADER + align(request.body.length));
    frame.writeUInt32LE(HEADER + request.body.length, 0);
    frame.writeUInt16LE(request.type, 4);
    frame.writeUInt16LE(NLM_F_REQUEST | request.flags | flags, 6);
    frame.writeUInt32LE(++this.#sequence, 8);
    request.body.copy(frame, HEADER);
    return frame;
  }

  *#receive(): Generator<NetlinkReply & { sequence: number }> {
    const size = receive(this.#descriptor, this.#buffer);
    for (let at = 0; at + HEADER <= size; ) {
      const length = this.#buffer.readUInt32LE(at);
      if (length < HEADER) return;
      const body = this.#buffer.subarray(at + HEADER, at + length);
      yield { type: this.#buffer.readUInt16LE(at + 4), sequence: this.#buffer.readUInt32LE(at + 8), body };
      at += align(length);
    }
  }
}

/** Encodes one attribute: number (u32), text (with its final NUL), bytes, or nested attributes. */
export function attribute(type: number, value: number | string | Buffer | readonly Buffer[]): Buffer {
  const payload =
    typeof value === 'number' ? u32(value) : typeof value === 'string' ? Buffer.from(`${value}\0`) : flatten(value);
  const encoded = Buffer.alloc(align(4 + payload.length));
  encoded.writeUInt16LE(4 + payload.length, 0);
  encoded.writeUInt16LE(type, 2);
  payload.copy(encoded, 4);
  return encoded;
}

/** The attributes that follow a fixed header of `offset` bytes, by type. */
export function attributesOf(body: Buffer, offset: number): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = offset; at + 4 <= body.length; ) {
    const length = body.readUInt16LE(at);
    if (length < 4) break;
    found.set(body.readUInt16LE(at + 2) & 0x3fff, body.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

function flatten(value: Buffer | readonly Buffer[]): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.concat(value);
}

function u32(value: number): Buffer {
  const encoded = Buffer.alloc(4);
  encoded.writeUInt32LE(value);
  return encoded;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function refuse(intent: string, code: number): void {
  if (code === 0) return;
  const name = getSystemErrorName(code);
  const detail = { cause: Object.assign(new Error(name), { code: name }) };
  if (-code === constants.errno.EPERM)
    throw new Failure('denied', 'NETWORK_DENIED', `cannot ${intent}: permission denied`, {
      ...detail,
      hint: 'the host needs the right to administer the network (root, or CAP_NET_ADMIN)',
    });
  const kind = -code === constants.errno.EEXIST ? 'exists' : 'unavailable';
  throw new Failure(kind, `NETWORK_${name}`, `cannot ${intent}: the kernel answered ${name}`, detail);
}
