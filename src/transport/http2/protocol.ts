/** Constants of HTTP/2 (RFC 9113) and its two kinds of failure. */

/** Section 3.4: what a client sends first. */
export const clientPreface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const frameHeaderBytes = 9;
/** Section 4.2: the largest payload that a peer takes unless it said otherwise, and the only one that we take. */
export const defaultFramePayloadBytesMax = 16_384;
export const framePayloadBytesLimit = 16_777_215;
/** Section 6.9.2. */
export const defaultWindowBytes = 65_535;
/** Section 6.9.1. */
export const windowBytesMax = 0x7fff_ffff;
export const streamIdMax = 0x7fff_ffff;
/** RFC 7541, section 4.2 with RFC 9113, section 6.5.2. */
export const defaultHeaderTableBytes = 4_096;

/** Section 6. */
export const FrameType = {
  Data: 0x0,
  Headers: 0x1,
  Priority: 0x2,
  ResetStream: 0x3,
  Settings: 0x4,
  PushPromise: 0x5,
  Ping: 0x6,
  GoAway: 0x7,
  WindowUpdate: 0x8,
  Continuation: 0x9,
} as const;

export const Flag = { Ack: 0x1, EndStream: 0x1, EndHeaders: 0x4, Padded: 0x8, Priority: 0x20 } as const;

/** Section 6.5.2. */
export const SettingId = {
  HeaderTableSize: 0x1,
  EnablePush: 0x2,
  MaxConcurrentStreams: 0x3,
  InitialWindowSize: 0x4,
  MaxFrameSize: 0x5,
  MaxHeaderListSize: 0x6,
} as const;

/** Section 7. */
export const ErrorCode = {
  NoError: 0x0,
  ProtocolError: 0x1,
  InternalError: 0x2,
  FlowControlError: 0x3,
  SettingsTimeout: 0x4,
  StreamClosed: 0x5,
  FrameSizeError: 0x6,
  RefusedStream: 0x7,
  Cancel: 0x8,
  CompressionError: 0x9,
  ConnectError: 0xa,
  EnhanceYourCalm: 0xb,
  InadequateSecurity: 0xc,
  Http11Required: 0xd,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** The peer broke a rule that the whole connection depends on: GOAWAY with this code, then close (section 5.4.1). */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** The peer broke a rule of one stream: RST_STREAM with this code, the others live on (section 5.4.2). */
export class StreamError extends Error {
  override readonly name = "StreamError";
  constructor(
    readonly streamId: number,
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}
