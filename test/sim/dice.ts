/** Random choices of one part of the simulator: each part has its own stream, so that one switched off shifts no other. */
import { type Random, seededRandom } from "../../src/base/prng.js";

export class Dice {
  readonly random: Random;

  constructor(seed: number | bigint) {
    this.random = seededRandom(seed);
  }

  /** A stream of its own for `name`, the same for the same seed and name. */
  static of(seed: number, name: string): Dice {
    let hash = BigInt(seed) * 0x9e37_79b9_7f4a_7c15n;
    for (const char of name)
      hash = BigInt.asUintN(64, (hash ^ BigInt(char.charCodeAt(0))) * 0x100_0000_01b3n);
    return new Dice(hash);
  }

  below(bound: number): number {
    return this.random.below(bound);
  }

  /** From `low` up to, without, `high`. */
  between(low: number, high: number): number {
    return low + this.random.fraction() * (high - low);
  }

  chance(probability: number): boolean {
    return this.random.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.random.below(items.length)]!;
  }

  /** Exponentially distributed with this mean. */
  exponential(mean: number): number {
    return -Math.log(1 - this.random.fraction()) * mean;
  }
}
