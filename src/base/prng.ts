/**
 * A seeded random source (xoshiro128**, Blackman and Vigna 2018), for whoever must be repeatable: raft's
 * election timeouts, what tells lives of a process apart, and the simulator. Not for secrets.
 */
export interface Random {
  /** A uniform integer from 0 to `bound` − 1; `bound` from 1 to 2^32. */
  below(bound: number): number;
  /** A uniform number in [0, 1) with 32 random bits. */
  fraction(): number;
}

/** A uniform integer from 0 to 2^48 − 1: tells one life of a process from another, whatever its clock says. */
export function draw48Bits(random: Random): number {
  return random.below(2 ** 16) * 2 ** 32 + random.below(2 ** 32);
}

/** The same seed gives the same numbers on every machine. */
export function seededRandom(seed: number | bigint): Random {
  const state = new Uint32Array(4);
  let mix = BigInt.asUintN(64, BigInt(seed));
  for (let word = 0; word < 4; word++) {
    // SplitMix64 spreads a small seed over the whole state, which must not be all zero.
    mix = BigInt.asUintN(64, mix + 0x9e3779b97f4a7c15n);
    let z = mix;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    state[word] = Number((z ^ (z >> 31n)) & 0xffffffffn);
  }
  const next = (): number => {
    const [a, b, c, d] = state as unknown as [number, number, number, number];
    const times5 = Math.imul(b, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const shifted = b << 9;
    const c1 = c ^ a;
    const d1 = d ^ b;
    state[1] = b ^ c1;
    state[0] = a ^ d1;
    state[2] = c1 ^ shifted;
    state[3] = (d1 << 11) | (d1 >>> 21);
    return result;
  };
  return {
    below(bound: number): number {
      // Rejection keeps it uniform where bound does not divide 2^32.
      const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
      let value = next();
      while (value >= limit) value = next();
      return value % bound;
    },
    fraction: () => next() / 0x1_0000_0000,
  };
}
