import { type Ip, ipBytes } from './ip.ts';

/** What a resolver asks, of a DNS message with one question. https://www.rfc-editor.org/rfc/rfc1035, section 4 */
export interface DnsQuestion {
  /** In lower case, without the dot at the end. */
  readonly name: string;
  readonly type: number;
  /** Length of header and question: what an answer repeats. */
  readonly size: number;
}

export const TYPE_A = 1;
export const TYPE_PTR = 12;
export const TYPE_AAAA = 28;
export const NO_ERROR = 0;
export const FORMAT_ERROR = 1;
export const SERVER_FAILURE = 2;
export const REFUSED = 5;

const HEADER = 12;
const CLASS_IN = 1;
/** Seconds that an answer may be kept: containers come and go. */
const TTL = 600;
/** What every resolver takes by UDP. */
const UDP_LIMIT = 512;

const RESPONSE = 0x8000;
const OPCODE = 0x7800;
const TRUNCATED = 0x0200;
const RECURSION_DESIRED = 0x0100;
const RECURSION_AVAILABLE = 0x0080;

/** The question of a standard query; undefined for everything else, however malformed. */
export function parseQuestion(message: Buffer): DnsQuestion | undefined {
  if (message.length < HEADER) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & (RESPONSE | OPCODE)) !== 0 || message.readUInt16BE(4) !== 1) return undefined;
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return undefined; // a question has no compressed names
    at++;
    if (length === 0) break;
    if (at + length > message.length || at + length - HEADER > 255) return undefined;
    labels.push(message.toString('latin1', at, at + length).toLowerCase());
    at += length;
  }
  if (at + 4 > message.length || message.readUInt16BE(at + 2) !== CLASS_IN) return undefined;
  return { name: labels.join('.'), type: message.readUInt16BE(at), size: at + 4 };
}

/** An answer to `query` that has only a code. Repeats the question when `size` says how long it is. */
export function answerCode(query: Buffer, code: number, size?: number): Buffer {
  const answer = Buffer.alloc(size ?? HEADER);
  query.copy(answer, 0, 0, Math.min(answer.length, query.length));
  const asked = query.length >= 4 ? query.readUInt16BE(2) & (OPCODE | RECURSION_DESIRED) : 0;
  answer.writeUInt16BE(RESPONSE | asked | RECURSION_AVAILABLE | code, 2);
  answer.writeUInt16BE(size === undefined ? 0 : 1, 4);
  answer.fill(0, 6, HEADER);
  return answer;
}

/** An answer with these addresses, all of one family; none says that the name exists and has nothing of the type. */
export function answerAddresses(
  query: Buffer,
  question: DnsQuestion,
  addresses: readonly Ip[],
  transport: 'udp' | 'tcp',
): Buffer {
  const size = RECORD + (question.type === TYPE_AAAA ? 16 : 4);
  const room = transport === 'udp' ? Math.floor((UDP_LIMIT - question.size) / size) : 2000;
  const records = addresses.slice(0, room).map((address) => record(question.type, ipBytes(address)));
  return answerRecords(query, question, records, records.length < addresses.length);
}

/** An answer with the name that an address has. */
export function answerName(query: Buffer, question: DnsQuestion, name: string): Buffer {
  const labels = name.split('.').map((label) => {
    const bytes = Buffer.from(label, 'latin1').subarray(0, 63);
    return Buffer.concat([Buffer.of(bytes.length), bytes]);
  });
  return answerRecords(query, question, [record(TYPE_PTR, Buffer.concat([...labels, Buffer.of(0)]))], false);
}

/** The address that a name of reverse lookup (`4.3.2.1.in-addr.arpa`, or 32 digits and `ip6.arpa`) stands for. */
export function reversedAddress(name: string): Ip | undefined {
  const nibbles = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (nibbles !== undefined) return BigInt(`0x${nibbles.split('.').reverse().join('')}`);
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  if (!match) return undefined;
  const bytes = match.slice(1).map(Number);
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduceRight((address, byte) => address * 256 + byte, 0);
}

/** Whether `answer` is one to exactly this query. */
export function isAnswerTo(answer: Buffer, query: Buffer, question: DnsQuestion): boolean {
  return (
    answer.length >= question.size &&
    (answer.readUInt16BE(2) & RESPONSE) !== 0 &&
    answer.readUInt16BE(0) === query.readUInt16BE(0) &&
    parseQuestionOf(answer)?.name === question.name
  );
}

/** The code of an answer. */
export function codeOf(answer: Buffer): number {
  return answer.readUInt16BE(2) & 15;
}

/** Length of a record without its data, whose name is a pointer. */
const RECORD = 12;

function parseQuestionOf(answer: Buffer): DnsQuestion | undefined {
  const asked = Buffer.from(answer);
  asked.writeUInt16BE(0, 2);
  return parseQuestion(asked);
}

function answerRecords(query: Buffer, { size }: DnsQuestion, records: readonly Buffer[], truncated: boolean): Buffer {
  const head = answerCode(query, NO_ERROR, size);
  if (truncated) head.writeUInt16BE(head.readUInt16BE(2) | TRUNCATED, 2);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, ...records]);
}

/** A record about the name in the question. */
function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(RECORD);
  head.writeUInt16BE(0xc000 | HEADER, 0); // pointer to the question's name
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(CLASS_IN, 4);
  head.writeUInt32BE(TTL, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
