/** If these fail, a put costs twice the messages, or followers hear too late (or never) what is committed. */
import { describe, expect, it } from "vitest";
import { emptyBytes } from "../../src/base/bytes.js";
import { limits } from "../../src/base/limits.js";
import { Outgoing } from "../../src/member/outgoing.js";
import type { Message } from "../../src/raft/message.js";
import { EntryType } from "../../src/raft/types.js";

const [self, second, third] = [1n, 2n, 3n];
const common = { from: self, term: 4 };

function append(to: bigint, commit: number, entries: number): Message {
  const made = Array.from({ length: entries }, (_, at) => ({
    ...{ term: 4, index: commit + at + 1, type: EntryType.Normal, data: emptyBytes },
  }));
  return { type: "MsgApp", to, ...common, index: commit, logTerm: 4, entries: made, commit };
}

function heartbeat(to: bigint, context: readonly number[]): Message {
  return { type: "MsgHeartbeat", to, ...common, commit: 7, context: Uint8Array.from(context) };
}

function acknowledgement(index: number, reject = false): Message {
  return { type: "MsgAppResp", to: second, ...common, index, reject, rejectHint: 0, logTerm: 0 };
}

function outgoing() {
  const sent: Message[] = [];
  let fire: (() => void) | undefined;
  let timers = 0;
  const clock = {
    after: (_delayMs: number, then: () => void) => {
      timers++;
      fire = then;
      return () => {
        fire = undefined;
      };
    },
  };
  const subject = new Outgoing({ send: (messages) => sent.push(...messages), clock });
  const passTime = (): void => fire?.();
  return { subject, sent, passTime, timers: () => timers };
}

describe("messages to the other members", () => {
  it("leave with the entries that follow, where they only tell of a commit", () => {
    const { subject, sent, passTime, timers } = outgoing();
    subject.send([append(second, 7, 0), append(third, 7, 0)]);
    expect(sent).toEqual([]);
    subject.send([append(second, 8, 1)]);
    expect(sent).toEqual([append(second, 8, 1)]);
    passTime();
    expect(sent.slice(1)).toEqual([append(third, 7, 0)]);
    expect(timers()).toBe(1);
  });

  it("tell of the newest commit alone after a moment, once", () => {
    const { subject, sent, passTime, timers } = outgoing();
    subject.send([append(second, 7, 0)]);
    subject.send([append(second, 9, 0)]);
    passTime();
    expect(sent).toEqual([append(second, 9, 0)]);
    subject.send([append(second, 10, 0)]);
    expect(timers()).toBe(2);
    subject.stop();
    passTime();
    expect(sent).toHaveLength(1);
  });

  it("tell of a commit at once who passed on the proposal, until it is told of", () => {
    const { subject, sent } = outgoing();
    subject.awaitsCommit(second, 9);
    subject.send([append(second, 8, 0), append(third, 8, 0)]);
    subject.send([append(second, 9, 0), append(third, 9, 0)]);
    expect(sent).toEqual([append(second, 8, 0), append(second, 9, 0)]);
    subject.send([append(second, 10, 0)]);
    expect(sent).toHaveLength(2);
  });

  it("tell of a commit before they answer a read, which waits for it", () => {
    const { subject, sent } = outgoing();
    const answer: Message = {
      type: "MsgReadIndexResp",
      to: second,
      ...common,
      index: 7,
      context: emptyBytes,
    };
    subject.send([append(second, 7, 0)]);
    subject.send([answer]);
    expect(sent).toEqual([append(second, 7, 0), answer]);
  });

  it("append in one step what follows on each other in one turn, up to the size of a message", () => {
    const { subject, sent } = outgoing();
    const [first, next, gap] = [append(second, 7, 2), append(second, 9, 1), append(second, 11, 1)];
    const news = { ...append(second, 10, 0), commit: 9 } as Message;
    subject.awaitsCommit(second, 20);
    subject.send([first, append(third, 7, 2), next, news, gap]);
    const merged = {
      ...{ ...first, commit: 9 },
      entries: [first, next].flatMap((message) => (message.type === "MsgApp" ? message.entries : [])),
    };
    expect(sent.splice(0)).toEqual([merged, append(third, 7, 2), gap]);
    const large = (commit: number): Message => ({
      ...append(second, commit, 0),
      ...{ type: "MsgApp", index: commit, logTerm: 4, commit: 9 },
      entries: [
        {
          term: 4,
          index: commit + 1,
          type: EntryType.Normal,
          data: Buffer.alloc(limits.appendMessageBytesMax / 2),
        },
      ],
    });
    subject.send([large(12), large(13)]);
    expect(sent).toHaveLength(2);
  });

  it("hold one heartbeat for each member, the one that confirms the most reads", () => {
    const { subject, sent } = outgoing();
    const beats = [[], [1], [2]].flatMap((context) => [
      heartbeat(second, context),
      heartbeat(third, context),
    ]);
    subject.send(beats);
    expect(sent).toEqual([heartbeat(second, [2]), heartbeat(third, [2])]);
    subject.send([heartbeat(second, [3]), heartbeat(second, [])]);
    expect(sent.slice(2)).toEqual([heartbeat(second, [3]), heartbeat(second, [])]);
  });

  it("acknowledge the last of several appends, and keep every refusal", () => {
    const { subject, sent } = outgoing();
    const refusal = acknowledgement(12, true);
    subject.send([acknowledgement(7), acknowledgement(9), refusal, acknowledgement(9), acknowledgement(8)]);
    expect(sent).toEqual([acknowledgement(9), refusal, acknowledgement(9), acknowledgement(8)]);
  });
});
