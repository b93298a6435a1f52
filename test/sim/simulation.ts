/**
 * One run: a cluster, its clients and what goes wrong, all on one thread from one seed; then everything is healed,
 * and the cluster must come together again and have kept what it promised.
 */
import type { MemberId } from "../../src/base/brand.js";
import { Admin } from "./admin.js";
import { ClientChecks } from "./client-checks.js";
import { SimulatedClient } from "./clients.js";
import { Coverage } from "./coverage.js";
import { Dice } from "./dice.js";
import { Ending } from "./ending.js";
import { History } from "./history.js";
import { LeaseChecks } from "./lease-checks.js";
import { LeaseClient } from "./lease-clients.js";
import { clockRates } from "./local-clock.js";
import type { LogBook } from "./log-book.js";
import { Machines } from "./machines.js";
import { electionTimeoutMs, MemberProcess } from "./member-process.js";
import { Nemesis } from "./nemesis.js";
import { Network } from "./network.js";
import type { SimOptions } from "./options.js";
import { RaftChecks } from "./raft-checks.js";
import { type Owner, outsidePromises, Scheduler } from "./scheduler.js";
import { makeLimitsSmall } from "./small-limits.js";
import { StateChecks } from "./state-checks.js";
import { Trace } from "./trace.js";
import { SimulatedCrash, Violation } from "./violation.js";
import { WatchClient } from "./watch-clients.js";

export interface SimResult {
  readonly options: SimOptions;
  readonly violation: Violation | undefined;
  /** Over everything that happened: equal for two runs of the same options. */
  readonly traceHash: number;
  readonly lines: readonly string[];
  readonly coverage: Coverage;
  readonly simulatedMs: number;
  readonly events: number;
  readonly answeredWrites: number;
  readonly linearizableReads: number;
}

/** Runs `options` to the end or to the first violation. One at a time. */
export function simulate(options: SimOptions): Promise<SimResult> {
  return outsidePromises(() => new Simulation(options).run());
}

class Simulation {
  private readonly scheduler: Scheduler;
  private readonly coverage = new Coverage();
  private readonly trace: Trace;
  private readonly history = new History();
  private readonly raftChecks: RaftChecks;
  private readonly clientChecks: ClientChecks;
  private readonly machines: Machines;
  private readonly network: Network;
  private readonly clients: SimulatedClient[];
  private readonly watchers: WatchClient[];
  private readonly leaseChecks: LeaseChecks;
  private readonly lessees: LeaseClient[];
  private violation: Violation | undefined;

  constructor(private readonly options: SimOptions) {
    const { history, coverage } = this;
    const scheduler = new Scheduler((owner) => this.afterEvent(owner));
    this.scheduler = scheduler;
    const trace = new Trace({ talkative: options.talkative, now: () => scheduler.nowUs });
    this.trace = trace;
    const books = new Map<MemberId, LogBook>();
    this.raftChecks = new RaftChecks({ history, books, coverage });
    this.clientChecks = new ClientChecks({ history, coverage });
    const leaseChecks = new LeaseChecks({
      history,
      coverage,
      nowUs: () => scheduler.nowUs,
      rates: options.faults.has("clock") ? clockRates : { slowest: 1, fastest: 1 },
      extendMs: electionTimeoutMs,
    });
    this.leaseChecks = leaseChecks;
    const machines = new Machines({
      scheduler,
      options,
      coverage,
      trace,
      history,
      network: () => this.network,
      raftChecks: this.raftChecks,
      stateChecks: new StateChecks({ history, coverage, leases: leaseChecks }),
      leaseChecks,
      books,
      violated: (error) => this.violated(error),
    });
    this.machines = machines;
    const processOf = (id: MemberId): MemberProcess | undefined => machines.processOf(id);
    this.network = new Network({
      scheduler,
      dice: Dice.of(options.seed, "network"),
      coverage,
      trace,
      processOf,
    });
    const deps = { scheduler, options, coverage, trace, history, checks: this.clientChecks };
    const processes = (): readonly MemberProcess[] => machines.processes();
    this.clients = Array.from(
      { length: options.clients },
      (_, at) => new SimulatedClient(`c${at}`, { ...deps, processes }),
    );
    this.watchers = Array.from(
      { length: options.watchers },
      (_, at) => new WatchClient(`w${at}`, { ...deps, processes }),
    );
    this.lessees = Array.from(
      { length: options.lessees },
      (_, at) => new LeaseClient(`l${at}`, at, { ...deps, processes, leases: leaseChecks }),
    );
  }

  run(): SimResult {
    const stopWatching = this.machines.watchFailpoints();
    const restoreLimits = makeLimitsSmall();
    const onRejection = (error: unknown): void => {
      if (!(error instanceof SimulatedCrash)) this.violated(error);
    };
    process.on("unhandledRejection", onRejection);
    try {
      this.act();
    } catch (error) {
      this.violated(error);
    } finally {
      process.off("unhandledRejection", onRejection);
      stopWatching();
      restoreLimits();
    }
    const { options, violation, coverage, scheduler, clientChecks, trace } = this;
    return {
      options,
      violation,
      traceHash: trace.hash,
      lines: trace.last(options.talkative ? 100_000 : 120),
      coverage,
      simulatedMs: scheduler.nowUs / 1_000,
      events: scheduler.count,
      answeredWrites: clientChecks.answeredCount,
      linearizableReads: clientChecks.readCount,
    };
  }

  private act(): void {
    const { scheduler, options, coverage, trace, history, machines, network, clients, watchers, lessees } =
      this;
    const nemesis = new Nemesis({ scheduler, options, coverage, trace, history, machines, network });
    const admin = new Admin({ scheduler, options, coverage, trace, history, machines });
    for (const place of machines.places.values()) machines.start(place);
    for (const client of [...clients, ...watchers, ...lessees]) client.start();
    this.checkCountdowns();
    nemesis.start();
    admin.start();
    const isOver = (): boolean => this.violation !== undefined;
    scheduler.run(options.durationMs * 1_000, isOver);
    if (isOver()) return;
    trace.say("everything is healed");
    for (const client of [...clients, ...lessees]) client.stop();
    for (const watcher of watchers) watcher.settle();
    admin.stop();
    nemesis.heal();
    new Ending({
      scheduler,
      history,
      machines,
      nemesis,
      watchers,
      leases: this.leaseChecks,
      trace,
      isOver,
    }).run();
    if (!isOver()) this.clientChecks.finish();
  }

  /** Looks at what leaders count for their leases, every now and then. */
  private checkCountdowns(): void {
    for (const { name, running, pausedUntilUs } of this.machines.processes()) {
      if (running !== undefined && pausedUntilUs < this.scheduler.nowUs)
        this.leaseChecks.checkCountdowns(name, running.core.state.deps.leases);
    }
    this.scheduler.after(250_000, undefined, () => this.checkCountdowns());
  }

  private afterEvent(owner: Owner | undefined): void {
    const { trace, scheduler } = this;
    if (!(owner instanceof MemberProcess)) {
      trace.note(scheduler.nowUs, 0);
      return;
    }
    trace.note(scheduler.nowUs, Number(owner.machine.id));
    const { running } = owner;
    if (running !== undefined) this.raftChecks.afterEvent(running.core.raft, running.seen);
  }

  private violated(error: unknown): void {
    if (this.violation !== undefined) return;
    this.violation =
      error instanceof Violation
        ? error
        : new Violation(
            "simulation",
            error instanceof Error ? (error.stack ?? error.message) : String(error),
          );
    this.trace.say(`VIOLATION ${this.violation.message}`);
  }
}
