/** Bytes that do not compress, from a seed. */
export function noise(size: number, seed: number): Buffer {
  const words = new Uint32Array(size / 4);
  let state = (seed + 1) * 2_654_435_761;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer);
}
