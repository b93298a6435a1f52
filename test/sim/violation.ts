/** The simulator found a promise broken. `check` names it; the text says by what. */
export class Violation extends Error {
  override readonly name = "Violation";
  constructor(
    readonly check: string,
    text: string,
  ) {
    super(`${check}: ${text}`);
  }
}

/** A process was made to crash at this place: thrown where a failpoint stands, to leave the code that was running. */
export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash";
}

/** The simulated disk refused: the process that sees it must stop. */
export class DiskFailure extends Error {
  override readonly name = "DiskFailure";
}
