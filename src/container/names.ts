import { randomInt } from 'node:crypto';
import { Failure } from '../lib/error.ts';

const QUALITIES = (
  'able agile amber apt blithe bold brave bright brisk calm candid cheery civil clear clever cosy crisp daring deft ' +
  'eager early easy elated fair fleet fond frank fresh gentle giddy glad golden grand happy hardy hearty humble ' +
  'jolly keen kind lively loyal lucid lucky mellow merry mild modest neat nimble noble patient plucky polite prime ' +
  'prompt proud pure quick quiet ready robust serene sharp shiny silent sleek smart snug sober solid sound spry ' +
  'stable steady strong sturdy sunny sure swift tender tidy trusty upbeat valiant vivid warm wise witty zesty'
).split(' ');

const PEOPLE = (
  'abel agnesi ampere apgar archimedes babbage banach bell bernoulli bessel bohr boole born bose cantor carson cauchy ' +
  'cavendish chandra clarke cori curie dalton darwin descartes dijkstra dirac edison einstein erdos euclid euler ' +
  'faraday fermat fermi feynman fibonacci fourier franklin galileo galois gauss gibbs goedel goodall hamilton hawking ' +
  'heisenberg hertz hilbert hodgkin hooke hopper hubble huygens hypatia jacobi joule kepler khayyam kovalevskaya ' +
  'lagrange lamarr laplace lavoisier leavitt leibniz liskov lovelace mach maxwell mcclintock meitner mendel ' +
  'mendeleev milner mirzakhani moivre napier newton nightingale noether ohm pascal pasteur pauli payne planck ' +
  'poincare ptolemy raman ramanujan riemann ritchie rutherford sagan shannon somerville tesla thales thompson turing ' +
  'volta watt weierstrass wiles wirth wu yalow'
).split(' ');

/** A name such as `keen_noether`; from the second attempt on with a number, so that a free one is soon found. */
export function randomName(attempt: number): string {
  const pick = (words: readonly string[]) => words[randomInt(words.length)] ?? '';
  return `${pick(QUALITIES)}_${pick(PEOPLE)}${attempt === 0 ? '' : randomInt(10 * 10 ** Math.min(attempt, 8))}`;
}

/** Throws `invalid` CONTAINER_NAME_INVALID in Docker's words. */
export function checkName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= 255) return;
  throw new Failure(
    'invalid',
    'CONTAINER_NAME_INVALID',
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}
